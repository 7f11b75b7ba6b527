"""What a kind of cell is made of: its weights, what a run of it leaves behind, and its functions in closed form.

Symbols: T steps, B rows, I inputs, H units, P carried size of h (P = H unless the LSTM projects), G gates.
A run is in the recurrence's own order; a reverse direction runs the data backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gradreach.record.kinds import CellKind

NORM_EPSILON = 1e-5
"""Added to the variance under a layer norm's root, as in torch.nn.LayerNorm."""
_SMALL_SLOPE = 0.05
"""A tanh unit is saturated where its slope is under this share of the largest."""


@dataclass(frozen=True, slots=True)
class CellWeights:
    """The weights of one direction of one layer, in torch's layout: (G·H, I), (G·H, P), (G·H,), (G·H,), (P, H).

    `w_hh` is None for a kind whose gates do not look at the state. `gain_ih`, `gain_hh` are there where the cell
    normalises: each gate's W_ih x_t and W_hh h_{t−1} are brought to mean 0 and variance 1 over its H units and
    multiplied by the gain, before the biases (Ba et al. 2016, equations 20 and 21, without the norm of c).
    """

    w_ih: Float[Tensor, "GH I"]
    w_hh: Float[Tensor, "GH P"] | None = None
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
class Normalisation:
    """Pre-activations brought to mean 0 and variance 1 over the units of each gate, and 1 / σ."""

    unit: Float[Tensor, "*n G H"]
    scale: Float[Tensor, "*n G 1"]


@dataclass(frozen=True, slots=True)
class Trace:
    """What one run of a cell leaves behind, in the recurrence's own order.

    `h[t]`, `c[t]` are the state before step t, `h[t + 1]` after it. `gates` holds the activations in the order of the
    kind's gates. `inner` is what else the kind's derivatives need: a GRU's hidden side of n before r, an LSTM's
    tanh(c), the factor of h_{t−1} of a kind that is linear in its state. `normed` is the hidden side's normalisation
    where the cell normalises.
    """

    h: Float[Tensor, "T1 B P"]
    c: Float[Tensor, "T1 B H"] | None
    gates: Float[Tensor, "T B G H"]
    inner: Float[Tensor, "T B H"] | None = None
    normed: Normalisation | None = None

    def each(self, select: Callable[[Tensor], Tensor]) -> Trace:
        """The same trace with `select` applied to every tensor that is there."""
        normed = None if self.normed is None else Normalisation(select(self.normed.unit), select(self.normed.scale))
        c, inner = (None if part is None else select(part) for part in (self.c, self.inner))
        return Trace(select(self.h), c, select(self.gates), inner, normed)

    def steps(self, s: slice) -> Trace:
        """The trace of the steps of a slice with a start and a stop, without the hidden side's normalisation."""
        states = slice(s.start, s.stop + 1)
        c, inner = None if self.c is None else self.c[states], None if self.inner is None else self.inner[s]
        return Trace(self.h[states], c, self.gates[s], inner)


@dataclass(frozen=True, slots=True)
class Slopes:
    """The local derivatives of one or more steps; all are zero where a row is not active, so that no adjoint passes.

    `gate[..., j, :]` is the derivative of the new state with respect to gate j's pre-activation on the hidden side: of
    h, or, for an LSTM, of c for i, f, g and of o∘tanh(c) for o. `carry` is the state's direct path past the gates, of c
    where the kind has one and else of h (GRU z, LSTM f). `cell` is ∂(o∘tanh(c))/∂c. `entry` is ∂h/∂a_n on the input
    side of a GRU, where the hidden side has r in between. `unit`, `scale` are the hidden side's `Normalisation`.
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


HiddenSide = Callable[[int, Tensor, Tensor | None, Tensor], None]


@dataclass(frozen=True, slots=True)
class Pass:
    """What a kind's loop over time works on; every buffer is made before the loop.

    `pre` (T, B, G·H) is W_ih x_t with the biases that belong to it, and becomes the gates in place; `h` and `c` hold
    the initial state at 0 and are filled from 1 on. `hidden_side(t, before, onto, out)` writes step t's W_hh h_{t−1} to
    `out`, added to `onto` where that is given. `shorten(t, after)` mixes h_{t−skip} into a new state, in place.
    `accumulate(carry)`, for a kind whose gates do not look at the state, is its whole loop: it turns what step t adds
    to the state, which stands in h[t + 1], into h_{t + 1} = carry_t ∘ h_t + that, shortened, for all steps at once.
    """

    weights: CellWeights
    pre: Tensor
    h: Tensor
    c: Tensor | None
    sizes: Sequence[int] | None
    hidden_side: HiddenSide
    shorten: Callable[[int, Tensor], None]
    accumulate: Callable[[Tensor], None]

    def each(self, *buffers: Tensor) -> Iterator[tuple[Any, ...]]:
        """The views that every step works on, all rows or the active ones, after the step's number."""
        if self.sizes is None:
            return zip(range(len(self.pre)), *(b.unbind(0) for b in buffers), strict=True)
        parts = ([step[:n] for step, n in zip(b, self.sizes, strict=True)] for b in buffers)
        return zip(range(len(self.pre)), *parts, strict=True)


