"""The four stock cells: one step forward, and one step of the adjoint back, in closed form.

Symbols: T steps, B rows, I inputs, H units, P carried size of h (P = H unless the LSTM projects), G gates.
A run is in the recurrence's own order; a reverse direction runs the data backwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, cast

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

Kind = Literal["RNN_TANH", "RNN_RELU", "GRU", "LSTM"]
GATES: dict[Kind, int] = {"RNN_TANH": 1, "RNN_RELU": 1, "GRU": 3, "LSTM": 4}


@dataclass(frozen=True, slots=True)
class CellWeights:
    """The weights of one direction of one layer, in torch's layout: (G·H, I), (G·H, P), (G·H,), (G·H,), (P, H)."""

    w_ih: Float[Tensor, "GH I"]
    w_hh: Float[Tensor, "GH P"]
    b_ih: Float[Tensor, " GH"] | None = None
    b_hh: Float[Tensor, " GH"] | None = None
    w_hr: Float[Tensor, "P H"] | None = None


@dataclass(frozen=True, slots=True)
class Slopes:
    """The local derivatives of one or more steps; all zero where a row is not active, so that no adjoint passes.

    `gate[..., j, :]` is the derivative of the new state with respect to gate j's pre-activation on the hidden side: of
    h for RNN and GRU, of c for the LSTM's i, f, g, of o∘tanh(c) for its o. `carry` is the state's direct path past the
    gates (GRU z for h, LSTM f for c). `cell` is ∂(o∘tanh(c))/∂c. `entry` is ∂h/∂a_n on the input side of a GRU, where
    the hidden side has r in between.
    """

    gate: Float[Tensor, "*n G H"]
    carry: Float[Tensor, "*n H"] | None = None
    cell: Float[Tensor, "*n H"] | None = None
    entry: Float[Tensor, "*n H"] | None = None

    def each(self, select: Callable[[Tensor], Tensor]) -> Slopes:
        """The same slopes with `select` applied to every tensor that is there."""
        parts = (self.gate, self.carry, self.cell, self.entry)
        return Slopes(*(None if part is None else select(part) for part in parts))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Unroll:
    """One direction of one layer, run over a whole sequence; every tensor is in the recurrence's own order.

    `h[t]` and `c[t]` are the state before step t, `h[t + 1]` after it (T + 1 entries). `gates` holds the activations:
    h for an RNN, (r, z, n) for a GRU, (i, f, g, o) for an LSTM. `sizes[t]` rows, the first ones, are active at step t;
    None where all are. At steps where a row is not active its states mean nothing and its slopes are 0.
    """

    kind: Kind
    weights: CellWeights
    x: Float[Tensor, "T B I"]
    h: Float[Tensor, "T1 B P"]
    c: Float[Tensor, "T1 B H"] | None
    gates: Float[Tensor, "T B G H"]
    slopes: Slopes
    sizes: tuple[int, ...] | None = None
    reverse: bool = False

    def in_data_order(self, run: Shaped[Tensor, "T ..."]) -> Shaped[Tensor, "T ..."]:
        """A tensor in the recurrence's order, turned into the data's; its own inverse."""
        return run.flip(0) if self.reverse else run

    @property
    def active(self) -> Bool[Tensor, "T B"] | None:
        """Which rows are active at which step, in the recurrence's order; None where all are."""
        return None if self.sizes is None else active_rows(self.sizes, self.x.shape[1], self.x.device)


def active_rows(sizes: Sequence[int], rows: int, device: torch.device) -> Bool[Tensor, "T B"]:
    """Row b is active at step t where b < sizes[t]: packed sequences lie sorted, the longest first."""
    counts = torch.tensor(tuple(sizes), device=device, dtype=torch.long)
    return torch.arange(rows, device=device) < counts[:, None]


