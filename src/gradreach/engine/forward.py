"""A cell run over a sequence: the input side in one matrix product, then the kind's own loop over made buffers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradreach.engine.cells.cell import (
    CellWeights,
    HiddenSide,
    Normalisation,
    Pass,
    StockCell,
    Trace,
    entry_bias,
    normalise,
)
from gradreach.engine.linear_recurrence import accumulate_


def active_rows(sizes: Sequence[int], rows: int, device: torch.device) -> Bool[Tensor, "T B"]:
    """Row b is active at step t where b < sizes[t]: packed sequences lie sorted, the longest first."""
    counts = torch.tensor(tuple(sizes), device=device, dtype=torch.long)
    return torch.arange(rows, device=device) < counts[:, None]


def shortcut_of(skip: int, h: Float[Tensor, "T1 B P"], sizes: Sequence[int] | None) -> Float[Tensor, "T B 1"]:
    """The share w of h_{t−skip} in h_t = (1 − w) · cell + w · h_{t−skip}: it is ½, and 0 where a row began later.

    States are counted from h_0, the initial one.
    """
    T, B = h.shape[0] - 1, h.shape[1]
    after = torch.arange(1, T + 1, device=h.device)[:, None]
    if sizes is not None:
        after = active_rows(sizes, B, h.device).cumsum(0)
    return torch.where(after >= skip, 0.5, 0.0).to(h.dtype).expand(T, B)[..., None]


def input_side(cell: StockCell, w: CellWeights, x: Float[Tensor, "T B I"]) -> Float[Tensor, "T B GH"]:
    """W_ih x_t, normalised where the cell does that, and the biases, for all steps in one matrix product."""
    T, B, _ = x.shape
    flat, bias = x.reshape(T * B, x.shape[-1]), entry_bias(cell, w)
    if w.gain_ih is not None:
        pre = normalise(flat @ w.w_ih.t(), cell.gates).unit.flatten(-2) * w.gain_ih
        pre = pre if bias is None else pre.add_(bias)
    else:
        pre = flat @ w.w_ih.t() if bias is None else torch.addmm(bias, flat, w.w_ih.t())
    return pre.view(T, B, pre.shape[-1])


def advance(
    cell: StockCell,
    weights: CellWeights,
    pre: Float[Tensor, "T B GH"],
    h_0: Float[Tensor, "B P"],
    c_0: Float[Tensor, "B H"] | None = None,
    sizes: Sequence[int] | None = None,
    skip: int = 0,
) -> Trace:
    """Run the loop over time from the input side's pre-activations, which become the gates in place.

    `sizes[t]` rows, the first ones, take step t; None where all do.
    """
    T = pre.shape[0]
    h = _states(h_0, T, sizes)
    c = None if c_0 is None else _states(c_0, T, sizes)
    hidden_side, normed = _hidden_side(weights, pre, cell.gates)
    shorten = _shorten(skip, h, sizes)
    accumulate = _accumulate(h, sizes, shorten if skip else None)
    inner = cell.forward(Pass(weights, pre, h, c, sizes, hidden_side, shorten, accumulate))
    return Trace(h, c, pre.unflatten(-1, (cell.gates, -1)), inner, normed)


def _states(first: Tensor, T: int, sizes: Sequence[int] | None) -> Tensor:
    if sizes is None:
        states = first.new_empty((T + 1, *first.shape))
        states[0] = first
        return states
    return first.expand(T + 1, *first.shape).clone()  # a row that starts late starts from its initial state


def _hidden_side(w: CellWeights, pre: Tensor, gates: int) -> tuple[HiddenSide, Normalisation | None]:
    """The function that writes step t's hidden side (see `Pass`), and the normalisation that it fills, if any."""
    if w.w_hh is None:
        return _no_hidden_side, None
    back = w.w_hh.t()
    if w.gain_hh is None:

        def product(_: int, before: Tensor, onto: Tensor | None, out: Tensor) -> None:
            if onto is None:
                torch.mm(before, back, out=out)
            else:
                torch.addmm(onto, before, back, out=out)

        return product, None
    unit = pre.new_zeros(pre.shape).unflatten(-1, (gates, -1))
    normed, gain = Normalisation(unit, pre.new_zeros((*unit.shape[:-1], 1))), w.gain_hh

    def normalised(t: int, before: Tensor, onto: Tensor | None, out: Tensor) -> None:
        made, n = normalise(before @ back, gates), before.shape[0]
        normed.unit[t, :n], normed.scale[t, :n] = made.unit, made.scale
        flat = made.unit.flatten(-2)
        if onto is None:
            torch.mul(flat, gain, out=out)
        else:
            torch.addcmul(onto, flat, gain, out=out)

    return normalised, normed


def _no_hidden_side(_: int, _before: Tensor, onto: Tensor | None, out: Tensor) -> None:
    if onto is None:
        out.zero_()
    elif out is not onto:
        out.copy_(onto)


def _shorten(skip: int, h: Tensor, sizes: Sequence[int] | None) -> Callable[[int, Tensor], None]:
    """The function that mixes h_{t−skip} into a new state, in place."""
    if skip == 0:
        return lambda _t, _after: None
    share = shortcut_of(skip, h, sizes)

    def shorten(t: int, after: Tensor) -> None:
        if t + 1 >= skip:
            n = after.shape[0]
            torch.lerp(after, h[t + 1 - skip, :n], share[t, :n], out=after)

    return shorten


def _accumulate(
    h: Tensor, sizes: Sequence[int] | None, shorten: Callable[[int, Tensor], None] | None
) -> Callable[[Tensor], None]:
    """The whole loop of a kind whose gates do not look at the state (see `Pass`): step by step only with a shortcut."""

    def accumulate(carry: Tensor) -> None:
        if sizes is not None:  # a row that is not active keeps its state: one that starts late starts from its own
            active = active_rows(sizes, h.shape[1], h.device).unsqueeze(-1)
            carry = torch.where(active, carry, 1.0)
            h[1:].masked_fill_(~active, 0.0)
        if shorten is None:
            accumulate_(carry, h)
            return
        for t, (decay, before, after) in enumerate(zip(carry, h[:-1], h[1:], strict=True)):
            after.addcmul_(decay, before)
            shorten(t, after if sizes is None else after[: sizes[t]])

    return accumulate
