"""The GRU's loops over time in compiled code; see `loops` for what all kinds share."""

from __future__ import annotations

import math
from typing import Any, cast, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells.cell import CellWeights, CompiledLoops, Trace
from gradreach.engine.cells.compiled.loops import (
    Delta,
    Ends,
    Gates,
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
    add,
    copy,
    increase,
    logistic,
    panels,
    product,
    product_and_sum,
    room_for,
    rows_times,
    tanh,
    through_logistic,
    through_tanh,
    view,
)


@over_time
@no_type_check
def _ahead(first, last, pre, w, b_hn, inner, h, skip):
    T, B, H = inner.shape
    made = room_for(last - first, w)
    for t in range(T):
        rows_times(made, h, (t * B + first) * H, w)
        for b in range(first, last):
            at, a, room = (t * B + b) * H, (t * B + b) * 3 * H, (b - first) * made.shape[1]
            rz, r, z, n = view(pre, a, 2 * H), view(pre, a, H), view(pre, a + H, H), view(pre, a + 2 * H, H)
            s, s_rz, s_n = view(made, room, H), view(made, room, 2 * H), view(made, room + 2 * H, H)
            m = view(inner, at, H)
            increase(s_rz, 1, rz)
            logistic(rz, s_rz)
            add(m, s_n, 1, b_hn)
            product_and_sum(s, r, m, n)
            tanh(n, s)
            add(s, view(h, at, H), -1, n)
            product_and_sum(view(h, at + B * H, H), z, s, n)
            mix(h, t, b, skip)


@over_time
@no_type_check
def _back(first, last, gates, w, inner, h, e, dh, g, entry, delta, skip, clip):
    T, B, H = e.shape
    back, one, no_cell = enter(first, last, w, dh), np.ones(H, e.dtype), np.empty(0, e.dtype)
    past, row, room = np.empty((last - first, H), e.dtype), np.empty(3 * H, e.dtype), np.empty(H, e.dtype)
    d_r, d_z, d_n, u = view(row, 0, H), view(row, H, H), view(row, 2 * H, H), view(room, 0, H)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at, a = (t * B + b) * H, (t * B + b) * 3 * H
            r, z, n = view(gates, a, H), view(gates, a + H, H), view(gates, a + 2 * H, H)
            d, d_in = view(back, (b - first) * back.shape[1], H), view(entry, at, H)
            arrive(d, view(no_cell, 0, 0), e, delta, t, b, skip, clip)
            add(u, one, -1, z)
            through_tanh(d_in, d, u, n)
            through_logistic(d_r, d_in, view(inner, at, H), r)
            add(u, view(h, at, H), -1, n)
            through_logistic(d_z, d, u, z)
            product(d_n, d_in, r)
            product(view(past, (b - first) * H, H), d, z)
            copy(view(g, a, 3 * H), row)
        rows_times(back, g, (t * B + first) * 3 * H, w)
        for b in range(last - first):
            increase(view(back, b * back.shape[1], H), 1, view(past, b * H, H))
    leave(dh, first, back, delta, skip)


def forward(
    pre: Gates, w_hh: Weights, b_hn: Float[np.ndarray, " H"] | None, inner: Run, h: States,
    *, skip: int = 0, threads: int = 1,
) -> None:  # fmt: skip
    """torch.nn.GRU's cell from h[0] on. `pre` becomes the gates (r, z, n), `inner` n's hidden side before r."""
    T, B, H = inner.shape
    b_hn = np.zeros(H, pre.dtype) if b_hn is None else b_hn
    run, wide, states = (T, B, H), (T, B, 3 * H), (T + 1, B, H)
    check(w_hh, (3 * H, H), pre=(pre, wide), b_hn=(b_hn, (H,)), inner=(inner, run), h=(h, states))
    over_rows(_ahead, B, threads, pre, panels(w_hh.T), b_hn, inner, h, skip)


def backward(
    gates: Gates, w_hh: Weights, inner: Run, h: States, e: Run, dh: Ends, g: Gates, entry: Run, delta: Delta,
    *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `forward`, as `rnn_backward`; fills `entry` with the adjoint of n's input side."""
    T, B, H = e.shape
    run, wide, states = (T, B, H), (T, B, 3 * H), (T + 1, B, H)
    check(w_hh, (3 * H, H), gates=(gates, wide), inner=(inner, run), h=(h, states), e=(e, run), dh=(dh, (B, H)))
    check(w_hh, (3 * H, H), g=(g, wide), entry=(entry, run))
    check_delta(delta, e, skip)
    over_rows(_back, B, threads, gates, panels(w_hh), inner, h, e, dh, g, entry, delta, skip, clip)


def _forward(weights: CellWeights, pre: Tensor, h: Tensor, _c: Tensor | None, **options: Any) -> Tensor:
    H = h.shape[-1]
    inner = torch.empty_like(h[1:])
    b_hn = None if weights.b_hh is None else array(weights.b_hh[2 * H :])
    forward(pre.numpy(), array(weights.w_hh), b_hn, inner.numpy(), h.numpy(), **options)
    return inner


def _backward(
    weights: CellWeights, trace: Trace, e: Tensor, dh: Tensor, _dc: Tensor | None, g: Tensor, delta: Tensor,
    **options: Any,
) -> Tensor:  # fmt: skip
    entry, gates, inner = torch.empty_like(e), trace.gates.flatten(2).numpy(), cast(Tensor, trace.inner).numpy()
    filled = (g.flatten(2).numpy(), entry.numpy(), delta.numpy())
    backward(gates, array(weights.w_hh), inner, trace.h.numpy(), e.numpy(), dh.numpy(), *filled, **options)
    return entry


LOOPS = CompiledLoops(_forward, _backward)
