"""The lenses of a watched step, one file each; `gradreach.watch.lens` says what a lens is.

depth: what each leaf module puts out, and what gradient comes back to it
recurrent_layers: the gradient through time of stock recurrent layers and cells
rank_weights: the weights that a recurrent layer ran with on one rank of several, and their gradients there
recurrent_calls: one call of a stock layer or cell, and the sequences that calls make
recurrent_parts: the parts of a batch that are looked at one after another, where the whole has no room
recurrent: the calls of stock recurrent layers and cells, and the engine run beside them
faded_layers: sequences of stock layers whose adjoint nears the smallest normal number
loops: the gradient through time of recurrences that a script writes itself, as modules that it calls in a loop
unrolled_loops: the same of loops and scans that no module shows
detached_states: recurrent states that come back without their history
stepped_states: whether each step of a recurrent module begins from the same state
chunk_seams: whether the chunks of a recurrent layer go on where those before ended, and from which state
feedforward: how far back the input moves the error of a model without a recurrence
skip_connections: whether sums join a value with something computed from it
carried_graph: how much of the graph was made before the look before
hidden_parts: parts with a gradient that `parameters()` does not hold
zero_gradients: the parameters whose gradient is exactly 0, and the operation at which it becomes so
stopped_gradient: why an operation passed nothing on
copied_units: layers whose units are copies of one another
linear_maps: layers that follow one another with nothing between them that is not linear
unmoved: the parameters that got a gradient and did not move since the look before
parameter_prints: whether the values of a parameter are those of another time or place
given_data: how large the data are that the layers with weights are given
read_rows: along which axis the rows of the loss read a layer
inverted_masks: attentions that ignore exactly the places that hold data
added_masks: masks that add next to nothing to the scores
idle_masks: masks whose places get weight all the same
mixed_rows: whether rows of the batch feed one another, by a softmax over them or by a view
place_codes: whether the code of places counts the rows of the batch
padding: values that fill up the ends of sequences
alike_rows: whether all rows of a batch are the same
unheard_backwards: modules with a backward pass of their own that autograd does not know
loss_terms: how hard each term of a loss pulls at the weights that it shares with the others
cut_outputs: what models are given of one another without its graph
penalties: the layers that a loss leads to by a penalty alone
losses: which outputs the loss holds against which targets, and how both lie
leaky_factors: outputs that are held against targets and weigh log-probabilities too, and how hard each pulls
alignments: what classes the targets of a CTC loss hold, and what it is given as log-probabilities
copied_targets: whether the targets are what the model is just given
target_order: whether the targets go through batch and time in the order in which the outputs do
single_values: normalisations over one value each
outputs: whether the root modules put out something else for each row
dropouts: what drops half of what passes through it, or more
modes: whether models run in training mode, and whether batch norms keep statistics
discarded_results: calls of modules whose results are thrown away
discarded_operations: statements that make a tensor by an operation and throw it away
fleeting_parts: modules with weights that a forward pass makes for itself
half_gradients: what a backward pass in float16 loses below its smallest number
subnormals: where the gradient ends in numbers below the smallest normal one, and what they cost there
without_gradient: the parameters that ask for a gradient and have none
"""
