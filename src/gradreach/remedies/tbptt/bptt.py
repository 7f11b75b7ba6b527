"""Exact backpropagation through time under a memory limit: segments run again when the gradient comes back to them."""

from __future__ import annotations

from typing import Any

import torch

from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.memory import bytes_of, fitting, footprint
from gradreach.remedies.tbptt.plan import Plan, even
from gradreach.remedies.tbptt.reach import Reach
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.replay import replayed
from gradreach.remedies.tbptt.segment import Segment, last_state
from gradreach.remedies.tbptt.trees import module_of


def bptt(
    x: Any, *, step: Any, state: Any = None, memory: int | str | None = None, dim: int | None = None
) -> tuple[Any, Any]:
    """Run `step` over all of x for one exact backward pass through time, by checkpointing (Chen et al. 2016).

    Only the states between segments are kept, and each segment but the last is run once more when the gradient comes
    back to it. So gradients are those of full BPTT, through x and `state` too, at most one forward pass dearer. Without
    `memory` segments have about √T steps. With `memory`, bytes or a text like "512MB" or "2GiB", they have the most
    that fit, all T where these do: what the call and its backward pass hold beyond x and the parameters, outputs and
    gradients included, should stay under it. This is an estimate from short segments, which a short T may exceed by a
    tenth or so. What a kernel allocates for itself and autograd's own nodes, a few kB a step where torch unrolls a
    layer on a CPU, are not seen.

    `x` and `step` are as in `tbptt`, `dim` as in `BatchLayout`; x and state may have a graph. Of a `window.carry` the
    last state is taken, at which the gradient stops. Returns (output, state) as `step` would for the whole. Dropout is
    drawn segment by segment, the same when run again, and buffers such as running statistics change once. Raises
    TypeError or ValueError on an argument that does not fit, and ValueError, with the least figure possible, where no
    segment length stays under `memory`.

    >>> import torch, gradreach as gr
    >>> layer, x = torch.nn.LSTM(3, 8), torch.randn(400, 4, 3)
    >>> output, (h_n, c_n) = gr.bptt(x, step=layer)
    >>> output.square().mean().backward()
    """
    limit = None if memory is None else bytes_of(memory)
    recurrence = Recurrence.of(step, x, BatchLayout(dim=dim))
    sequence, state = Segment.of(x, recurrence.dim), last_state(state)
    T, module = sequence.steps, module_of(step)
    if not torch.is_grad_enabled():
        return recurrence.run(sequence, state)
    if T == 1:
        return recurrence.run(sequence, state)
    reach = Reach.of(recurrence, sequence, state, step)
    plan: Plan | None = even(T, reach.longest)
    if limit is not None:
        plan = fitting(footprint(recurrence, sequence, state, step, reach, limit), T, limit)
    if plan is None:
        return recurrence.run(sequence, state)
    return replayed(recurrence, sequence, state, plan, reach, module)
