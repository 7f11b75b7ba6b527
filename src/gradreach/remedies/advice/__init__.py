"""What a person can do about a finding, one file a remedy: what it does, the code to paste, where it does not fit.

advice: what a piece of advice is
boolean_mask: a mask of truth values in place of numbers
blank_index: a blank of a CTC loss that no target is
drop_less: lower the share that dropouts drop
registry: all advice by its id
linear_end: end a network in a linear layer
look_at_pairs: look whether the rows of the input and of the target belong together
look_at_targets: look at what the targets are
make_once: make a layer once, where the module is made
make_optimizer_once: make an optimizer once, before the loop
match_shapes: give output and target one shape
raw_logits: give the loss what it takes
small_eps: set the eps of the optimizer to what is usual
spelling: how a script's own modules and parameters are spelt in Python

activation: tanh in place of a logistic function
assign_operation: keep what an operation makes
assign_result: go on with what a module returned
activation_between: an activation between two linear layers
autograd_function: a backward pass of one's own as an autograd.Function
average_passes: the mean of the gradients of several passes in place of their sum
balanced_weights: weights of classes that fall with their count
batch_axis_first: move the axis of the batch before values are joined
batch_first: the order of batch and time that a layer is told
biased_deviation: take a deviation that exists for a single value
both_sides: unlike targets for the two kinds of rows of an adversary
both_ends: the states that both directions end with
bounded_decay: keep the factor of a loop's state below 1
bounded_exponent: bound what an exponential is taken of
carry_and_detach: carry a state from batch to batch without its history
carry_state: hand the state that a step leaves to the next one
check_data: look for values that are not finite where a batch is made
chrono_start: gates that start with time constants up to a lag
clip: bound the global norm
clear_once: clear the gradients once an update
bounded_state: a state that decays, and takes in a weighed part of what is new
clip_between: a clipping call between the backward pass and the update
connect: use an output on the way to the loss
connect_loss: compute the loss from the model's own output
copy_rows: a copy of what the data set keeps
count_places: a code of places that counts along the axis of time
detach_baseline: the baseline of an advantage without its gradient
detach_between: detach a state between chunks, not between steps
distinct_rows: see that the rows of a batch differ
double_where: choose before the operation as well as after it
drop_rows: leave out the rows that hold values that are not finite
fill_far_below: masked scores far below all others
factor_above_zero: a schedule whose factor is not 0
find_out: what to ask where nothing is known that would help
forward_anew: a forward pass of its own for each loss, once the weights have moved
finite_mask: mask with a large finite number in place of infinity
float32_weights: weights in float32, and products in half precision
floor_scale: rows divided by a scale that is not next to 0
flush_subnormals: let the CPU take subnormal numbers for 0
follow_batches: running statistics that follow the batches
follow_gradient: print what gradient arrives
forget_bias: start an LSTM's forget gate open
freeze: say that a part is meant to stay as it is
fresh_start: start a layer anew
gated_cell: an LSTM in place of a plain recurrence
hand_over: hand all parameters to the optimizer
initial_scale: initial weights of the right scale
initialise: give every parameter a value before the first step
inside_edge: keep an argument inside of the edge of a function's domain
invert_mask: a mask the other way round
last_real_step: read each row before its padding
last_state: the state after the last step
layer_norm: normalisation behind a layer
leave_out_blanks: targets of a CTC loss without its blank
leave_out_padding: the mean of the loss over the places that hold data
leaky: a small slope below zero
learning_rate: a rate at which no unit is pushed below zero for good
less_decay: lower the weight decay of the optimizer
leave_one_open: leave at least one position of every row unmasked
log_sum_exp: keep sums of exponentials in the logarithm
longer_window: carry the gradient of truncated BPTT farther back
look_at_batch: look at the batch of a spike
look_more_often: watch every step
lower_rate: divide the learning rate
name_operation: have torch name the operation
norm_off_the_end: no normalisation behind the last layer
norm_over_more: a normalisation over several values, or none
normalise_state: keep a state that is fed back near size 1
one_backward: one backward pass for losses that share a graph
one_batch: train on one batch, to find out
one_logit: a logistic output in place of a softmax over one value
open_label: leave the label's own logit unmasked
optimizer_eps: an eps that the weights' format can hold
orthogonal: start the recurrent matrix orthogonal
out_of_place: new tensors in place of changed ones
positive_argument: make an argument positive by construction
positive_weights: weights of a cross entropy above 0
raise_rate: multiply the learning rate
raise_threshold: clip at a higher norm
random_start: weights that start at random
receptive_field: let a model without a recurrence see farther back
rename_state: the names of a checkpoint as the module has them
residual: a sum around a layer
rows_anew: a dataset that begins anew at each pass
rows_in_order: batches whose rows go on where those before ended
same_weights: the loss computed with the weights that the optimizer holds
safe_divisor: keep a divisor away from 0
safe_domain: keep an operation within its domain
safe_normalisation: data whose rows or columns without anything in them stay finite
safe_slope: keep the slope of an operation finite
sampler_anew: a sampler that begins anew at each pass
scalar_loss: one number as the loss
scale_input: inputs of mean 0 and deviation 1
scale_loss: a loss that is multiplied on its way back through float16
scale_logits: scale logits that are cosines
scale_target: targets of mean 0 and deviation 1
see_nothing_ahead: places that see nothing behind themselves
shift_once: targets that are shifted in one place alone
shift_targets: targets one place further on
mask_inputs: input ids that are masked where the loss asks for them
shuffle: batches drawn at random
skip_step: take no update from a bad batch
slow_decay: start the factor of a loop's state near 1
slower_schedule: step the schedule of the learning rate once an epoch
smooth_activation: an activation that can be derived twice
softmax_axis: a softmax along the classes or places of one sample
split_values: keep singular values apart
start_anew: a state of zeros for each batch
stabiliser: carry the largest exponent beside a state with exponential gates
stable_loss: a loss that takes logits
strict_load: a load that raises where it does not fit
straight_through: let the gradient pass a step as if it were not there
targets_as_shares: targets of a binary cross entropy between 0 and 1
train_again: training mode for a model that is trained
train_mode: training mode for a recurrent layer
transpose: axes exchanged by a transpose in place of a view
turn_targets: targets with the same axis first as the outputs
turn_sign: the negative of what is to be maximised
unlike_units: weights at random, so that units differ
unsaturated_loss: a loss that keeps its slope where another model is certain
unscale: clip gradients without the loss scale
update_bias: start the gate that lets new things into a GRU's state nearly shut
update_order: clear, run backward, step
uncut_output: hand a model's output on with its graph, in the step that trains it through another
use_result: use what a part puts out, and not only its penalty
module_list: keep parts where torch finds them
warm_up_by_steps: step a warm-up as often as it counts
weigh_terms: a weight before a term of the loss
whole_sequence: the steps of a sequence as the steps of its layer
usual_start: weights that start at a deviation of 1 / √fan-in
wider: more hidden units
wider_format: compute in a format with a wider range
with_gradients: call a part where gradients are on
zero_grad: clear the gradients before the pass that begins an update
zero_infinity: let CTC leave out utterances that are too short
"""
