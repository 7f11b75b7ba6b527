"""Every claim of the theory, run and measured: `gradreach experiments` lists and runs them.

The experiments, one module each, a package where one would be too long:
jacobian_product: the product of Jacobians beside its bound
gradient_sum: the gradient as a sum over time
sentence: one word's error carried back, word by word
near_beats_far: where the gradient of trained models comes from, and the number of a verb
powers: powers in a recurrence, in numbers of finite width, and under tanh
deep_stack: what a deep logistic stack does to the gradient
exploding: runs that explode, clipped and guarded
cliff: the wall in the loss of a one-unit RNN
truncation: what a window of truncated backpropagation costs, loses and trains
vanishing_or_not: a gradient that vanishes beside data with nothing to learn
cures: ten cures at equal budget
temporal_order: clipping and Ω on the temporal order task
irnn: ReLU units that start at the identity

What they share:
experiment: what an experiment is, and the record of one run of it
registry: the experiments by name
command: what `gradreach experiments` does
lab: measurements spread over processes, with a progress bar
claim: the number predicted, the number measured, the range
claim_text: claims and runs in words
intervals: exact intervals of shares, and whether one count is better than another
drawing: themes, colours, panels and error bars of figures
language: the layers and the text of the experiments on language
loss_reach: how far a model's own loss reaches back
explicit_rnn: one RNN layer written out, and what rounding may do to it
"""
