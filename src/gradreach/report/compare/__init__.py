"""What changed between two recordings: finding by finding, curve over curve, with the noise said.

comparison: two runs side by side, as values.
matching: which place of one run is which of the other.
settings_changed: in what the two were started and watched differently.
measure: one figure of both runs, and the part of the runs that is compared.
by_step: the figures that every step has.
by_look: the figures that only watched steps have.
curve: the curves of two runs, one over the other.
noise: how sure a difference is.
other_loss: whether the two losses measure the same thing.
comparison_verdict: what it all comes to in one sentence.
wording: how the figures of a comparison read.
terminal: the comparison on a terminal.
page: the comparison as one HTML page.
json_report: the comparison as JSON.
fields: the fields of that JSON, typed and described.
"""
