"""Watches a live model, and writes what it sees as a record.

session: one process under watch; wires the parts below to the script
patches: reversible wrappings of the torch functions that tell what a script does
script_calls: what the script calls around its backward passes: clipping, scaling, loading
home: the process and the thread that are watched
grad_call: a call of `torch.autograd.grad`
asked_gradients: which of these calls train
unfollowed: ways to train that are not followed
code_making: what makes other code of the script's own, which must meet no hook
stop_run: the end of a run that was asked to stop
steps: the run's steps: counts them, keeps the last one open until the next begins
clip_place: whether a clipping call comes after the update that it should limit
ordinary_pass: a backward pass that is told at a glance
open_step: the last measured step, while its numbers are on their way
look_plan: which backward passes are looked at
seldom: how often a look asks what further looks answer alike
loss_level: the level of the loss at each line that calls backward
schedule: what each next step gets, and what watching has cost
budget: the share of the wall time that watching may cost
step_watch: drives the lenses on one watched step
compiled: compiled code, and its eager form that runs beside it
eagerly: the script's code as it is written, where it is compiled otherwise
lens: what a lens is, and how all lenses are found
lenses: one file a lens
pending_looks: looks whose update is still to come
update: how far the weights moved after a watched step
sharded: the sharded parameters that whole ones stand for while a step runs
stepped: what optimizers did between a watched step and the next pass
beginnings: optimizers that are made anew at each step
optimizer_names: what an optimizer is called
value_clips: what clipping by value takes from the gradients
optimizer_states: subnormal numbers in what an optimizer keeps
layer_work: the work of layers once more, on the tensors of a step
flush_trials: which of it is timed with subnormal numbers and without them
epsilons: how large the eps of an optimizer is beside what it is added to
rounded_steps: what rounding left of a step over weights in half precision
decays: how hard weight decay pulls at the weights, beside the gradient
uncleared: whether the gradient of a watched step was cleared after its update
samples: what the question to the data rests on
nonfinite: where a value that is not finite began
guard_every_optimizer: a guard before every optimizer's step, for `gradreach run --guard`
loader_passes: passes over loaders that give no batch any more
missed_loads: checkpoints of which nothing was taken
renaming: by which change of its names a checkpoint would fit
memory: what memory a look may take beside the script's own
models: the models that a script trains, and their parameters
hidden_parts: what modules keep in containers of Python, out of torch's sight
accumulation: whether a backward pass adds on to the gradient of the one before it
backward_sites: the lines that call backward, and the parameters that each trains
frames: where the script called from, and what it calls its models
module_hooks: global hooks on every module call
module_state: whether a call of a module left anything behind in it
unread_result: whether the code that calls a module reads what it returns
thrown_away: statements whose operation makes a tensor for nothing
operation_listener: which of them ran in a forward pass
script_codes: the code that a module's class may run
ways: the ways through a function, by its bytecode
module_spans: in which module's forward each operation was made
graph: what the script's autograd graph tells
topology: the graph by numbers, in an order from the loss to the leaves
periods: what comes again and again in a row of labels
graph_loops: loops over time that no module shows, found in the graph alone
graph_scans: the same, computed for all steps at once by a cumulative sum
state_gradients: the gradients at the states of a recurrence, by passes over the script's own graph
flat_units: how many units of a recurrence sit where its tanh is flat
state_look: what a look tells of a recurrence from these gradients
loss_rows: the rows of what a loss was computed of
step_watches: makes the watch of each step that is watched
seams: where the script's graph goes on in the graph of compiled code's eager form
row_sources: layers whose rows are those of the batch, and what reads them
mixing_views: the view that mixes the rows of a batch
place_codes: codes that count along one axis of sequences, where the graph joins them
constant_codes: the same of constants, from what goes in and out of modules
comparisons: where a loss holds an output against a target
terms: the terms that a loss is the sum of
summands: the same down to the first operation that is not linear, and which of them are made of outputs alone
penalties: the layers that lead to a loss by penalties alone
loss_constant: what is left of a loss beside its comparisons
loss_targets: how the targets of a comparison lie, and what a constant gets
spreads: how the numbers of an output or a target lie
row_losses: what a comparison came to, number by number, and what a constant gets
log_densities: where a factor of a loss is made of log-probabilities
leaky_factors: outputs that a loss holds against targets and weighs log-probabilities with
normed_outputs: the least loss of an output that comes straight from a normalisation
padding_runs: where sequences are filled up to one length
ignored_keys: which keys an attention ignores
fit_of_classes: how well ids at places tell the classes there
targets_of_places: whether a loss has a target at each place of sequences
masked_fills: which scores were filled before a softmax
row_sizes: how large each row is that a layer is given, and which the loss reads
padded_rows: the rows of a loss that stand at padding
growths: by how much each product with weights makes the signal larger
tensors: the tensors in whatever a module is given or returns, and which of them can be measured
host_numbers: numbers on their way from the device to the host
own_work: the fence around our own work, whose errors end in the record's notes
tracebacks: the script's tracebacks, without frames of ours
launch: `gradreach run`
"""
