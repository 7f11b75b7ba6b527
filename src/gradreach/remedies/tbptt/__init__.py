"""Truncated and exact backpropagation through time, over a step of any kind.

allocator: what was freed is given back to the system.
arguments: checks of sequences, states and counts of steps, made before anything runs on them.
auto_k2: `gr.AutoK2`, k2 chosen by what truncation would lose.
batch_layout: `gr.BatchLayout`, where time and rows are, and where rows end.
bptt: `gr.bptt`, exact backpropagation through time under a memory limit.
memory: how many bytes passes over segments of a sequence take.
outside: what the gradient of a step goes to beside x and state.
plan: between which steps of a sequence states are kept.
recurrence: a step of any kind, run over segments whose rows may end anywhere.
replay: a recurrence run without a graph, whose segments are run again.
segment: consecutive steps of a sequence, and what the next batch needs of them.
surroundings: under what a forward pass runs, autocast and random numbers.
tbptt: `gr.tbptt`, windows of k1 steps whose gradient goes back k2 steps.
trees: trees of tensors, and running a step without leaving a trace.
truncation_bias: `gr.truncation_bias`, what truncation would lose.
"""