class CompiledLoops(NamedTuple):
    """A kind's loops over time in compiled code, for a CPU; see `gradreach.engine.compiled_scan`, which calls them.

    forward(weights, pre, h, c, skip=, threads=) fills the gates (in `pre`), h and c, and returns `Trace.inner`.
    backward(weights, trace, e, dh, dc, g, delta, skip=, clip=, threads=) takes the errors e (T, B, H) at the outputs
    and dh, dc at the end states, turns dh, dc into those of the initial states, fills g (T, B, G, H) and delta
    (T, B, H), and returns the adjoint of the input side of the kind's inner gate, where it has one.
    """

    forward: Callable[..., Tensor | None]
    backward: Callable[..., Tensor | None]


GateAdjoint = Callable[
    [CellWeights, Slopes, Tensor, Tensor | None, Tensor | None],
    tuple[Tensor, Tensor | None],
]


def through_h(
    _weights: CellWeights, slopes: Slopes, dh: Tensor, _dc: Tensor | None, out: Tensor | None
) -> tuple[Tensor, None]:
    """The adjoint of the gates of a kind that has no c: ∂L/∂h times each gate's slope."""
    return torch.mul(dh.unsqueeze(-2), slopes.gate, out=out), None


@dataclass(frozen=True)
class StockCell:
    """One kind of cell whose mathematics is written out here; a `gr.Cell` is any other, which autograd goes through.

    `forward(run)` is the loop over time; it returns `Trace.inner`, or None. `slopes(trace)` are the local derivatives
    of every step, in new memory. `gate_adjoint(weights, slopes, dh, dc, out)` is the adjoint of what stands in the
    gates on the hidden side (after its norm, where there is one), written to `out` where given, and the total adjoint
    of c, from those of the state after the step.

    `carries_c` says that the state is (h, c). `inner_gate` is the number of the gate whose hidden side another gate
    multiplies before the input side is added (a GRU's n), so that its b_hh cannot join b_ih. `linear` says that no gate
    looks at the state, h alone, so that all steps can be run at once, there (`Pass.accumulate`) and back; the factor of
    h_{t−1}, `Slopes.carry`, is then what `forward` returns. `unprojected(trace)` is
    what W_hr projects, (T, B, H). `gamma` is γ, the bound of the activation's derivative, of a kind that has a single
    activation around a single sum, for ‖∂h_t/∂h_{t−1}‖ ≤ γ ‖W_hh‖₂. `saturated(gates)` is the share of saturated
    units among (N, G, H) activations, for a kind that has such units.

    `layer` and `step` are the classes of torch.nn that compute this kind, told apart by `nonlinearity` where one class
    computes several; `kernel` is torch's own kernel of the layer. `loops()` imports the compiled loops. `about` is the
    text of the gr.nn layer of a kind that torch has no class of.
    """

    kind: CellKind
    forward: Callable[[Pass], Tensor | None]
    slopes: Callable[[Trace], Slopes]
    gate_adjoint: GateAdjoint = through_h
    carries_c: bool = False
    inner_gate: int | None = None
    linear: bool = False
    unprojected: Callable[[Trace], Tensor] | None = None
    gamma: float | None = None
    saturated: Callable[[Tensor], float] | None = None
    layer: type[nn.RNNBase] | None = None
    step: type[nn.RNNCellBase] | None = None
    nonlinearity: str = ""
    kernel: Callable[..., Any] | None = None
    loops: Callable[[], CompiledLoops] | None = None
    about: str = ""

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def gates(self) -> int:
        return len(self.kind.gates)

    @property
    def family(self) -> str:
        """The name of its layer's class in small letters: "rnn" for the RNNs of every nonlinearity."""
        return (self.name if self.layer is None else self.layer.__name__).lower()


