"""A guard around the training step: it skips what would spoil the weights, and goes back where they are spoilt.

arguments: checks of what a Guard is given, done before anything else happens.
buffers: the models' buffers as of the last good step.
checkpoint: snapshots in a folder, each whole or not there.
copies: copies of a tree of tensors in the host's memory.
events: what the guard did, as a list and in the log, and the error with which it gives up.
generators: the states of the generators of random numbers.
guard: `Guard` itself, which takes one step after another.
learning_rate: how a learning rate is lowered for good.
loss_scale: the GradScaler of a step that someone else may skip.
mismatch: what keeps a snapshot from being put back into a run.
options: the option records, `GuardPolicy` and `GuardSnapshots`.
ranks: how all ranks come to the same decision.
recovery: how the run is remembered, in memory and on disk, and set back.
run_state: all that a training run consists of, read as one tree and put back in place.
snapshot: which snapshots in memory are kept, and which of them is good.
starting_point: what the run was when the guard began.
verdict: what loss and gradient norm say of a step, and what to do about it.
"""
