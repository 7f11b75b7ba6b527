"""The forward loops over time: one a kind of cell, all buffers made outside."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradreach.engine.cells import GATES, CellWeights, Kind, Normed, Trace, entry_bias, normalise


def active_rows(sizes: Sequence[int], rows: int, device: torch.device) -> Bool[Tensor, "T B"]:
    """Row b is active at step t where b < sizes[t]: packed sequences lie sorted, the longest first."""
    counts = torch.tensor(tuple(sizes), device=device, dtype=torch.long)
    return torch.arange(rows, device=device) < counts[:, None]


def shortcut_of(skip: int, h: Float[Tensor, "T1 B P"], sizes: Sequence[int] | None) -> Float[Tensor, "T B 1"]:
    """The share w of h_{t−skip} in h_t = (1 − w) · cell + w · h_{t−skip}: ½, and 0 where a row has not run so far.

    States are counted from h_0, the initial one.
    """
    T, B = h.shape[0] - 1, h.shape[1]
    after = torch.arange(1, T + 1, device=h.device)[:, None]
    if sizes is not None:
        after = active_rows(sizes, B, h.device).cumsum(0)
    return torch.where(after >= skip, 0.5, 0.0).to(h.dtype).expand(T, B)[..., None]


def input_side(kind: Kind, w: CellWeights, x: Float[Tensor, "T B I"]) -> Float[Tensor, "T B GH"]:
    """W_ih x_t, normalised where the cell does that, and the biases, for all steps in one matrix product."""
    T, B, _ = x.shape
    flat, bias = x.reshape(T * B, x.shape[-1]), entry_bias(kind, w)
    if w.gain_ih is not None:
        pre = normalise(flat @ w.w_ih.t(), GATES[kind]).unit.flatten(-2) * w.gain_ih
        pre = pre if bias is None else pre.add_(bias)
    else:
        pre = flat @ w.w_ih.t() if bias is None else torch.addmm(bias, flat, w.w_ih.t())
    return pre.view(T, B, pre.shape[-1])


def advance(
    kind: Kind,
    weights: CellWeights,
    pre: Float[Tensor, "T B GH"],
    h_0: Float[Tensor, "B P"],
    c_0: Float[Tensor, "B H"] | None = None,
    sizes: Sequence[int] | None = None,
    skip: int = 0,
) -> Trace:
    """The loop over time, from the input side's pre-activations, which become the gates in place.

    `sizes[t]` rows, the first ones, take step t; None where all do.
    """
    T = pre.shape[0]
    h = _states(h_0, T, sizes)
    c = None if c_0 is None else _states(c_0, T, sizes)
    hidden_side, normed = _hidden_side(weights, pre, GATES[kind])
    run = _Run(weights, pre, h, c, sizes, hidden_side, _shorten(skip, h, sizes))
    inner = _LOOP[kind](run)
    return Trace(h, c, pre.unflatten(-1, (GATES[kind], -1)), inner, normed)


HiddenSide = Callable[[int, Tensor, Tensor | None, Tensor], None]


@dataclass(frozen=True, slots=True)
class _Run:
    """What a loop works on. `hidden_side(t, before, onto, out)` writes step t's W_hh h_{t−1}, added to the input side
    where that is given as `onto`; `shorten(t, after)` mixes h_{t−skip} into a new state."""

    weights: CellWeights
    pre: Tensor
    h: Tensor
    c: Tensor | None
    sizes: Sequence[int] | None
    hidden_side: HiddenSide
    shorten: Callable[[int, Tensor], None]

    def each(self, *buffers: Tensor) -> Iterator[tuple[Any, ...]]:
        """The views that every step works on, all rows or the active ones, after the step's number."""
        if self.sizes is None:
            return zip(range(len(self.pre)), *(b.unbind(0) for b in buffers), strict=True)
        parts = ([step[:n] for step, n in zip(b, self.sizes, strict=True)] for b in buffers)
        return zip(range(len(self.pre)), *parts, strict=True)


def _states(first: Tensor, T: int, sizes: Sequence[int] | None) -> Tensor:
    if sizes is None:
        states = first.new_empty((T + 1, *first.shape))
        states[0] = first
        return states
    return first.expand(T + 1, *first.shape).clone()  # a row that starts late starts from its initial state


