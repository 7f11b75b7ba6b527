"""A cell is run over a whole sequence, and the adjoint is swept back over it, in one loop over time each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from gradreach.engine.cells.cell import (
    CellWeights,
    Slopes,
    StockCell,
    Trace,
    in_cache,
    norm_adjoint,
    normalise,
    pull,
    slopes_of,
)
from gradreach.engine.forward import active_rows, advance, input_side, shortcut_of
from gradreach.engine.linear_recurrence import accumulate_


@dataclass(frozen=True, slots=True)
class Remedies:
    """What may alter a recurrence or its adjoint.

    `skip` is the length of the state's shortcut (see `forward.shortcut_of`), 0 for none. Each row's adjoint of
    (h_t, c_t) is scaled down to the 2-norm `clip` where it is larger, at every step. `truncate` is k2, the number of
    states over which an error is carried back; None for all of them.
    """

    skip: int = 0
    clip: float = math.inf
    truncate: int | None = None


UNREMEDIED = Remedies()


@dataclass(frozen=True)
class Unroll:
    """One direction of one layer, run over a whole sequence; every tensor is in the recurrence's own order.

    `sizes[t]` rows, the first ones, are active at step t; None where all are. At steps where a row is not active its
    states mean nothing and its slopes are 0.
    """

    cell: StockCell
    weights: CellWeights
    x: Float[Tensor, "T B I"]
    trace: Trace
    sizes: tuple[int, ...] | None = None
    reverse: bool = False
    remedies: Remedies = UNREMEDIED

    def in_data_order(self, run: Shaped[Tensor, "T ..."]) -> Shaped[Tensor, "T ..."]:
        """Turn a tensor from the recurrence's order into the data's, or back: the function is its own inverse."""
        return run.flip(0) if self.reverse else run

    @property
    def h(self) -> Float[Tensor, "T1 B P"]:
        return self.trace.h

    @property
    def c(self) -> Float[Tensor, "T1 B H"] | None:
        return self.trace.c

    @property
    def gates(self) -> Float[Tensor, "T B G H"]:
        return self.trace.gates

    @property
    def active(self) -> Bool[Tensor, "T B"] | None:
        """Which rows are active at which step, in the recurrence's order; it is None where all are."""
        return None if self.sizes is None else active_rows(self.sizes, self.x.shape[1], self.x.device)

    @property
    def starts(self) -> Int[Tensor, " B"]:
        """The step at which each row begins, which is 0 except for packed rows that are run in reverse."""
        active = self.active
        if active is None or not self.reverse:
            return torch.zeros(self.h.shape[1], dtype=torch.long, device=self.h.device)
        return (~active).sum(0)

    @cached_property
    def slopes(self) -> Slopes:
        """The local derivatives of every step."""
        slopes, active = slopes_of(self.cell, self.trace), self.active
        if active is None:
            return slopes
        return slopes.each(lambda s: torch.where(active.view(*active.shape, *[1] * (s.dim() - 2)), s, 0.0))

    @cached_property
    def shortcut(self) -> Float[Tensor, "T B 1"] | None:
        """The share of h_{t−skip} in h_t at every step and row; None without `skip`."""
        return shortcut_of(self.remedies.skip, self.h, self.sizes) if self.remedies.skip else None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Adjoints in the recurrence's order.

    `delta`, `delta_c` are δ, of the state after every step, 0 where a row is not active; of a compiled sweep that was
    not asked for it, `delta` may be of the first step alone. `g` is the adjoint of W_hh h_{t−1} (see `pull`), `entry`
    that of a GRU's W_in x_t; `dh_0`, `dc_0` are those of the initial state.
    """

    delta: Float[Tensor, "D B P"]
    delta_c: Float[Tensor, "T B H"] | None
    g: Float[Tensor, "T B G H"]
    entry: Float[Tensor, "T B H"] | None
    dh_0: Float[Tensor, "B P"]
    dc_0: Float[Tensor, "B H"] | None

    @staticmethod
    def of(run: Unroll, dh: Float[Tensor, "T1 B P"], dc: Float[Tensor, "T1 B H"] | None, g: Tensor) -> Sweep:
        """Make a sweep from the adjoints of the states before each step and after the last one."""
        rows = torch.arange(dh.shape[1], device=dh.device)
        dh_0, dc_0 = dh[run.starts, rows], None if dc is None else dc[run.starts, rows]
        active = run.active
        delta, delta_c = dh[1:], None if dc is None else dc[1:]
        if active is not None:
            delta = delta * active.unsqueeze(-1)
            delta_c = None if delta_c is None else delta_c * active.unsqueeze(-1)
        entry = None
        if run.cell.inner_gate is not None:
            entry = cast(Tensor, run.slopes.entry) * to_cell(run, delta)
        return Sweep(delta, delta_c, g, entry, dh_0, dc_0)


def unroll(
    cell: StockCell,
    weights: CellWeights,
    x: Float[Tensor, "T B I"],
    h_0: Float[Tensor, "B P"],
    c_0: Float[Tensor, "B H"] | None = None,
    *,
    sizes: Sequence[int] | None = None,
    reverse: bool = False,
    remedies: Remedies = UNREMEDIED,
) -> Unroll:
    """Run one cell over x, which is given in the data's time order.

    The input product is one matrix product outside the loop; the loop writes into preallocated buffers. `sizes[t]` is
    the number of active rows at step t of the data (see `Unroll`).
    """
    x = x.flip(0) if reverse else x
    run_sizes = None if sizes is None else tuple(reversed(sizes) if reverse else sizes)
    pre = input_side(cell, weights, x)
    trace = advance(cell, weights, pre, h_0, c_0, run_sizes, remedies.skip)
    return Unroll(cell, weights, x, trace, run_sizes, reverse, remedies)


def last_state(run: Unroll, states: Float[Tensor, "T1 B F"]) -> Float[Tensor, "B F"]:
    """Each row's state after its own last step."""
    active = run.active
    if active is None or run.reverse:
        return states[-1]
    return states[active.sum(0), torch.arange(states.shape[1], device=states.device)]


