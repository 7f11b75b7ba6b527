"""Exact backpropagation through time under a memory limit: segments run again when the gradient comes back to them."""

from __future__ import annotations

from typing import Any

import torch

from gradreach.record.byte_sizes import bytes_of
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.memory import fitting, footprint
from gradreach.remedies.tbptt.outside import Outside
from gradreach.remedies.tbptt.plan import Plan, even
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.replay import replayed
from gradreach.remedies.tbptt.segment import Segment, last_state
from gradreach.remedies.tbptt.trees import module_of


def bptt(
    x: Any, *, step: Any, state: Any = None, memory: int | str | None = None, dim: int | None = None
) -> tuple[Any, Any]:
    """Run `step` over all of x for one exact backward pass through time, by checkpointing (Chen et al. 2016).

    Only states between segments are kept, and every segment is run once more when the gradient comes back to it. So
    gradients are those of full BPTT, through x and `state` too, one forward pass dearer. Without `memory` segments have
    about √T steps. With `memory`, bytes or a text like "512MB" or "2GiB", all is one plain pass where that fits. Else
    segments have the most steps that fit, and where no length does, states are found again level by level, one more
    forward pass for each (Griewank and Walther 2000).

    `memory` is how far the process may grow at the peak of this call, a loss on its output and the backward pass.
    Counted are the output and its gradient; states; a segment with its graph, 1.4 kB for each of autograd's nodes
    beside its tensors; the gradients by parameters, and by x and `state` where asked for; four more tensors of the
    output's size for the loss, as many as output.square().mean() holds for a moment; and 1 MiB for the allocator. A
    loss or a head that holds more is yours to count. So are x, targets, parameters and the optimizer. A segment's part
    is an estimate from short ones, of 64 steps at most; what a kernel allocates for itself is not seen. What a pass has
    freed is given back to the system where the C library can. Second derivatives hold the graph of all T steps.

    `x` and `step` are as in `tbptt`, `dim` as in `BatchLayout`; x and state may have a graph. Of a `window.carry` the
    last state is taken, at which the gradient stops. Returns (output, state) as `step` would for the whole. Dropout is
    drawn segment by segment, the same when run again, and buffers such as running statistics change once. To see what
    it takes, `step` is first run on a few steps. Raises TypeError or ValueError on an argument that does not fit, and
    ValueError, with the least figure possible, where nothing stays under `memory`. The backward pass raises
    RuntimeError where a `step` that is no module uses other parameters than at its first step.

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
    if T == 1 and limit is None:
        return recurrence.run(sequence, state)
    outside = Outside.of(recurrence, sequence, state, step)
    plan: Plan | None = even(T, outside.longest)
    if limit is not None:
        plan = fitting(footprint(recurrence, sequence, state, step, outside, limit), T, limit)
    if plan is None:
        return recurrence.run(sequence, state)
    return replayed(recurrence, sequence, state, plan, outside, module, limit is not None)
