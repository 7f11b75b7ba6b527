"""What a person can do about a finding, one file a remedy: what it does, the code to paste, where it does not fit.

advice: what a piece of advice is
registry: all advice by its id
spelling: how a script's own modules and parameters are spelt in Python

activation: ReLU in place of a logistic function
check_data: look for values that are not finite where a batch is made
chrono_start: gates that start with time constants up to a lag
clip: bound the global norm
connect: use an output on the way to the loss
forget_bias: start an LSTM's forget gate open
freeze: say that a part is meant to stay as it is
gated_cell: an LSTM in place of a plain recurrence
initial_scale: initial weights of the right scale
layer_norm: normalisation behind a layer
leaky: a small slope below zero
learning_rate: a rate at which no unit is pushed below zero for good
longer_window: carry the gradient of truncated BPTT farther back
look_at_batch: look at the batch of a spike
look_more_often: watch every step
lower_rate: divide the learning rate
orthogonal: start the recurrent matrix orthogonal
raise_rate: multiply the learning rate
raise_threshold: clip at a higher norm
receptive_field: let a model without a recurrence see farther back
residual: a sum around a layer
safe_domain: keep an operation within its domain
safe_slope: keep the slope of an operation finite
scale_input: inputs of mean 0 and deviation 1
skip_step: take no update from a bad batch
stable_loss: a loss that takes logits
update_bias: start a GRU's update gate open
warm_up: begin with a small rate
wider: more hidden units
"""
