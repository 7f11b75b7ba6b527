"""The simple RNN's loops over time in compiled code; see `loops` for what all kinds share."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, no_type_check

import numpy as np
from torch import Tensor

from gradreach.engine.cells.cell import CellWeights, CompiledLoops, Trace
from gradreach.engine.cells.compiled.loops import (
    Delta,
    Ends,
    Run,
    States,
    Weights,
    array,
    arrive,
    check,
    check_delta,
    enter,
    leave,
    mix,
    over_rows,
    over_time,
)
from gradreach.engine.cells.compiled.simd import (
    copy,
    increase,
    logistic,
    panels,
    relu,
    room_for,
    rows_times,
    tanh,
    through_logistic,
    through_relu,
    through_tanh,
    view,
)

TANH, RELU, LOGISTIC = range(3)
"""The activations of `forward` and `backward`."""


@over_time
@no_type_check
def _ahead(first, last, activation, pre, w, h, skip):
    T, B, H = pre.shape
    made = room_for(last - first, w)
    for t in range(T):
        rows_times(made, h, (t * B + first) * H, w)
        for b in range(first, last):
            y, s = view(pre, (t * B + b) * H, H), view(made, (b - first) * made.shape[1], H)
            increase(s, 1, y)
            if activation == TANH:
                tanh(y, s)
            elif activation == RELU:
                relu(y, s)
            else:
                logistic(y, s)
            copy(view(h, ((t + 1) * B + b) * H, H), y)
            mix(h, t, b, skip)


@over_time
@no_type_check
def _back(first, last, activation, gates, w, e, dh, g, delta, skip, clip):
    T, B, H = e.shape
    back, row = enter(first, last, w, dh), np.empty(H, e.dtype)
    one, no_cell = np.ones(H, e.dtype), np.empty(0, e.dtype)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at = (t * B + b) * H
            d, y = view(back, (b - first) * back.shape[1], H), view(gates, at, H)
            arrive(d, view(no_cell, 0, 0), e, delta, t, b, skip, clip)
            if activation == TANH:
                through_tanh(row, d, one, y)
            elif activation == RELU:
                through_relu(row, d, one, y)
            else:
                through_logistic(row, d, one, y)
            copy(view(g, at, H), row)
        rows_times(back, g, (t * B + first) * H, w)
    leave(dh, first, back, delta, skip)


def forward(activation: int, pre: Run, w_hh: Weights, h: States, *, skip: int = 0, threads: int = 1) -> None:
    """h_t = σ(W_hh h_{t−1} + pre_t) from h[0] on, σ one of TANH, RELU, LOGISTIC. `pre` becomes σ."""
    T, B, H = pre.shape
    check(w_hh, (H, H), pre=(pre, (T, B, H)), h=(h, (T + 1, B, H)))
    over_rows(_ahead, B, threads, activation, pre, panels(w_hh.T), h, skip)


def backward(
    activation: int, gates: Run, w_hh: Weights, e: Run, dh: Ends, g: Run, delta: Delta,
    *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `forward`, which has left `gates`, from the errors e at its outputs.

    `dh` holds the error at the end state, and then the adjoint of h[0]. Fills `g`, the adjoint of W_hh h_{t−1}, which
    may be `gates` itself, and `delta`, the whole of ∂L/∂h_t.
    """
    T, B, H = e.shape
    run = (T, B, H)
    check(w_hh, (H, H), gates=(gates, run), e=(e, run), dh=(dh, (B, H)), g=(g, run))
    check_delta(delta, e, skip)
    over_rows(_back, B, threads, activation, gates, panels(w_hh), e, dh, g, delta, skip, clip)


def loops(activation: str) -> CompiledLoops:
    """The loops over tensors for "tanh", "relu" or "logistic"."""
    number = {"tanh": TANH, "relu": RELU, "logistic": LOGISTIC}[activation]
    return CompiledLoops(partial(_forward, number), partial(_backward, number))


def _forward(activation: int, weights: CellWeights, pre: Tensor, h: Tensor, _c: Tensor | None, **options: Any) -> None:
    forward(activation, pre.numpy(), array(weights.w_hh), h.numpy(), **options)


def _backward(
    activation: int, weights: CellWeights, trace: Trace, e: Tensor, dh: Tensor, _dc: Tensor | None, g: Tensor,
    delta: Tensor, **options: Any,
) -> None:  # fmt: skip
    gates = trace.gates.flatten(2).numpy()
    filled = (g.flatten(2).numpy(), delta.numpy())
    backward(activation, gates, array(weights.w_hh), e.numpy(), dh.numpy(), *filled, **options)
