"""The panels of the page, one file each, found by this folder.

panel: what a panel is, and how much of everything the page shows.
verdict: the run in one sentence.
lead: the one figure that shows it, what to do first, and the answers to what people come with.
findings: place, figures, reason, formula and remedies of each finding.
norm: the gradient's norm and the loss, step by step.
through_time: every recurrent layer.
through_depth: the modules along the depth, and their tree.
dependency: what the data asks for.
checks: what was looked for and not found.
method: how the figures were measured.
explanations: what the findings mean.
"""
