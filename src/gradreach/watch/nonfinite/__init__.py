"""Where a value that is not finite began: the graph is read while it is whole, and the step that went wrong run again.

alarm: when a step is taken for broken, and what is written then
origin: where the first non-finite value of a step came from
graph_reading: the script's own graph, read before its backward pass
saved_values: what the nodes of that graph saved
landmarks: operations between the models and the loss whose slope can be infinite, and what they were given
kept_calls: what is kept of every step, so that it can be run again
call_replay: one root call, run again, with every operation seen
operations: what operations are called, and why their results are not finite
singular_points: where an operation is finite and its slope is not
spoiled_weights: why an update made weights non-finite
divided: by what rows or columns that are NaN were divided before the model
source_lines: the script's own line of an operation
values: what stands in a tensor
"""
