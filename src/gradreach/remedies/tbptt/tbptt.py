"""Truncated backpropagation through time: advance k1 steps, carry the gradient back k2, keep the state for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.utils._pytree import tree_leaves

from gradreach.engine.cells.custom.form import name_of, varies
from gradreach.remedies.arguments import length_of_pair, steps, tensor_of
from gradreach.remedies.tbptt.sequence import Carry, Recurrence, Stretch, detached, take
from gradreach.remedies.tbptt.truncation_bias import Loss, TruncationBias, check_loss, measure, start_of

_ENOUGH = 32, 256
"""Windows, and steps, on which k2="auto" measures: whichever is more."""


@dataclass(frozen=True, slots=True)
class Window:
    """Steps start … stop − 1 of x: their inputs, targets and `output`, with time where x has it.

    `mask` says which of these steps count, laid out as x, None where all do. `state` is the state after them, without
    a graph. `k2` is how far back the gradient goes, `bias` what was measured to choose it, None where it was given.
    """

    x: Any
    y: Any
    start: int
    stop: int
    mask: Bool[Tensor, "_ _"] | None
    state: Any
    k2: int
    bias: TruncationBias | None
    _sequence: Stretch = field(repr=False)
    _past: Carry = field(repr=False)
    _output: list[Any] = field(repr=False)

    @property
    def output(self) -> Any:
        """With its graph, until the next window is asked for: two graphs are never held at once."""
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
        return Carry(_between(self._past.past, self._sequence, self.stop - back, self.stop).own(), tuple(states))


def tbptt(
    x: Any,
    y: Any = None,
    *,
    step: Any,
    k1: int,
    k2: int | Literal["auto"],
    state: Any = None,
    dim: int | None = None,
    lengths: Int[Tensor, " B"] | Sequence[int] | None = None,
    ends: Bool[Tensor, "_ _"] | Sequence[Sequence[bool]] | None = None,
    initial: Any = None,
    batch_dim: int | None = None,
    loss: Loss | None = None,
    tolerance: float = 0.05,
) -> Iterator[Window]:
    """Windows of k1 steps for one update each, whose gradient goes back k2 steps: BPTT(k2; k1) of Williams, Peng 1990.

    A window runs the k2 − k1 steps in front of it again, with the weights of now, from the state that stood there, and
    its own. So the gradient of its loss goes back over exactly these k2 steps: that of its last step over lags
    0 … k2 − 1, that of its first over k2 − k1 + 1 states. k1 = k2 runs nothing again: it is the loop that detaches the
    state. At k1 = 1 the gradient is Σ_{ℓ<k2} dW_ℓ; at larger k1 it is at least Σ_{ℓ ≤ k2 − k1} dW_ℓ, and exactly
    Σ_{ℓ<K} dW_ℓ with a gr.nn layer of truncate=K and k2 = K + k1 − 1. Without updates between, k2 ≥ k1 ⌈T / k1⌉
    gives the gradient of full BPTT. Each loss counts once; a graph is used once and then let go.

    `x`, `y`: pytrees of tensors with time at `dim`, by default 0, or 1 where `step` is a layer with batch_first, or a
    module in which all recurrent layers are so. What a loss needs besides goes into `y`. A tensor made by a graph is
    refused: make it in `step`.
    `step`: a recurrent layer of torch.nn or gr.nn; nn.RNNCell, GRUCell, LSTMCell or a gr.Cell (whose output is
    its state); or any (x, state) -> (output, state) over all the steps of its x, `state` and `output` pytrees, each
    output with time at `dim`. A head is best applied to `window.output`: in `step`, it runs on steps run again, too.
    It runs when a window is asked for, so that an autocast goes around the loop, or into `step`.
    `k1`, `k2`: steps, 1 ≤ k1 ≤ k2; T < k1 is one window. A shorter last window goes back over its own steps and the
    k2 − k1 in front. Where k1 does not divide k2, up to k1 − 1 steps more run without a graph. k2="auto" takes the
    smallest of k1, 2 k1, 3 k1, 4 k1, 6 k1, … whose truncation bias is at most `tolerance`, measured with `loss`
    (output, y) on the first max(32 k1, 256) steps (see `truncation_bias`); all of these where none less is.
    `state`: before the first step; None, which the step is given as it is; a `window.state`, at which the gradient
    stops; or a `window.carry` of the batch before, into which the gradient goes on. A leaf that requires a gradient (an
    h_0 to be learned) gets one; a state made by a graph is refused.
    `lengths`, (B,): the steps of each row of a padded batch. A row shorter than T ends there, and stands at its initial
    state afterwards; a row as long as T goes on. `ends`, laid out as x's first two dimensions, (T, B) or (B, T): True
    where the row ends with this step and begins anew after it. No gradient crosses an end.
    `initial`: the state that a row begins anew with, of the state's structure and broadcast to it; zeros by default.
    `batch_dim`: where the rows lie in every leaf of the state; found from its shape by default.

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
    k1, given = _check_steps(k1, k2, loss, tolerance)
    recurrence = Recurrence.of(step, x, dim, initial, batch_dim)
    T = length_of_pair(x, y, recurrence.dim)
    ended, counts = _rows(x, recurrence.dim, T, lengths, ends)
    sequence = Stretch.of(x, recurrence.dim, ended)
    last = start_of(state)
    if isinstance(state, Carry):
        carry = state
        carry.check(x, recurrence.dim)
    else:
        carry = Carry(sequence.part(0, 0), ((0, last),))

    def choose() -> tuple[int, TruncationBias | None]:
        if given is not None:
            return given, None
        assert loss is not None
        few = sequence.part(0, min(T, max(_ENOUGH[0] * k1, _ENOUGH[1])))
        targets = None if y is None else take(y, recurrence.dim, 0, few.steps)
        bias = measure(recurrence, few, targets, step, loss, k1, last, tolerance=tolerance)
        return max(k1, bias.window(tolerance) or bias.steps), bias

    return _windows(recurrence, sequence, y, counts, carry, k1, choose)


