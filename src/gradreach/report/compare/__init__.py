"""What changed between two recordings: finding by finding, curve over curve, with the noise said."""