def sweep(run: Unroll, error: Float[Tensor, "T B P"], error_c: Float[Tensor, "T B H"] | None = None) -> Sweep:
    """Compute δ_t = e_t + J_{t+1}ᵀ δ_{t+1} from the last step down, and clip it on the way where the run says so.

    The errors are in the recurrence's order. Where no gate looks at the state, all steps go at once.
    """
    T, skip, clip = run.x.shape[0], run.remedies.skip, run.remedies.clip
    if run.cell.linear and clip == math.inf and skip == 0:
        return _sweep_at_once(run, error)
    dh = torch.zeros_like(run.h)
    g = torch.empty_like(run.slopes.gate, memory_format=torch.contiguous_format)
    dc = None if run.c is None else torch.zeros_like(run.c)
    for t in reversed(range(T)):
        now = dh[t + 1].add_(error[t])
        now_c = None if dc is None else dc[t + 1] if error_c is None else dc[t + 1].add_(error_c[t])
        if clip < math.inf:
            rows = slice(None if run.sizes is None else run.sizes[t])
            _clip(now[rows], None if now_c is None else now_c[rows], clip)
        if run.shortcut is not None and t + 1 >= skip:
            dh[t + 1 - skip].addcmul_(now, run.shortcut[t])
            now = torch.addcmul(now, now, run.shortcut[t], value=-1.0)
        at = run.slopes.each(lambda s, t=t: s[t])  # type: ignore[misc]
        _, before, before_c = pull(run.cell, run.weights, at, now, now_c, out=g[t])
        dh[t].add_(before)
        if dc is not None and before_c is not None:
            dc[t] = before_c
    return Sweep.of(run, dh, dc, g)