def _windows(
    recurrence: Recurrence,
    sequence: Stretch,
    y: Any,
    counts: Bool[Tensor, "_ _"] | None,
    carry: Carry,
    k1: int,
    choose: Callable[[], tuple[int, TruncationBias | None]],
) -> Iterator[Window]:
    T, dim = sequence.steps, sequence.dim
    k2, bias = choose()
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
                _, before = recurrence.run(_between(carry.past, sequence, at, first), before)
        output, after = recurrence.run(_between(carry.past, sequence, first, stop), before)
        if first < start:
            output = take(output, dim, start - first, stop - first)
        kept = detached(after)
        stood.append((stop, kept))
        mask = None if counts is None else counts.narrow(min(dim, 1), start, stop - start)
        x, targets = (None if tree is None else take(tree, dim, start, stop) for tree in (sequence.x, y))
        now = Carry(carry.past, tuple(stood))
        shown = [output]
        window = Window(x, targets, start, stop, mask, detached(kept), k2, bias, sequence, now, shown)
        del output, after, before  # the generator must not hold a graph while its user goes back through it
        yield window
        del window


def _between(past: Stretch, sequence: Stretch, start: int, stop: int) -> Stretch:
    """Steps start … stop − 1 of the sequence, negative ones of what came before it."""
    if start >= 0:
        return sequence.part(start, stop)
    return past.part(past.steps + start, past.steps + min(stop, 0)).before(sequence.part(0, max(stop, 0)))


def _rows(
    x: Any,
    dim: int,
    T: int,
    lengths: Int[Tensor, " B"] | Sequence[int] | None,
    ends: Bool[Tensor, "_ _"] | Sequence[Sequence[bool]] | None,
) -> tuple[Bool[Tensor, "T B"] | None, Bool[Tensor, "_ _"] | None]:
    """After which steps which rows end, and which steps count, laid out as x."""
    ended = None
    if ends is not None:
        ends = tensor_of("ends", ends)
        if ends.dtype != torch.bool or ends.dim() != 2 or ends.shape[min(dim, 1)] != T:
            layout = f"({T}, B)" if dim == 0 else f"(B, {T})"
            raise ValueError(f"ends: expected a Boolean tensor {layout}, got {name_of(ends.dtype)} {tuple(ends.shape)}")
        ended = ends if dim == 0 else ends.t()
        _check_rows("ends", ended.shape[1], x, dim)
    if lengths is None:
        return ended, None
    lengths = tensor_of("lengths", lengths)
    if lengths.dim() != 1 or varies(lengths.dtype) or bool(((lengths < 0) | (lengths > T)).any()):
        raise ValueError(f"lengths: expected a number of steps from 0 to {T} for every row, got {lengths}")
    _check_rows("lengths", len(lengths), x, dim)
    time = torch.arange(T, device=lengths.device).unsqueeze(1)
    counts = time < lengths
    last = (time == lengths - 1) | (time == T - 1)  # what runs over the padding is dropped at its end
    over = last & (lengths < T)
    ended = over if ended is None else ended.to(over.device) & counts | over
    return ended, counts if dim == 0 else counts.t()


def _check_rows(name: str, B: int, x: Any, dim: int) -> None:
    found = {leaf.shape[1 - dim] for leaf in tree_leaves(x) if leaf.dim() > 1} if dim < 2 else {B}
    if B not in found:
        rows = " or ".join(map(str, sorted(found))) or "no"
        raise ValueError(
            f"{name}: expected one for each of the {rows} rows of x, got {B}; they may be of another batch"
        )


def _check_steps(k1: Any, k2: Any, loss: Any, tolerance: Any) -> tuple[int, int | None]:
    """k1 and k2, None for "auto"."""
    k1 = steps("k1", k1)
    if not isinstance(tolerance, Real) or not 0 < float(tolerance) < 1:
        raise ValueError(f"tolerance: expected a number between 0 and 1, got {tolerance!r}")
    if isinstance(k2, str) and k2 == "auto":
        if loss is None:
            raise ValueError(
                'loss: expected what k2="auto" measures with, loss(output, y) -> scalar, got None; give it'
            )
        check_loss(loss)
        return k1, None
    k2 = steps("k2", k2, 'a whole number of steps or "auto"')
    if k2 < k1:
        raise ValueError(
            f"k2: expected at least k1 = {k1}, got {k2}: a window's own steps are always gone back over; raise k2"
        )
    return k1, k2
