"""The LSTM's loops over time in compiled code; see `loops` for what all kinds share."""

from __future__ import annotations

import math
from typing import Any, cast, no_type_check

import numpy as np
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
    copy,
    increase,
    logistic,
    multiply,
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
def _ahead(first, last, pre, w, h, c, skip):
    T, B, H = h.shape[0] - 1, h.shape[1], h.shape[2]
    made = room_for(last - first, w)
    for t in range(T):
        rows_times(made, h, (t * B + first) * H, w)
        for b in range(first, last):
            at, a, room = (t * B + b) * H, (t * B + b) * 4 * H, (b - first) * made.shape[1]
            i, f, g, o = view(pre, a, H), view(pre, a + H, H), view(pre, a + 2 * H, H), view(pre, a + 3 * H, H)
            s, now = view(made, room, H), view(c, at + B * H, H)
            increase(view(made, room, 4 * H), 1, view(pre, a, 4 * H))
            logistic(view(pre, a, 2 * H), view(made, room, 2 * H))
            tanh(g, view(made, room + 2 * H, H))
            logistic(o, view(made, room + 3 * H, H))
            product(s, i, g)
            product_and_sum(now, f, view(c, at, H), s)
            tanh(s, now)
            product(view(h, at + B * H, H), o, s)
            mix(h, t, b, skip)


@over_time
@no_type_check
def _back(first, last, gates, w, c, e, dh, dc, g, delta, delta_c, skip, clip):
    T, B, H = e.shape
    back = enter(first, last, w, dh)
    row, room = np.empty(4 * H, e.dtype), np.empty(H, e.dtype)
    d_i, d_f, d_g, d_o = view(row, 0, H), view(row, H, H), view(row, 2 * H, H), view(row, 3 * H, H)
    u = view(room, 0, H)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at, a = (t * B + b) * H, (t * B + b) * 4 * H
            i, f, n, o = view(gates, a, H), view(gates, a + H, H), view(gates, a + 2 * H, H), view(gates, a + 3 * H, H)
            d, d_c = view(back, (b - first) * back.shape[1], H), view(dc, b * H, H)
            arrive(d, d_c, e, delta, t, b, skip, clip)
            if delta_c is not None:
                copy(view(delta_c, at, H), d_c)
            tanh(u, view(c, at + B * H, H))
            through_logistic(d_o, d, u, o)
            through_tanh(d_g, d, o, u)
            increase(d_c, 1, d_g)
            through_logistic(d_i, d_c, n, i)
            through_logistic(d_f, d_c, view(c, at, H), f)
            through_tanh(d_g, d_c, i, n)
            multiply(d_c, f)
            copy(view(g, a, 4 * H), row)
        rows_times(back, g, (t * B + first) * 4 * H, w)
    leave(dh, first, back, delta, skip)


def forward(pre: Gates, w_hh: Weights, h: States, c: States, *, skip: int = 0, threads: int = 1) -> None:
    """torch.nn.LSTM's cell from h[0], c[0] on. `pre` becomes the gates (i, f, g, o). `skip` concerns h alone."""
    states, H = h.shape, h.shape[-1]
    check(w_hh, (4 * H, H), pre=(pre, (states[0] - 1, states[1], 4 * H)), h=(h, states), c=(c, states))
    over_rows(_ahead, states[1], threads, pre, panels(w_hh.T), h, c, skip)


def backward(
    gates: Gates, w_hh: Weights, c: States, e: Run, dh: Ends, dc: Ends, g: Gates, delta: Delta,
    delta_c: Run | None = None, *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `forward`, as `rnn_backward`; `dc` is to c what `dh` is to h.

    `delta_c`, where given, is filled with what reaches c_t other than through h_t, after the clip.
    """
    T, B, H = e.shape
    run, wide, states, ends = (T, B, H), (T, B, 4 * H), (T + 1, B, H), (B, H)
    cell = {} if delta_c is None else {"delta_c": (delta_c, run)}
    check(w_hh, (4 * H, H), gates=(gates, wide), c=(c, states), e=(e, run), dh=(dh, ends), dc=(dc, ends))
    check(w_hh, (4 * H, H), g=(g, wide), **cell)
    check_delta(delta, e, skip)
    over_rows(_back, B, threads, gates, panels(w_hh), c, e, dh, dc, g, delta, delta_c, skip, clip)


def _forward(weights: CellWeights, pre: Tensor, h: Tensor, c: Tensor | None, **options: Any) -> None:
    forward(pre.numpy(), array(weights.w_hh), h.numpy(), cast(Tensor, c).numpy(), **options)


def _backward(
    weights: CellWeights, trace: Trace, e: Tensor, dh: Tensor, dc: Tensor | None, g: Tensor, delta: Tensor,
    **options: Any,
) -> None:  # fmt: skip
    gates, c = trace.gates.flatten(2).numpy(), cast(Tensor, trace.c).numpy()
    ends, filled = (dh.numpy(), cast(Tensor, dc).numpy()), (g.flatten(2).numpy(), delta.numpy())
    backward(gates, array(weights.w_hh), c, e.numpy(), *ends, *filled, **options)


LOOPS = CompiledLoops(_forward, _backward)
