"""torch's GRU: r, z = logistic(a), n = tanh(a_n + r ∘ (W_hn h_{t−1} + b_hn)), h_t = (1 − z) ∘ n + z ∘ h_{t−1}."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gradreach.engine.cells.cell import CompiledLoops, Pass, Slopes, StockCell, Trace, flat_share, in_cache
from gradreach.record.kinds import KINDS


def _forward(run: Pass) -> Tensor:
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


def _slopes(trace: Trace) -> Slopes:
    gates, inner = trace.gates, cast(Tensor, trace.inner)
    gate = torch.empty_like(gates)
    entry = torch.empty_like(gates[:, :, 0], memory_format=torch.contiguous_format)
    for s in in_cache(gates):
        (r, z, n), (d_r, d_z, d_n) = gates[s].unbind(2), gate[s].unbind(2)
        torch.mul(1 - z, 1 - n * n, out=entry[s])
        torch.sub(trace.h[:-1][s], n, out=d_z).mul_(z).mul_(1 - z)
        torch.mul(entry[s], inner[s], out=d_r).mul_(r).mul_(1 - r)
        torch.mul(entry[s], r, out=d_n)
    return Slopes(gate, carry=gates[:, :, 1], entry=entry)


def _loops() -> CompiledLoops:
    from gradreach.engine.cells.compiled import gru

    return gru.LOOPS


GRU = StockCell(
    KINDS["GRU"],
    forward=_forward,
    slopes=_slopes,
    inner_gate=2,
    saturated=lambda gates: flat_share(gates[:, 2]),
    layer=nn.GRU,
    step=nn.GRUCell,
    kernel=torch.gru,
    loops=_loops,
)
