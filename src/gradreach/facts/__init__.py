"""What a record says, each thing derived once.

facts: the one view of a record, with a cached property for each fact
seen: what the looks of a record saw until anything broke
breaks: where a run broke, and who took care of values that are not finite
site: one line of the script that calls backward, with its steps, losses, norms and clipping
learning: whether the loss at one line fell over the run
losses: what a loss holds against what, and what the best constant guess gets
alignments: the targets of CTC losses, and what these are given
known_errors: what torch's own words mean where it raises
leaky_factors: outputs that are held against targets and weigh log-probabilities too
terms: how hard the terms of a loss pull at the weights that they share
cut_outputs: which models are judged by others that hand no gradient back to them
penalties: what leads to a loss by penalties alone
padded_loss: losses most of whose rows stand at padding
far_start: losses that begin far above what a constant guess gets
one_sided: models beside others that are asked for one number alone
lost_targets: targets of two kinds of which one comes up no more
outputs: whether what models put out differs from row to row
accumulation: how many backward passes make a step
idle_clip: clipping calls that limit nothing
idle_masks: masks of attention that shut nothing out
value_clip: what clipping by value leaves of the gradients
updates: what the optimizers do with the gradients of one line
clipping: by which threshold a norm was limited, on what share of the steps
spikes: single norms, or losses, far out of the ordinary
ordinary_norm: the usual norm before one grew
blow_up: a norm that grew far over its ordinary size while the loss diverged or the run broke
time: recurrent layers over a run
first_step: recurrent layers that the loss reads after their first step alone
depth: the gradient through depth, and its trend along the layers
activations: the activations of hidden layers
input_size: how large the input of a model is
dependency: what the data asks for, joined with what the gradient reaches
modules: dotted paths, the roots that they belong to, and the stacks that they share
zero_gradients: gradients that are exactly 0 to the end, from which look on, and why
subnormals: what numbers below the smallest normal one cost
epsilon: an eps that outweighs the second moment of the gradient
half: updates and gradients that half precision rounds away
decay: weights that the decay of the optimizer has taken to nearly nothing
copied_units: hidden layers whose units are copies of one another
linear_maps: linear layers in a row
thresholds: the figures that a user may set
statistics: robust statistics of short series
wording: how numbers and strings read
"""
