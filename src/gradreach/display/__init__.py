"""Numbers, curves, maps and findings as text and SVG, for whoever shows them; knows no run and no file."""
