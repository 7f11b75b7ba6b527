"""The minimal LSTM (Feng, Tung, Ahmed, Bengio and Hajimirsadeghi 2024, "Were RNNs all we needed?", section 3.2).

f_t = logistic(W_f x_t + b_f), i_t = logistic(W_i x_t + b_i), h̃_t = W_h x_t + b_h; with f′ = f / (f + i) and
i′ = i / (f + i), h_t = f′_t ∘ h_{t−1} + i′_t ∘ h̃_t. No gate looks at the state, so there is no W_hh:
∂h_t/∂h_{t−1} is diag(f′_t), and neither γλ, lag share nor truncation bias exist; all steps are run at once. f alone
leaves at most the share 1 / (1 + i) of the state at a step: it is a small i that keeps it for long. The state is h
alone. Takes the arguments of torch.nn.GRU and the remedies of gr.nn, but for those of W_hh; weight_ih_l0, (3·H, I),
holds W_f, W_i and then W_h, bias_ih_l0 their biases, all drawn as torch.nn draws a GRU's.

>>> import torch, gradreach as gr
>>> layer = gr.nn.MinLSTM(8, 16, num_layers=2, bidirectional=True)
>>> output, h_n = layer(torch.zeros(50, 4, 8))
>>> output.shape, h_n.shape
(torch.Size([50, 4, 32]), torch.Size([4, 4, 16]))
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn.functional import softplus

from gradreach.engine.cells.cell import Pass, Slopes, StockCell, Trace, in_cache
from gradreach.record.kinds import KINDS


def _forward(run: Pass) -> Tensor:
    carry = torch.empty_like(run.h[1:])
    for s in in_cache(run.pre.unflatten(-1, (3, -1))):
        f, i, made = run.pre[s].chunk(3, dim=-1)
        log_odds = softplus(-i) - softplus(-f)  # log(f / i), where f and i underflow too
        torch.sigmoid(log_odds, out=carry[s])
        torch.mul(log_odds.neg_().sigmoid_(), made, out=run.h[1:][s])
        f.sigmoid_()
        i.sigmoid_()
    run.accumulate(carry)
    return carry


def _slopes(trace: Trace) -> Slopes:
    gates, carry = trace.gates, cast(Tensor, trace.inner)
    gate = torch.empty_like(gates)
    for s in in_cache(gates):
        (f, i, made), (d_f, d_i, d_made) = gates[s].unbind(2), gate[s].unbind(2)
        torch.div(i, (f + i).clamp_(min=torch.finfo(f.dtype).tiny), out=d_made)  # 1 − carry would lose a small i′
        both = (trace.h[:-1][s] - made).mul_(carry[s]).mul_(d_made)  # ∂h_t/∂log(f / i)
        torch.addcmul(both, both, f, value=-1, out=d_f)
        torch.addcmul(both, both, i, value=-1, out=d_i).neg_()
    return Slopes(gate, carry)


MINLSTM = StockCell(KINDS["MinLSTM"], _forward, _slopes, linear=True, about=__doc__)