def unroll(
    kind: Kind,
    weights: CellWeights,
    x: Float[Tensor, "T B I"],
    h_0: Float[Tensor, "B P"],
    c_0: Float[Tensor, "B H"] | None = None,
    *,
    sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> Unroll:
    """Run one cell over x, given in the data's time order.

    The input product is one matrix product outside the loop; the loop writes into preallocated buffers. `sizes[t]` is
    the number of active rows at step t of the data (see `Unroll`).
    """
    x = x.flip(0) if reverse else x
    run_sizes = None if sizes is None else tuple(reversed(sizes) if reverse else sizes)
    T, B, _ = x.shape
    flat = x.flatten(0, 1)
    bias = _entry_bias(kind, weights)
    pre = flat @ weights.w_ih.t() if bias is None else torch.addmm(bias, flat, weights.w_ih.t())
    pre = pre.view(T, B, pre.shape[-1])
    h = _states(h_0, T, run_sizes)
    c = None if c_0 is None else _states(c_0, T, run_sizes)
    gates, slopes = _FORWARD[kind](weights, pre, h, c, run_sizes)
    if run_sizes is not None:
        active = active_rows(run_sizes, B, x.device)
        slopes = slopes.each(lambda s: torch.where(active.view(T, B, *[1] * (s.dim() - 2)), s, 0.0))
    return Unroll(kind, weights, x, h, c, gates, slopes, run_sizes, reverse)


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
    dimensions serve, so that one row block is a sweep and (anchors, rows) a reach map. Returns the adjoint of the
    hidden side's pre-activations (written to `out` where given), then that of h and c before the step.
    """
    carry = None
    if kind == "LSTM":
        cell, keep = cast(Tensor, slopes.cell), cast(Tensor, slopes.carry)
        dm = dh if weights.w_hr is None else dh @ weights.w_hr
        dc = torch.addcmul(cast(Tensor, dc), dm, cell)
        g = torch.empty_like(slopes.gate) if out is None else out
        torch.mul(dc.unsqueeze(-2), slopes.gate[..., :3, :], out=g[..., :3, :])
        torch.mul(dm, slopes.gate[..., 3, :], out=g[..., 3, :])
        carry = dc.mul_(keep)
    else:
        g = torch.mul(dh.unsqueeze(-2), slopes.gate, out=out)
    before = g.flatten(-2) @ weights.w_hh
    if kind == "GRU":
        before.addcmul_(dh, cast(Tensor, slopes.carry))
    return g, before, carry


def parameter_gradients(
    run: Unroll, dh: Float[Tensor, "T B P"], g: Float[Tensor, "T B G H"]
) -> tuple[dict[str, Tensor], Float[Tensor, "T B GH"]]:
    """Gradients of the weights from all steps' adjoints, one matrix product each.

    `dh` is δ, `g` the adjoint of the hidden side's pre-activations. Returns torch's names without layer and direction
    (weight_ih, weight_hh, bias_ih, bias_hh, weight_hr) and the adjoint of the input side's pre-activations, for which
    `g` is overwritten.
    """
    w = run.weights
    hidden = g.flatten(2)
    grads = {"weight_hh": _outer(hidden, run.h[:-1])}
    if w.b_hh is not None:
        grads["bias_hh"] = _total(hidden)
    if w.w_hr is not None:
        grads["weight_hr"] = _outer(dh, run.gates[:, :, 3] * cast(Tensor, run.c)[1:].tanh())
    if run.slopes.entry is not None:
        torch.mul(dh, run.slopes.entry, out=g[:, :, 2])
    grads["weight_ih"] = _outer(hidden, run.x)
    if w.b_ih is not None:
        grads["bias_ih"] = _total(hidden)
    return grads, hidden


def _outer(left: Tensor, right: Tensor) -> Tensor:
    """Σ over steps and rows of left ⊗ right."""
    return left.flatten(0, 1).t() @ right.flatten(0, 1)


def _total(each: Tensor) -> Tensor:
    """Σ over steps and rows, as a matrix product: several times faster than a strided sum."""
    flat = each.flatten(0, 1)
    return flat.new_ones(flat.shape[0]) @ flat


def _entry_bias(kind: Kind, w: CellWeights) -> Tensor | None:
    """Both biases in one, but for a GRU's b_hn, which r multiplies."""
    if w.b_hh is None:
        return w.b_ih
    inner = w.b_hh
    if kind == "GRU":
        H = w.w_hh.shape[1]
        inner = torch.cat([inner[: 2 * H], inner.new_zeros(H)])
    return inner if w.b_ih is None else w.b_ih + inner


def _blocks(T: int, size: int) -> Iterator[slice]:
    """Stretches of steps that stay in the cache: temporaries over all steps cost more in page faults than in sums."""
    length = max(1, 2**16 // max(size, 1))
    return (slice(t, t + length) for t in range(0, T, length))


def _states(first: Tensor, T: int, sizes: Sequence[int] | None) -> Tensor:
    if sizes is None:
        states = first.new_empty((T + 1, *first.shape))
        states[0] = first
        return states
    return first.expand(T + 1, *first.shape).clone()  # a row that starts late starts from its initial state


def _each(buffer: Tensor, sizes: Sequence[int] | None) -> Sequence[Tensor]:
    """The views that step t works on: all rows, or the active ones."""
    steps = buffer.unbind(0)
    return steps if sizes is None else [step[:n] for step, n in zip(steps, sizes, strict=True)]


Forward = Callable[[CellWeights, Tensor, Tensor, Tensor | None, Sequence[int] | None], tuple[Tensor, Slopes]]


def _rnn(activation: Literal["tanh", "relu"]) -> Forward:
    """h_t = σ(W_hh h_{t−1} + W_ih x_t + b)."""

    def forward(
        w: CellWeights, pre: Tensor, h: Tensor, _: Tensor | None, sizes: Sequence[int] | None
    ) -> tuple[Tensor, Slopes]:
        back = w.w_hh.t()
        for a, before, after in zip(_each(pre, sizes), _each(h[:-1], sizes), _each(h[1:], sizes), strict=True):
            torch.addmm(a, before, back, out=after)
            if activation == "tanh":
                torch.tanh(after, out=after)
            else:
                torch.clamp_min(after, 0.0, out=after)
        new = h[1:]
        slope = torch.addcmul(new.new_ones(()), new, new, value=-1.0) if activation == "tanh" else (new > 0).to(h.dtype)
        return new.unsqueeze(2), Slopes(slope.unsqueeze(2))

    return forward


def _gru(
    w: CellWeights, pre: Tensor, h: Tensor, _: Tensor | None, sizes: Sequence[int] | None
) -> tuple[Tensor, Slopes]:
    """r, z = logistic(a), n = tanh(a_n + r ∘ (W_hn h_{t−1} + b_hn)), h_t = (1 − z) ∘ n + z ∘ h_{t−1} (torch's GRU)."""
    T, B, H = pre.shape[0], pre.shape[1], h.shape[-1]
    hidden = torch.empty_like(pre)
    back, bias = w.w_hh.t(), None if w.b_hh is None else w.b_hh[2 * H :]
    shares = (pre[..., : 2 * H], pre[..., :H], pre[..., H : 2 * H], pre[..., 2 * H :])
    views = (hidden, hidden[..., : 2 * H], hidden[..., 2 * H :], *shares, h[:-1], h[1:])
    for a, a_rz, a_n, rz, r, z, n, before, after in zip(*(_each(v, sizes) for v in views), strict=True):
        torch.mm(before, back, out=a)
        if bias is not None:
            a_n.add_(bias)
        rz.add_(a_rz).sigmoid_()
        n.addcmul_(r, a_n).tanh_()
        torch.lerp(n, before, z, out=after)
    gates, gate = pre.view(T, B, 3, H), hidden.view(T, B, 3, H)  # `hidden` is turned into slopes in place
    entry = torch.empty_like(h[1:])
    for s in _blocks(T, B * H):
        (r, z, n), (d_r, d_z, d_n) = gates[s].unbind(2), gate[s].unbind(2)
        torch.mul(1 - z, 1 - n * n, out=entry[s])
        torch.sub(h[:-1][s], n, out=d_z).mul_(z).mul_(1 - z)
        torch.mul(entry[s], d_n, out=d_r).mul_(r).mul_(1 - r)
        torch.mul(entry[s], r, out=d_n)
    return gates, Slopes(gate, carry=gates[:, :, 1], entry=entry)


def _lstm(
    w: CellWeights, pre: Tensor, h: Tensor, c: Tensor | None, sizes: Sequence[int] | None
) -> tuple[Tensor, Slopes]:
    """c_t = f ∘ c_{t−1} + i ∘ g, h_t = W_hr (o ∘ tanh(c_t)), gates i, f, o logistic and g tanh (torch's LSTM)."""
    assert c is not None
    T, B, H = pre.shape[0], pre.shape[1], c.shape[-1]
    back = w.w_hh.t()
    project = None if w.w_hr is None else w.w_hr.t()
    squashed = torch.empty_like(c[1:])
    shares = (pre[..., : 2 * H], *(pre[..., j * H : (j + 1) * H] for j in range(4)))
    views = (pre, *shares, c[:-1], c[1:], squashed, h[:-1], h[1:])
    for a, i_f, i, f, g, o, c_was, c_now, tanh_c, before, after in zip(*(_each(v, sizes) for v in views), strict=True):
        torch.addmm(a, before, back, out=a)
        i_f.sigmoid_()
        g.tanh_()
        o.sigmoid_()
        torch.mul(f, c_was, out=c_now).addcmul_(i, g)
        torch.tanh(c_now, out=tanh_c)
        if project is None:
            torch.mul(o, tanh_c, out=after)
        else:
            torch.mm(o * tanh_c, project, out=after)
    gates = pre.view(T, B, 4, H)
    gate, cell = torch.empty_like(gates), squashed  # `squashed` is turned into its slope in place
    for s in _blocks(T, B * H):
        (i, f, g, o), (d_i, d_f, d_g, d_o) = gates[s].unbind(2), gate[s].unbind(2)
        torch.mul(g * i, 1 - i, out=d_i)
        torch.mul(c[:-1][s] * f, 1 - f, out=d_f)
        torch.mul(i, 1 - g * g, out=d_g)
        torch.mul(squashed[s] * o, 1 - o, out=d_o)
        torch.mul(o, 1 - squashed[s] * squashed[s], out=cell[s])
    return gates, Slopes(gate, carry=gates[:, :, 1], cell=cell)


_FORWARD: dict[Kind, Forward] = {"RNN_TANH": _rnn("tanh"), "RNN_RELU": _rnn("relu"), "GRU": _gru, "LSTM": _lstm}
