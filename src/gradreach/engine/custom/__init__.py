"""A cell made from any step, `gr.Cell`, by autograd.

step: the cell, its run over a sequence, and the graph of one call of its step
form: the state of any cell as one vector a row
autograd: the adjoint, the reach map and the Jacobians of such a run
"""
