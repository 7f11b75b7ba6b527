"""The stock cells: one step forward, its local derivatives, and one step of the adjoint back, in closed form.

Symbols: T steps, B rows, I inputs, H units, P carried size of h (P = H unless the LSTM projects), G gates.
A run is in the recurrence's own order; a reverse direction runs the data backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor

Kind = Literal["RNN_TANH", "RNN_RELU", "RNN_SIGMOID", "GRU", "LSTM"]
GATES: dict[Kind, int] = {"RNN_TANH": 1, "RNN_RELU": 1, "RNN_SIGMOID": 1, "GRU": 3, "LSTM": 4}
GAMMA: dict[Kind, float] = {"RNN_TANH": 1.0, "RNN_RELU": 1.0, "RNN_SIGMOID": 0.25}
"""γ, the bound of the activation's derivative, of the kinds that have one activation."""
NORM_EPSILON = 1e-5
"""Added to the variance under a layer norm's root, as in torch.nn.LayerNorm."""


@dataclass(frozen=True, slots=True)
class CellWeights:
    """The weights of one direction of one layer, in torch's layout: (G·H, I), (G·H, P), (G·H,), (G·H,), (P, H).

    `gain_ih`, `gain_hh` are there where the cell normalises: each gate's W_ih x_t and W_hh h_{t−1} are brought to mean
    0 and variance 1 over its H units and multiplied by the gain, before the biases (Ba et al. 2016, equations 20 and
    21, without the norm of c).
    """

    w_ih: Float[Tensor, "GH I"]
    w_hh: Float[Tensor, "GH P"]
    b_ih: Float[Tensor, " GH"] | None = None
    b_hh: Float[Tensor, " GH"] | None = None
    w_hr: Float[Tensor, "P H"] | None = None
    gain_ih: Float[Tensor, " GH"] | None = None
    gain_hh: Float[Tensor, " GH"] | None = None

    def each(self, select: Callable[[Tensor], Tensor]) -> CellWeights:
        """The same weights with `select` applied to every tensor that is there."""
        parts = (getattr(self, field.name) for field in fields(self))
        return CellWeights(*(None if part is None else select(part) for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Normed:
    """Pre-activations brought to mean 0 and variance 1 over the units of each gate, and 1 / σ."""

    unit: Float[Tensor, "*n G H"]
    scale: Float[Tensor, "*n G 1"]


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run of a cell leaves behind, in the recurrence's own order.

    `h[t]`, `c[t]` are the state before step t, `h[t + 1]` after it. `gates` holds the activations: that of h for an
    RNN, (r, z, n) for a GRU, (i, f, g, o) for an LSTM. `inner` is a GRU's hidden side of n before r, an LSTM's tanh(c).
    `normed` is the hidden side's where the cell normalises.
    """

    h: Float[Tensor, "T1 B P"]
    c: Float[Tensor, "T1 B H"] | None
    gates: Float[Tensor, "T B G H"]
    inner: Float[Tensor, "T B H"] | None = None
    normed: Normed | None = None

    def each(self, select: Callable[[Tensor], Tensor]) -> Trace:
        """The same trace with `select` applied to every tensor that is there."""
        normed = None if self.normed is None else Normed(select(self.normed.unit), select(self.normed.scale))
        c, inner = (None if part is None else select(part) for part in (self.c, self.inner))
        return Trace(select(self.h), c, select(self.gates), inner, normed)


@dataclass(frozen=True, slots=True)
class Slopes:
    """The local derivatives of one or more steps; all zero where a row is not active, so that no adjoint passes.

    `gate[..., j, :]` is the derivative of the new state with respect to gate j's pre-activation on the hidden side: of
    h for RNN and GRU, of c for the LSTM's i, f, g, of o∘tanh(c) for its o. `carry` is the state's direct path past the
    gates (GRU z for h, LSTM f for c). `cell` is ∂(o∘tanh(c))/∂c. `entry` is ∂h/∂a_n on the input side of a GRU, where
    the hidden side has r in between. `unit`, `scale` are the hidden side's `Normed`, where the cell normalises.
    """

    gate: Float[Tensor, "*n G H"]
    carry: Float[Tensor, "*n H"] | None = None
    cell: Float[Tensor, "*n H"] | None = None
    entry: Float[Tensor, "*n H"] | None = None
    unit: Float[Tensor, "*n G H"] | None = None
    scale: Float[Tensor, "*n G 1"] | None = None

    def each(self, select: Callable[[Tensor], Tensor]) -> Slopes:
        """The same slopes with `select` applied to every tensor that is there."""
        parts = (self.gate, self.carry, self.cell, self.entry, self.unit, self.scale)
        return Slopes(*(None if part is None else select(part) for part in parts))  # type: ignore[arg-type]


def gate_adjoint(
    kind: Kind,
    weights: CellWeights,
    slopes: Slopes,
    dh: Float[Tensor, "*n P"],
    dc: Float[Tensor, "*n H"] | None = None,
    out: Float[Tensor, "*n G H"] | None = None,
) -> tuple[Float[Tensor, "*n G H"], Float[Tensor, "*n H"] | None]:
    """The adjoint of what stands in the gates on the hidden side (after its norm, where there is one), and the total
    adjoint of c, from those of the state after the step."""
    if kind != "LSTM":
        return torch.mul(dh.unsqueeze(-2), slopes.gate, out=out), None
    dm = dh if weights.w_hr is None else dh @ weights.w_hr
    dc = torch.addcmul(cast(Tensor, dc), dm, cast(Tensor, slopes.cell))
    g = torch.empty_like(slopes.gate, memory_format=torch.contiguous_format) if out is None else out
    torch.mul(dc.unsqueeze(-2), slopes.gate[..., :3, :], out=g[..., :3, :])
    torch.mul(dm, slopes.gate[..., 3, :], out=g[..., 3, :])
    return g, dc


def pull(
    kind: Kind,
    weights: CellWeights,
    slopes: Slopes,
    dh: Float[Tensor, "*n P"],
    dc: Float[Tensor, "*n H"] | None = None,
    out: Float[Tensor, "*n G H"] | None = None,
) -> tuple[Float[Tensor, "*n G H"], Float[Tensor, "*n P"], Float[Tensor, "*n H"] | None]:
    """One step of the adjoint: from that of the state after a step to that of the state before it.

    (h, c) are independent carried states: dc leaves out what reaches c through h of the same step. Any leading
    dimensions serve, so that one row block is a sweep and (anchors, rows) a reach map. Returns the adjoint of
    W_hh h_{t−1} (written to `out` where given), then that of h and c before the step.
    """
    g, dc = gate_adjoint(kind, weights, slopes, dh, dc, out)
    if slopes.unit is not None and slopes.scale is not None:
        g = norm_adjoint(g, Normed(slopes.unit, slopes.scale), cast(Tensor, weights.gain_hh), out=out)
    before = g.flatten(-2) @ weights.w_hh
    if kind == "GRU":
        before.addcmul_(dh, cast(Tensor, slopes.carry))
    return g, before, None if dc is None else dc.mul_(cast(Tensor, slopes.carry))


def normalise(a: Float[Tensor, "*n GH"], gates: int) -> Normed:
    """(a − μ) / σ over the units of each gate, σ² = variance + 1e-5."""
    a = a.unflatten(-1, (gates, -1))
    centred = a - a.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + NORM_EPSILON).rsqrt()
    return Normed(centred * scale, scale)


def norm_adjoint(
    g: Float[Tensor, "*n G H"], normed: Normed, gain: Float[Tensor, " GH"], out: Float[Tensor, "*n G H"] | None = None
) -> Float[Tensor, "*n G H"]:
    """The adjoint of a from that of gain ∘ (a − μ) / σ: (v − mean v − u mean(v ∘ u)) / σ, v = gain ∘ g, u normed."""
    v = g * gain.view(normed.unit.shape[-2:])
    along = (v * normed.unit).mean(-1, keepdim=True)
    return torch.mul(v - v.mean(-1, keepdim=True) - normed.unit * along, normed.scale, out=out)


def entry_bias(kind: Kind, w: CellWeights) -> Float[Tensor, " GH"] | None:
    """Both biases in one, but for a GRU's b_hn, which r multiplies."""
    if w.b_hh is None:
        return w.b_ih
    inner = w.b_hh
    if kind == "GRU":
        H = w.w_hh.shape[1]
        inner = torch.cat([inner[: 2 * H], inner.new_zeros(H)])
    return inner if w.b_ih is None else w.b_ih + inner


def slopes_of(kind: Kind, trace: Trace) -> Slopes:
    """The local derivatives of every step of a run. They are made in new memory: a trace may be read again."""
    gates = trace.gates
    if kind in _RNN_SLOPE:
        slopes = Slopes(_RNN_SLOPE[kind](gates))
    else:
        gate = torch.empty_like(gates)
        other = torch.empty_like(trace.gates[:, :, 0], memory_format=torch.contiguous_format)
        for s in _blocks(gates):
            (_gru_slopes if kind == "GRU" else _lstm_slopes)(trace, gate, other, s)
        carry = gates[:, :, 1]
        slopes = Slopes(gate, carry, entry=other) if kind == "GRU" else Slopes(gate, carry, cell=other)
    if trace.normed is None:
        return slopes
    return Slopes(slopes.gate, slopes.carry, slopes.cell, slopes.entry, trace.normed.unit, trace.normed.scale)


_RNN_SLOPE: dict[Kind, Callable[[Tensor], Tensor]] = {
    "RNN_TANH": lambda y: torch.addcmul(y.new_ones(()), y, y, value=-1.0),
    "RNN_RELU": lambda y: (y > 0).to(y.dtype),
    "RNN_SIGMOID": lambda y: torch.addcmul(y, y, y, value=-1.0),
}


def _gru_slopes(trace: Trace, gate: Tensor, entry: Tensor, s: slice) -> None:
    (r, z, n), (d_r, d_z, d_n) = trace.gates[s].unbind(2), gate[s].unbind(2)
    torch.mul(1 - z, 1 - n * n, out=entry[s])
    torch.sub(trace.h[:-1][s], n, out=d_z).mul_(z).mul_(1 - z)
    torch.mul(entry[s], cast(Tensor, trace.inner)[s], out=d_r).mul_(r).mul_(1 - r)
    torch.mul(entry[s], r, out=d_n)


def _lstm_slopes(trace: Trace, gate: Tensor, cell: Tensor, s: slice) -> None:
    (i, f, g, o), (d_i, d_f, d_g, d_o) = trace.gates[s].unbind(2), gate[s].unbind(2)
    squashed = cast(Tensor, trace.inner)[s]
    torch.mul(g * i, 1 - i, out=d_i)
    torch.mul(cast(Tensor, trace.c)[:-1][s] * f, 1 - f, out=d_f)
    torch.mul(i, 1 - g * g, out=d_g)
    torch.mul(squashed * o, 1 - o, out=d_o)
    torch.mul(o, 1 - squashed * squashed, out=cell[s])


def _blocks(each: Tensor) -> Iterator[slice]:
    """Stretches of steps that stay in the cache: temporaries over all steps cost more in page faults than in sums."""
    T = each.shape[0]
    length = max(1, 2**16 // max(each[:1, :, 0].numel(), 1))
    return (slice(t, t + length) for t in range(0, T, length))
