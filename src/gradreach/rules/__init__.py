"""The rules: what they find in the facts of a run, one file a code.

rule: what a rule is, and what it comes to
registry: all rules and their thresholds, ours and those of other packages
formula: what the rules' formulas share
fitting: which remedies fit a run
references: the literature that several rules rest on
through_time: what the rules on recurrent layers share
through_depth: what the rules on the gradient through depth share
data_dependency: what the rules on the data's own dependency share
non_finite_remedies: what to do about a value that is not finite
harm: what the loss shows of the harm that a fault does, or of how slowly it falls
losses: what the rules on a loss's own operation share
longer_reach: what lets the gradient come from farther back

gr101_vanishing_through_time: the gradient falls under 1 % within half of the sequence
gr102_exploding_through_time: what comes from far back outweighs what comes from near
gr103_recurrent_saturated: recurrent units sit where their activation is flat
gr104_truncation_bias: the error depends on inputs from before the chunk
gr105_state_between_chunks: the state and the data do not go on together from chunk to chunk
gr106_state_detached: a state is detached at every step
gr107_state_not_carried: each step begins from the same state
gr201_vanishing_through_depth: the early layers get no gradient
gr202_exploding_through_depth: the early layers get far too much of it
gr203_saturated: units of a hidden layer sit where their activation is flat
gr204_dead_units: units of a hidden layer are off for every sample
gr205_copied_units: the units of a layer are copies of one another
gr207_lost_input: a normalisation over single values puts out nothing of what goes in
gr206_linear_maps: linear layers in a row, which can do no more than one
gr301_non_finite: the first NaN or infinity
gr302_gradient_spikes: single norms far out of the ordinary
gr303_clips_every_step: a clipping threshold far too low
gr304_exploding_unclipped: the norm blew up and nothing clipped it
gr305_update_size: updates far too large or too small for the weights
gr306_without_gradient: parameters that never receive a gradient
gr307_zero_gradient: parameters whose gradient is exactly 0, and where it becomes so
gr308_saturated_adversary: a model trained through another one that is certain of everything
gr309_unmoved: weights that get a gradient and never move
gr310_updates_died_away: the learning rate was taken to 0 while there is still a gradient
gr311_wrong_mode: a model is trained in evaluation mode, or its batch norms keep no statistics
gr312_decayed_weights: a weight decay so strong that it, and not the loss, decides what the weights become
gr315_discarded_result: a call or an operation whose result nothing reads
gr313_large_eps: the eps of the optimizer outweighs the gradient
gr314_drops_nearly_all: dropouts leave next to nothing of the signal
gr316_rate_of_zero: the optimizer steps at a rate of 0 for a while at the start
gr317_unheard_backward: a module has a backward that autograd never calls
gr318_lost_updates: steps too short to change weights in half precision
gr319_underflow: gradients in float16 that come too close to 0
gr320_subnormal_numbers: numbers below the smallest normal one make the step slow on this CPU
gr401_nothing_beyond: past the horizon nothing is left to learn
gr402_dependency_out_of_reach: the error depends on inputs that the gradient does not reach
gr403_reached_unlearned: the gradient reaches the dependency and it is still unlearned
gr501_backward_raised: one of autograd's well-known errors, in plain words
gr502_gradients_never_cleared: the gradients of one update are still there at the next
gr503_carried_graph: the graph of a pass reaches back over the passes before
gr504_idle_clipping: clipping in a place where it limits nothing
gr505_hidden_parts: parts of a model that its optimizer cannot see
gr506_made_anew: layers that each forward pass makes anew
gr507_gradients_thrown_away: gradients that are cleared before any update is made by them
gr508_leftover_gradients: gradients that another model's pass leaves behind
gr509_missed_load: a checkpoint of which nothing was loaded
gr510_spent_loader: a loader that gives no batch any more
gr511_anew_optimizer: each step is made by a new optimizer
gr601_broadcast: each output is held against every target
gr602_probabilities_as_logits: a loss on logits, or on logarithms, is given probabilities
gr603_targets_out_of_range: targets lie outside of what the end of the network can give
gr604_constant_guess: the loss ends no lower than what the best constant guess gets
gr605_copied_target: the targets are what the model is just given
gr606_unbounded_loss: nothing bounds the loss from below
gr608_favours_the_frequent: weights of classes that follow their shares
gr609_one_target: all targets are one number
gr610_constant_part: something without a gradient is added to the loss
gr611_drowned_part: other terms of the loss outweigh one that is not learned
gr612_shifted_twice: the targets are the ids two places further on
gr613_blank_among_targets: the targets of a CTC loss hold its blank
gr614_normalised_output: the output that a loss is given comes straight from a normalisation
gr615_leaky_advantage: the advantage of a policy has a gradient into what predicts the return
gr616_penalty_alone: a part of the model that only a penalty trains
gr617_cut_off_verdict: a model that is judged by another one that is given its output without a graph
gr607_far_start: the loss begins far above what a constant guess gets
gr701_input_scale: inputs out of scale, and what comes of it
gr702_axes_exchanged: a layer runs over the batch in place of time, or a view mixes the rows
gr703_output_alike: a model puts out nearly the same for every row
gr704_alike_batch: the rows or the labels of each batch are all alike
gr705_read_after_padding: the state that the loss reads has run over padding
gr706_softmax_over_batch: a softmax runs over the samples of a batch
gr707_first_step_read: the loss reads a recurrent layer after its first step alone
gr708_padded_loss: most rows that a loss is the mean of stand at padding
gr709_inverted_mask: the mask of an attention is the wrong way round
gr710_idle_mask: masked scores are not far below the others
gr711_mixed_rows: a view makes the output of one sample of others
gr712_turned_targets: targets go through batch and time in another order than the outputs
gr713_counted_rows: positions are counted along the batch
"""
