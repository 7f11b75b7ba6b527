"""The recurrence engine: each kind of cell is its step and its adjoint in closed form, and the rest follows.

cells: the kinds of cells, one file each
custom: a cell made from any step, by autograd (`gr.Cell`)
linear_recurrence: a recurrence that is linear in its state, over all steps at once
forward: a cell run over a sequence, its buffers made outside the loop
scan: a whole run of one direction of one layer, the adjoint swept back over it, and the gradients of its weights
compiled_scan: the same by the compiled loops of the cells
layout: between the shapes that a recurrent module speaks and the engine's (T, B, H)
call_checks: whether a call of a recurrent layer can be run, said in the caller's own words
replay: the closed form run beside a module, from the same inputs, weights, state and dropout draws
adjoint: the exact gradient at every step, from the errors at a module's outputs
subnormals: the share of numbers below the smallest normal one, as vanished adjoints are, and arithmetic without them
flush_cost: what they cost a piece of work
threads: the threads that torch computes with on a CPU
lags: the errors of many steps carried back together, all at the same lag
reach_map: how large each local error still is after every lag, and what W_hh's gradient owes to each
anchor_sample: a sample of the steps whose errors a reach map carries back, drawn so that its error can be told
reach_curve: the reach curve, its horizon and its growth per step
reach: `gr.reach`, the whole answer for one layer and direction
bounds: slopes of the activation, norms of W_hh and the growth rates of the state's Jacobian
jacobian: the state's Jacobian of every step, one row at a time
products: products of many Jacobians in log space
spectrum: `gr.spectrum`, the bound (γλ)^ℓ beside what the product of the Jacobians really does
theory: `gr.theory`, the sums of backpropagation through time written out term by term
depth: `gr.depth_spectrum`, the same for the layers of a feed-forward stack
look: all that a watched step shows of a recurrent module's gradient through time
norms: norms of many tensors in one fused pass
student_t: Student's t distribution
"""
