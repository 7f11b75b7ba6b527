"""torch's LSTM: c_t = f ∘ c_{t−1} + i ∘ g, h_t = W_hr (o ∘ tanh(c_t)), with i, f, o logistic and g tanh."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from gradreach.engine.cells.cell import CellWeights, CompiledLoops, Pass, Slopes, StockCell, Trace, flat_share, in_cache
from gradreach.record.kinds import KINDS


def _forward(run: Pass) -> Tensor:
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


def _slopes(trace: Trace) -> Slopes:
    gates, c, inner = trace.gates, cast(Tensor, trace.c), cast(Tensor, trace.inner)
    gate = torch.empty_like(gates)
    cell = torch.empty_like(gates[:, :, 0], memory_format=torch.contiguous_format)
    for s in in_cache(gates):
        (i, f, g, o), (d_i, d_f, d_g, d_o) = gates[s].unbind(2), gate[s].unbind(2)
        squashed = inner[s]
        torch.mul(g * i, 1 - i, out=d_i)
        torch.mul(c[:-1][s] * f, 1 - f, out=d_f)
        torch.mul(i, 1 - g * g, out=d_g)
        torch.mul(squashed * o, 1 - o, out=d_o)
        torch.mul(o, 1 - squashed * squashed, out=cell[s])
    return Slopes(gate, carry=gates[:, :, 1], cell=cell)


def _gate_adjoint(
    weights: CellWeights, slopes: Slopes, dh: Tensor, dc: Tensor | None, out: Tensor | None
) -> tuple[Tensor, Tensor]:
    dm = dh if weights.w_hr is None else dh @ weights.w_hr
    dc = torch.addcmul(cast(Tensor, dc), dm, cast(Tensor, slopes.cell))
    g = torch.empty_like(slopes.gate, memory_format=torch.contiguous_format) if out is None else out
    torch.mul(dc.unsqueeze(-2), slopes.gate[..., :3, :], out=g[..., :3, :])
    torch.mul(dm, slopes.gate[..., 3, :], out=g[..., 3, :])
    return g, dc


def _loops() -> CompiledLoops:
    from gradreach.engine.cells.compiled import lstm

    return lstm.LOOPS


LSTM = StockCell(
    KINDS["LSTM"],
    forward=_forward,
    slopes=_slopes,
    gate_adjoint=_gate_adjoint,
    carries_c=True,
    unprojected=lambda trace: trace.gates[:, :, 3] * cast(Tensor, trace.inner),
    saturated=lambda gates: flat_share(gates[:, 2]),
    layer=nn.LSTM,
    step=nn.LSTMCell,
    kernel=torch.lstm,
    loops=_loops,
)