def _sweep_at_once(run: Unroll, error: Float[Tensor, "T B P"]) -> Sweep:
    """`sweep` where the state is linear and nothing is done to its adjoint on the way."""
    carry, active = cast(Tensor, run.trace.inner), run.active
    dh = torch.cat([torch.zeros_like(run.h[:1]), error])
    accumulate_(carry if active is None else torch.where(active.unsqueeze(-1), carry, 0.0), dh, reverse=True)
    g = torch.empty_like(run.gates, memory_format=torch.contiguous_format)
    for s in in_cache(run.gates):
        run.cell.gate_adjoint(run.weights, run.cell.slopes(run.trace.steps(s)), dh[1:][s], None, g[s])
    if active is not None:
        g.masked_fill_(~active[..., None, None], 0.0)
    return Sweep.of(run, dh, None, g)


def to_cell(run: Unroll, delta: Float[Tensor, "T B P"]) -> Float[Tensor, "T B P"]:
    """The part of δ that reaches the cell's own output, which is all but the shortcut's share."""
    return delta if run.shortcut is None else torch.addcmul(delta, delta, run.shortcut, value=-1.0)


def parameter_gradients(run: Unroll, back: Sweep) -> tuple[dict[str, Tensor], Float[Tensor, "T B GH"]]:
    """Compute the gradients of the weights from the adjoints of all steps, with one matrix product each.

    Returns the gradients of those that there are by torch's names without layer and direction (weight_ih, weight_hh,
    bias_ih, bias_hh, weight_hr, and gain_ih, gain_hh), and the adjoint of W_ih x_t, for which `back.g` may be
    overwritten.
    """
    cell, w, g = run.cell, run.weights, back.g
    grads: dict[str, Tensor] = {}
    if w.w_hh is not None:
        grads["weight_hh"] = _outer(g.flatten(2), run.h[:-1])
    if cell.unprojected is not None and w.w_hr is not None:
        grads["weight_hr"] = _outer(to_cell(run, back.delta), cell.unprojected(run.trace))
    if run.trace.normed is not None:
        g, _ = cell.gate_adjoint(w, run.slopes, to_cell(run, back.delta), back.delta_c, None)
        grads["gain_hh"] = _total((g * run.trace.normed.unit).flatten(2))
    if w.b_hh is not None:
        grads["bias_hh"] = _total(g.flatten(2))
    if back.entry is not None and cell.inner_gate is not None:
        g[:, :, cell.inner_gate] = back.entry
    if w.b_ih is not None:
        grads["bias_ih"] = (
            grads["bias_hh"].clone() if back.entry is None and w.b_hh is not None else _total(g.flatten(2))
        )
    if w.gain_ih is not None:
        normed = normalise(run.x @ w.w_ih.t(), cell.gates)
        grads["gain_ih"] = _total((g * normed.unit).flatten(2))
        g = norm_adjoint(g, normed, w.gain_ih)
    entering = g.flatten(2)
    grads["weight_ih"] = _outer(entering, run.x)
    return grads, entering


def _clip(dh: Tensor, dc: Tensor | None, most: float) -> None:
    size = torch.linalg.vector_norm(dh, dim=-1, keepdim=True)
    if dc is not None:
        size = torch.hypot(size, torch.linalg.vector_norm(dc, dim=-1, keepdim=True))
    scale = (most / size).clamp(max=1.0)  # 0 / 0 is no concern: most > 0
    dh.mul_(scale)
    if dc is not None:
        dc.mul_(scale)


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Σ over steps and rows of left ⊗ right."""
    return left.flatten(0, 1).t() @ right.flatten(0, 1)


def _total(each: Tensor) -> Tensor:
    """Σ over steps and rows, as a matrix product, which is several times faster than a strided sum."""
    flat = each.flatten(0, 1)
    return flat.new_ones(flat.shape[0]) @ flat