def pull(
    cell: StockCell,
    weights: CellWeights,
    slopes: Slopes,
    dh: Float[Tensor, "*n P"],
    dc: Float[Tensor, "*n H"] | None = None,
    out: Float[Tensor, "*n G H"] | None = None,
) -> tuple[Float[Tensor, "*n G H"], Float[Tensor, "*n P"], Float[Tensor, "*n H"] | None]:
    """One step of the adjoint: from that of the state after a step to that of the state before it.

    (h, c) are independent carried states: dc leaves out what reaches c through h of the same step. Any leading
    dimensions serve, so that one row block is a sweep and (anchors, rows) a reach map. Returns the adjoint of
    W_hh h_{t−1} (written to `out` where given; of the gates where the kind has no W_hh), then that of h and c before
    the step.
    """
    g, dc = cell.gate_adjoint(weights, slopes, dh, dc, out)
    if slopes.unit is not None and slopes.scale is not None:
        normed = Normalisation(slopes.unit, slopes.scale)
        g = norm_adjoint(g, normed, cast(Tensor, weights.gain_hh), out=out)
    before = torch.zeros_like(dh) if weights.w_hh is None else g.flatten(-2) @ weights.w_hh
    if dc is not None:
        dc = dc.mul_(cast(Tensor, slopes.carry))
    elif slopes.carry is not None:
        before.addcmul_(dh, slopes.carry)
    return g, before, dc


def slopes_of(cell: StockCell, trace: Trace) -> Slopes:
    """The local derivatives of every step of a run, the hidden side's normalisation among them."""
    slopes = cell.slopes(trace)
    if trace.normed is None:
        return slopes
    return replace(slopes, unit=trace.normed.unit, scale=trace.normed.scale)


def entry_bias(cell: StockCell, w: CellWeights) -> Float[Tensor, " GH"] | None:
    """Both biases in one, but for the b_hh of an inner gate, which another gate multiplies."""
    if w.b_hh is None:
        return w.b_ih
    inner = w.b_hh
    if cell.inner_gate is not None:
        inner = inner.clone()
        inner.view(cell.gates, -1)[cell.inner_gate] = 0.0
    return inner if w.b_ih is None else w.b_ih + inner


def normalise(a: Float[Tensor, "*n GH"], gates: int) -> Normalisation:
    """(a − μ) / σ over the units of each gate, σ² = variance + 1e-5."""
    a = a.unflatten(-1, (gates, -1))
    centred = a - a.mean(-1, keepdim=True)
    scale = (centred.square().mean(-1, keepdim=True) + NORM_EPSILON).rsqrt()
    return Normalisation(centred * scale, scale)


def norm_adjoint(
    g: Float[Tensor, "*n G H"],
    normed: Normalisation,
    gain: Float[Tensor, " GH"],
    out: Float[Tensor, "*n G H"] | None = None,
) -> Float[Tensor, "*n G H"]:
    """The adjoint of a from that of gain ∘ (a − μ) / σ: (v − mean v − u mean(v ∘ u)) / σ, v = gain ∘ g, u normed."""
    v = g * gain.view(normed.unit.shape[-2:])
    along = (v * normed.unit).mean(-1, keepdim=True)
    return torch.mul(v - v.mean(-1, keepdim=True) - normed.unit * along, normed.scale, out=out)


def in_cache(gates: Float[Tensor, "T B G H"]) -> Iterator[slice]:
    """Runs of steps that stay in the cache: temporaries over all steps cost more in page faults than in sums."""
    T = gates.shape[0]
    length = max(1, 2**16 // max(gates[:1, :, 0].numel(), 1))
    return (slice(t, t + length) for t in range(0, T, length))


def flat_share(y: Float[Tensor, "N H"]) -> float:
    """The share of tanh activations y with a slope, 1 − y², under 5 % of the largest, which is 1."""
    return float((y.abs() > (1 - _SMALL_SLOPE) ** 0.5).double().mean())