def _hidden_side(w: CellWeights, pre: Tensor, gates: int) -> tuple[HiddenSide, Normed | None]:
    """What writes step t's hidden side, added to the input side where one is given; and what it normalised."""
    back = w.w_hh.t()
    if w.gain_hh is None:

        def product(_: int, before: Tensor, onto: Tensor | None, out: Tensor) -> None:
            if onto is None:
                torch.mm(before, back, out=out)
            else:
                torch.addmm(onto, before, back, out=out)

        return product, None
    unit = pre.new_zeros(pre.shape).unflatten(-1, (gates, -1))
    normed, gain = Normed(unit, pre.new_zeros((*unit.shape[:-1], 1))), w.gain_hh

    def normalised(t: int, before: Tensor, onto: Tensor | None, out: Tensor) -> None:
        made, n = normalise(before @ back, gates), before.shape[0]
        normed.unit[t, :n], normed.scale[t, :n] = made.unit, made.scale
        flat = made.unit.flatten(-2)
        if onto is None:
            torch.mul(flat, gain, out=out)
        else:
            torch.addcmul(onto, flat, gain, out=out)

    return normalised, normed


def _shorten(skip: int, h: Tensor, sizes: Sequence[int] | None) -> Callable[[int, Tensor], None]:
    """What mixes h_{t−skip} into a new state, in place."""
    if skip == 0:
        return lambda _t, _after: None
    share = shortcut_of(skip, h, sizes)

    def shorten(t: int, after: Tensor) -> None:
        if t + 1 >= skip:
            n = after.shape[0]
            torch.lerp(after, h[t + 1 - skip, :n], share[t, :n], out=after)

    return shorten


def _rnn(activate: Callable[[Tensor], Tensor]) -> Callable[[_Run], None]:
    """h_t = σ(W_hh h_{t−1} + W_ih x_t + b)."""

    def loop(run: _Run) -> None:
        for t, a, before, after in run.each(run.pre, run.h[:-1], run.h[1:]):
            run.hidden_side(t, before, a, a)
            after.copy_(activate(a))
            run.shorten(t, after)

    return loop


def _gru(run: _Run) -> Tensor:
    """r, z = logistic(a), n = tanh(a_n + r ∘ (W_hn h_{t−1} + b_hn)), h_t = (1 − z) ∘ n + z ∘ h_{t−1} (torch's GRU)."""
    pre, b_hh, H = run.pre, run.weights.b_hh, run.h.shape[-1]
    hidden, inner = pre.new_empty(pre.shape[1:]), torch.zeros_like(run.h[1:])
    hidden_rz, hidden_n = hidden.split([2 * H, H], dim=-1)
    gates = (pre[..., : 2 * H], pre[..., :H], pre[..., H : 2 * H], pre[..., 2 * H :])
    for t, rz, r, z, n, a_n, before, after in run.each(*gates, inner, run.h[:-1], run.h[1:]):
        rows = len(before)
        run.hidden_side(t, before, None, hidden[:rows])
        if b_hh is None:
            a_n.copy_(hidden_n[:rows])
        else:
            torch.add(hidden_n[:rows], b_hh[2 * H :], out=a_n)
        rz.add_(hidden_rz[:rows]).sigmoid_()
        n.addcmul_(r, a_n).tanh_()
        torch.lerp(n, before, z, out=after)
        run.shorten(t, after)
    return inner


def _lstm(run: _Run) -> Tensor:
    """c_t = f ∘ c_{t−1} + i ∘ g, h_t = W_hr (o ∘ tanh(c_t)), gates i, f, o logistic and g tanh (torch's LSTM)."""
    pre, c, w_hr = run.pre, cast(Tensor, run.c), run.weights.w_hr
    H = c.shape[-1]
    inner = torch.zeros_like(c[1:])
    gates = (pre, pre[..., : 2 * H], *pre.split(H, dim=-1))
    for t, a, i_f, i, f, g, o, c_was, c_now, squashed, before, after in run.each(
        *gates, c[:-1], c[1:], inner, run.h[:-1], run.h[1:]
    ):
        run.hidden_side(t, before, a, a)
        i_f.sigmoid_()
        g.tanh_()
        o.sigmoid_()
        torch.mul(f, c_was, out=c_now).addcmul_(i, g)
        torch.tanh(c_now, out=squashed)
        if w_hr is None:
            torch.mul(o, squashed, out=after)
        else:
            torch.mm(o * squashed, w_hr.t(), out=after)
        run.shorten(t, after)
    return inner


_LOOP: dict[Kind, Callable[[_Run], Tensor | None]] = {
    "RNN_TANH": _rnn(torch.tanh_),
    "RNN_RELU": _rnn(lambda a: a.clamp_min_(0.0)),
    "RNN_SIGMOID": _rnn(torch.sigmoid_),
    "GRU": _gru,
    "LSTM": _lstm,
}
