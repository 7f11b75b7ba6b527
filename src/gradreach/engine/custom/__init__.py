"""A cell made from any step, `gr.Cell`, by autograd.

step: the cell, a run of it, and the graph of one call of its step
unroll: the run over a sequence
linear: run and adjoint of a cell that is linear in its state, over all steps at once
form: the state of any cell as one vector a row
autograd: the adjoint, the reach map and the Jacobians of such a run
"""
