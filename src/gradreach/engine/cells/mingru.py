"""The minimal GRU (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, "Were RNNs all we needed?").

z_t = logistic(W_z x_t + b_z), h̃_t = W_h x_t + b_h, h_t = (1 − z_t) ∘ h_{t−1} + z_t ∘ h̃_t. No gate looks at the state,
so there is no W_hh: ∂h_t/∂h_{t−1} is diag(1 − z_t), and neither γλ, lag share nor truncation bias exist; all steps
are run at once. Takes the arguments of torch.nn.GRU and the remedies of gr.nn, but for those of W_hh; weight_ih_l0,
(2·H, I), holds W_z and then W_h, bias_ih_l0 their biases, both drawn as torch.nn draws a GRU's.

>>> import torch, gradreach as gr
>>> layer = gr.nn.MinGRU(8, 16, num_layers=2, bidirectional=True)
>>> output, h_n = layer(torch.zeros(50, 4, 8))
>>> output.shape, h_n.shape
(torch.Size([50, 4, 32]), torch.Size([4, 4, 16]))
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from gradreach.engine.cells.cell import Pass, Slopes, StockCell, Trace, in_cache
from gradreach.record.kinds import KINDS


def _forward(run: Pass) -> Tensor:
    carry = torch.empty_like(run.h[1:])
    for s in in_cache(run.pre.unflatten(-1, (2, -1))):
        z, made = run.pre[s].chunk(2, dim=-1)
        torch.mul(z.sigmoid_(), made, out=run.h[1:][s])
        torch.sub(1, z, out=carry[s])
    run.accumulate(carry)
    return carry


def _slopes(trace: Trace) -> Slopes:
    gates, carry = trace.gates, cast(Tensor, trace.inner)
    gate = torch.empty_like(gates)
    for s in in_cache(gates):
        (z, made), (d_z, d_made) = gates[s].unbind(2), gate[s].unbind(2)
        torch.sub(made, trace.h[:-1][s], out=d_z).mul_(z).mul_(carry[s])
        d_made.copy_(z)
    return Slopes(gate, carry)


MINGRU = StockCell(KINDS["MinGRU"], _forward, _slopes, linear=True, about=__doc__)
