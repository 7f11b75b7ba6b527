"""Truncated backpropagation through time: advance k1 steps, carry the gradient back k2, and keep the state for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from gradreach.remedies.tbptt.arguments import length_of_pair, steps
from gradreach.remedies.tbptt.auto_k2 import AutoK2, chosen_k2
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Carry, Segment
from gradreach.remedies.tbptt.trees import detached, take
from gradreach.remedies.tbptt.truncation_bias import TruncationBias, start_of

_LAYOUT = BatchLayout()


@dataclass(frozen=True, slots=True)
class Window:
    """Steps start … stop − 1 of x: their inputs, targets and `output`, with time where x has it.

    `mask` says which of these steps count, laid out as x, and is None where all do. `state` is the state after them,
    without a graph. `k2` is how far back the gradient goes, and `bias` is what was measured to choose it, None where k2
    was given.
    """

    x: Any
    y: Any
    start: int
    stop: int
    mask: Bool[Tensor, "_ _"] | None
    state: Any
    k2: int
    bias: TruncationBias | None
    _sequence: Segment = field(repr=False)
    _past: Carry = field(repr=False)
    _output: list[Any] = field(repr=False)

    @property
    def output(self) -> Any:
        """The outputs with their graph, until the next window is asked for: two graphs are never held at once."""
        if not self._output:
            raise RuntimeError(
                f"output: expected to be read before the window after step {self.stop - 1} is asked for, which lets go "
                "of it; keep window.output itself, detached, where it is needed later"
            )
        return self._output[0]

    @property
    def carry(self) -> Carry:
        """What `state=` of the call for the next batch takes, so that its gradient reaches back into this one."""
        states = [(self.stop - at, state) for at, state in self._past.states]
        while len(states) > 1 and states[1][0] >= self.k2 - 1:
            states.pop(0)
        back = states[0][0]
        return Carry(self._past.followed_by(self._sequence, self.stop - back, self.stop).own(), tuple(states))


def tbptt(
    x: Any,
    y: Any = None,
    *,
    step: Any,
    k1: int,
    k2: int | AutoK2,
    state: Any = None,
    layout: BatchLayout = _LAYOUT,
) -> Iterator[Window]:
    """Windows of k1 steps for one update each, whose gradient goes back k2 steps: BPTT(k2; k1) of Williams, Peng 1990.

    A window runs the k2 − k1 steps in front of it again, with the weights of now, from the state that stood there, and
    then its own. So the gradient of its loss goes back over exactly these k2 steps: that of its last step over lags
    0 … k2 − 1, that of its first over k2 − k1 + 1 states. k1 = k2 runs nothing again: it is the loop that detaches the
    state. At k1 = 1 the gradient is Σ_{ℓ<k2} dW_ℓ; at larger k1 it is at least Σ_{ℓ ≤ k2 − k1} dW_ℓ, and exactly
    Σ_{ℓ<K} dW_ℓ with a gr.nn layer of truncate=K and k2 = K + k1 − 1. Without updates between, k2 ≥ k1 ⌈T / k1⌉
    gives the gradient of full BPTT. Each loss counts once; a graph is used once and then let go.

    Args:
        x, y: pytrees of tensors with time at one dimension, (T, B, …) by default. What a loss needs besides goes into
            `y`. A tensor that was made by a graph is refused: make it in `step`.
        step: a recurrent layer of torch.nn or gr.nn; nn.RNNCell, GRUCell, LSTMCell or a gr.Cell (whose output is its
            state); or any (x, state) -> (output, state) over all the steps of its x, `state` and `output` pytrees, each
            output with time where x has it. A head is best applied to `window.output`: in `step`, it runs on the steps
            that are run again, too. The step runs when a window is asked for, so that an autocast goes around the loop,
            or into `step`.
        k1, k2: steps, 1 ≤ k1 ≤ k2; a T below k1 is one window. A shorter last window goes back over its own steps and
            the k2 − k1 in front. Where k1 does not divide k2, up to k1 − 1 steps more run without a graph. A
            `gr.AutoK2` as k2 chooses it by what truncation would lose.
        state: the state before the first step. None is given to the step as it is. At a `window.state` the gradient
            stops; into a `window.carry` of the batch before it goes on. A leaf that requires a gradient (an h_0 to be
            learned) gets one; a state that was made by a graph is refused.
        layout: a `gr.BatchLayout`: where time and rows are in x, where rows end, and what they begin anew with.

    Raises TypeError or ValueError on an argument that does not fit.

    >>> import torch, gradreach as gr
    >>> model, x, y = torch.nn.LSTM(3, 8), torch.randn(100, 4, 3), torch.randn(100, 4, 8)
    >>> optimizer, state = torch.optim.SGD(model.parameters(), lr=0.1), None
    >>> for window in gr.tbptt(x, y, k1=20, k2=60, state=state, step=model):
    ...     loss = torch.nn.functional.mse_loss(window.output, window.y)
    ...     loss.backward()
    ...     optimizer.step()
    ...     optimizer.zero_grad()
    >>> window.start, window.stop, window.output.shape
    (80, 100, torch.Size([20, 4, 8]))
    >>> state = window.carry  # for the batch that follows
    """
    k1 = steps("k1", k1)
    k2 = k2 if isinstance(k2, AutoK2) else steps("k2", k2, "a whole number of steps or gr.AutoK2(loss)")
    if not isinstance(k2, AutoK2) and k2 < k1:
        raise ValueError(
            f"k2: expected at least k1 = {k1}, got {k2}: a window's own steps are always gone back over; raise k2"
        )
    recurrence = Recurrence.of(step, x, layout)
    T = length_of_pair(x, y, recurrence.dim)
    ended, counts = layout.ends_and_mask(x, recurrence.dim, T)
    sequence = Segment.of(x, recurrence.dim, ended)
    last = start_of(state)
    if isinstance(state, Carry):
        carry = state
        carry.check(x, recurrence.dim)
    else:
        carry = Carry(sequence.part(0, 0), ((0, last),))
    return _windows(recurrence, sequence, y, counts, carry, k1, k2, step)


def _windows(
    recurrence: Recurrence,
    sequence: Segment,
    y: Any,
    counts: Bool[Tensor, "_ _"] | None,
    carry: Carry,
    k1: int,
    k2: int | AutoK2,
    step: Any,
) -> Iterator[Window]:
    T, dim, bias = sequence.steps, sequence.dim, None
    if isinstance(k2, AutoK2):
        k2, bias = chosen_k2(recurrence, sequence, y, k2, k1, carry.states[-1][1], step)
    stood = deque((-back, state) for back, state in carry.states)
    shown: list[Any] = []
    for start in range(0, T, k1):
        shown.clear()  # its user still holds the window before this one
        stop = min(start + k1, T)
        first = max(start - (k2 - k1), stood[0][0])
        while len(stood) > 1 and stood[1][0] <= first:
            stood.popleft()
        at, before = stood[0]
        if at < first:
            with torch.no_grad():
                _, before = recurrence.run(carry.followed_by(sequence, at, first), before)
        output, after = recurrence.run(carry.followed_by(sequence, first, stop), before)
        if first < start:
            output = take(output, dim, start - first, stop - first)
        kept = detached(after)
        stood.append((stop, kept))
        mask = None if counts is None else counts.narrow(min(dim, 1), start, stop - start)
        inputs, targets = (None if tree is None else take(tree, dim, start, stop) for tree in (sequence.x, y))
        now = Carry(carry.past, tuple(stood))
        shown = [output]
        window = Window(inputs, targets, start, stop, mask, detached(kept), k2, bias, sequence, now, shown)
        del output, after, before  # the generator must not hold a graph while its user goes back through it
        yield window
        del window
