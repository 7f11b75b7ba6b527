"""The simple RNN, h_t = σ(W_hh h_{t−1} + W_ih x_t + b), with σ tanh, ReLU or the logistic function."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradreach.engine.cells.cell import CompiledLoops, Pass, Slopes, StockCell, Trace, flat_share
from gradreach.record.kinds import KINDS

Activation = Callable[[Tensor], Tensor]


def _forward(activate: Activation) -> Callable[[Pass], None]:
    def loop(run: Pass) -> None:
        for t, a, before, after in run.each(run.pre, run.h[:-1], run.h[1:]):
            run.hidden_side(t, before, a, a)
            after.copy_(activate(a))
            run.shorten(t, after)

    return loop


def _slopes(derivative: Activation) -> Callable[[Trace], Slopes]:
    """σ′(a_t) from σ(a_t)."""
    return lambda trace: Slopes(derivative(trace.gates))


def _loops(activation: str) -> Callable[[], CompiledLoops]:
    def compiled() -> CompiledLoops:
        from gradreach.engine.cells.compiled import rnn

        return rnn.loops(activation)

    return compiled


def _dead_share(gates: Tensor) -> float:
    """The share of ReLU units with slope 0 at every step of every row: a slope of 0 now and then is how ReLU works."""
    return float((~(gates[:, 0] > 0)).all(0).double().mean())


TANH = StockCell(
    KINDS["RNN_TANH"],
    forward=_forward(torch.tanh_),
    slopes=_slopes(lambda y: torch.addcmul(y.new_ones(()), y, y, value=-1.0)),
    gamma=1.0,
    saturated=lambda gates: flat_share(gates[:, 0]),
    layer=nn.RNN,
    step=nn.RNNCell,
    nonlinearity="tanh",
    kernel=torch.rnn_tanh,
    loops=_loops("tanh"),
)
RELU = StockCell(
    KINDS["RNN_RELU"],
    forward=_forward(lambda a: a.clamp_min_(0.0)),
    slopes=_slopes(lambda y: (y > 0).to(y.dtype)),
    gamma=1.0,
    saturated=_dead_share,
    layer=nn.RNN,
    step=nn.RNNCell,
    nonlinearity="relu",
    kernel=torch.rnn_relu,
    loops=_loops("relu"),
)
SIGMOID = StockCell(
    KINDS["RNN_SIGMOID"],
    forward=_forward(torch.sigmoid_),
    slopes=_slopes(lambda y: torch.addcmul(y, y, y, value=-1.0)),
    gamma=0.25,
    saturated=lambda gates: flat_share(2 * gates[:, 0] - 1),
    layer=nn.RNN,
    nonlinearity="sigmoid",
    loops=_loops("logistic"),
)
"""gr.nn.RNN alone computes it: torch has neither a kernel nor a cell of it."""
