"""The recurrence's loop over time in compiled code, for a CPU; importing this module imports numba.

Rows are independent: each thread takes some of them through all steps, so no thread waits for another, and a row's
figures do not depend on the number of threads. Symbols: T steps, B rows, H units, G gates. `pre` is W_ih x_t with every
bias but a GRU's b_hn. `h[0]` is the state before the first step. Arrays are C-contiguous, all float32 or all float64;
those that a function fills are given to it.

`skip` = s > 0: every state from h[s] on is half what the cell makes and half the state s steps before.
`clip`: each row's joint adjoint of (h_t, c_t), t > 0, is scaled down to this 2-norm where it is larger.
`threads` is best torch.get_num_threads().
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import TypeAlias, no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit
from numba.core.caching import FunctionCache

from gradreach.engine.compiled import simd
from gradreach.engine.compiled.simd import (
    add,
    copy,
    increase,
    logistic,
    multiply,
    panels,
    part,
    product,
    product_and_sum,
    relu,
    room_for,
    rows_times,
    scale,
    square,
    tanh,
    through_logistic,
    through_relu,
    through_tanh,
    view,
)

TANH, RELU, LOGISTIC = range(3)
"""The activations of `rnn_forward` and `rnn_backward`."""

States: TypeAlias = Float[np.ndarray, "T1 B H"]
Run: TypeAlias = Float[np.ndarray, "T B H"]
Gates: TypeAlias = Float[np.ndarray, "T B GH"]
Ends: TypeAlias = Float[np.ndarray, "B H"]
Weights: TypeAlias = Float[np.ndarray, "GH H"]

_HOME = os.getpid()


class _Cache(FunctionCache):
    """Compiled loops on disk. Numba looks at this file's date alone: it would keep what is made of older parts."""

    _PARTS = os.stat(simd.__file__)

    @no_type_check
    def _index_key(self, signature, codegen):
        return (*super()._index_key(signature, codegen), self._PARTS.st_mtime_ns, self._PARTS.st_size)


@no_type_check
def _loop(run):
    """A compiled loop over time, kept on disk where there is a folder for it."""
    compiled = njit(nogil=True, error_model="numpy")(run)
    with contextlib.suppress(RuntimeError):
        compiled._cache = _Cache(run)
    return compiled


@part
@no_type_check
def _mix(h, t, b, skip):
    if 0 < skip <= t + 1:
        B, H = h.shape[1:]
        after = view(h, ((t + 1) * B + b) * H, H)
        scale(after, 0.5)
        increase(after, 0.5, view(h, ((t + 1 - skip) * B + b) * H, H))


@part
@no_type_check
def _arrive(d, dc, e, delta, t, b, skip, clip):
    """δ of the state after step t, from what came back to it (d) and e; d becomes what the cell's output gets of it."""
    T, B, H = delta.shape
    whole = view(delta, (t * B + b) * H, H)
    add(whole, d, 1, view(e, (t * B + b) * H, H))
    if 0 < skip < T - t:
        increase(whole, 0.5, view(delta, ((t + skip) * B + b) * H, H))
    if clip < np.inf:
        size = math.sqrt(square(whole) + square(dc))
        if not size <= clip:  # so that a NaN fills the row
            scale(whole, clip / size)
            scale(dc, clip / size)
    copy(d, whole)
    if 0 < skip <= t + 1:
        scale(d, 0.5)


@part
@no_type_check
def _enter(first, last, w, dh):
    """Room for the products of a sweep; what lies in it is what comes back to the end state."""
    H, back = dh.shape[1], room_for(last - first, w)
    for b in range(last - first):
        copy(view(back, b * back.shape[1], H), view(dh, (first + b) * H, H))
    return back


@part
@no_type_check
def _leave(dh, first, back, delta, skip):
    """The adjoint of the state before the first step."""
    T, B, H = delta.shape
    for b in range(first, first + back.shape[0]):
        start = view(dh, b * H, H)
        copy(start, view(back, (b - first) * back.shape[1], H))
        if 0 < skip <= T:
            increase(start, 0.5, view(delta, ((skip - 1) * B + b) * H, H))


@_loop
@no_type_check
def _rnn_ahead(first, last, activation, pre, w, h, skip):
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
            _mix(h, t, b, skip)


@_loop
@no_type_check
def _rnn_back(first, last, activation, gates, w, e, dh, g, delta, skip, clip):
    T, B, H = e.shape
    back, row = _enter(first, last, w, dh), np.empty(H, e.dtype)
    one, no_cell = np.ones(H, e.dtype), np.empty(0, e.dtype)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at = (t * B + b) * H
            d, y = view(back, (b - first) * back.shape[1], H), view(gates, at, H)
            _arrive(d, view(no_cell, 0, 0), e, delta, t, b, skip, clip)
            if activation == TANH:
                through_tanh(row, d, one, y)
            elif activation == RELU:
                through_relu(row, d, one, y)
            else:
                through_logistic(row, d, one, y)
            copy(view(g, at, H), row)
        rows_times(back, g, (t * B + first) * H, w)
    _leave(dh, first, back, delta, skip)


@_loop
@no_type_check
def _gru_ahead(first, last, pre, w, b_hn, inner, h, skip):
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
            _mix(h, t, b, skip)


@_loop
@no_type_check
def _gru_back(first, last, gates, w, inner, h, e, dh, g, entry, delta, skip, clip):
    T, B, H = e.shape
    back, one, no_cell = _enter(first, last, w, dh), np.ones(H, e.dtype), np.empty(0, e.dtype)
    past, row, room = np.empty((last - first, H), e.dtype), np.empty(3 * H, e.dtype), np.empty(H, e.dtype)
    d_r, d_z, d_n, u = view(row, 0, H), view(row, H, H), view(row, 2 * H, H), view(room, 0, H)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at, a = (t * B + b) * H, (t * B + b) * 3 * H
            r, z, n = view(gates, a, H), view(gates, a + H, H), view(gates, a + 2 * H, H)
            d, d_in = view(back, (b - first) * back.shape[1], H), view(entry, at, H)
            _arrive(d, view(no_cell, 0, 0), e, delta, t, b, skip, clip)
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
    _leave(dh, first, back, delta, skip)


@_loop
@no_type_check
def _lstm_ahead(first, last, pre, w, h, c, skip):
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
            _mix(h, t, b, skip)


@_loop
@no_type_check
def _lstm_back(first, last, gates, w, c, e, dh, dc, g, delta, delta_c, skip, clip):
    T, B, H = e.shape
    back = _enter(first, last, w, dh)
    row, room = np.empty(4 * H, e.dtype), np.empty(H, e.dtype)
    d_i, d_f, d_g, d_o = view(row, 0, H), view(row, H, H), view(row, 2 * H, H), view(row, 3 * H, H)
    u = view(room, 0, H)
    for t in range(T - 1, -1, -1):
        for b in range(first, last):
            at, a = (t * B + b) * H, (t * B + b) * 4 * H
            i, f, n, o = view(gates, a, H), view(gates, a + H, H), view(gates, a + 2 * H, H), view(gates, a + 3 * H, H)
            d, d_c = view(back, (b - first) * back.shape[1], H), view(dc, b * H, H)
            _arrive(d, d_c, e, delta, t, b, skip, clip)
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
    _leave(dh, first, back, delta, skip)


def rnn_forward(activation: int, pre: Run, w_hh: Weights, h: States, *, skip: int = 0, threads: int = 1) -> None:
    """h_t = σ(W_hh h_{t−1} + pre_t) from h[0] on, σ one of TANH, RELU, LOGISTIC. `pre` becomes σ."""
    T, B, H = pre.shape
    _check(w_hh, (H, H), pre=(pre, (T, B, H)), h=(h, (T + 1, B, H)))
    _over_rows(_rnn_ahead, B, threads, activation, pre, panels(w_hh.T), h, skip)


def rnn_backward(
    activation: int, gates: Run, w_hh: Weights, e: Run, dh: Ends, g: Run, delta: Run,
    *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `rnn_forward`, which has left `gates`, from the errors e at its outputs.

    `dh` holds the error at the end state, and then the adjoint of h[0]. Fills `g`, the adjoint of W_hh h_{t−1}, which
    may be `gates` itself, and `delta`, the whole of ∂L/∂h_t.
    """
    T, B, H = e.shape
    run = (T, B, H)
    _check(w_hh, (H, H), gates=(gates, run), e=(e, run), dh=(dh, (B, H)), g=(g, run), delta=(delta, run))
    _over_rows(_rnn_back, B, threads, activation, gates, panels(w_hh), e, dh, g, delta, skip, clip)


def gru_forward(
    pre: Gates, w_hh: Weights, b_hn: Float[np.ndarray, " H"] | None, inner: Run, h: States,
    *, skip: int = 0, threads: int = 1,
) -> None:  # fmt: skip
    """torch.nn.GRU's cell from h[0] on. `pre` becomes the gates (r, z, n), `inner` n's hidden side before r."""
    T, B, H = inner.shape
    b_hn = np.zeros(H, pre.dtype) if b_hn is None else b_hn
    run, wide, states = (T, B, H), (T, B, 3 * H), (T + 1, B, H)
    _check(w_hh, (3 * H, H), pre=(pre, wide), b_hn=(b_hn, (H,)), inner=(inner, run), h=(h, states))
    _over_rows(_gru_ahead, B, threads, pre, panels(w_hh.T), b_hn, inner, h, skip)


def gru_backward(
    gates: Gates, w_hh: Weights, inner: Run, h: States, e: Run, dh: Ends, g: Gates, entry: Run, delta: Run,
    *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `gru_forward`, as `rnn_backward`; fills `entry` with the adjoint of n's input side."""
    T, B, H = e.shape
    run, wide, states = (T, B, H), (T, B, 3 * H), (T + 1, B, H)
    _check(w_hh, (3 * H, H), gates=(gates, wide), inner=(inner, run), h=(h, states), e=(e, run), dh=(dh, (B, H)))
    _check(w_hh, (3 * H, H), g=(g, wide), entry=(entry, run), delta=(delta, run))
    _over_rows(_gru_back, B, threads, gates, panels(w_hh), inner, h, e, dh, g, entry, delta, skip, clip)


def lstm_forward(pre: Gates, w_hh: Weights, h: States, c: States, *, skip: int = 0, threads: int = 1) -> None:
    """torch.nn.LSTM's cell from h[0], c[0] on. `pre` becomes the gates (i, f, g, o). `skip` concerns h alone."""
    states, H = h.shape, h.shape[-1]
    _check(w_hh, (4 * H, H), pre=(pre, (states[0] - 1, states[1], 4 * H)), h=(h, states), c=(c, states))
    _over_rows(_lstm_ahead, states[1], threads, pre, panels(w_hh.T), h, c, skip)


def lstm_backward(
    gates: Gates, w_hh: Weights, c: States, e: Run, dh: Ends, dc: Ends, g: Gates, delta: Run,
    delta_c: Run | None = None, *, skip: int = 0, clip: float = math.inf, threads: int = 1,
) -> None:  # fmt: skip
    """The adjoint of `lstm_forward`, as `rnn_backward`; `dc` is to c what `dh` is to h.

    `delta_c`, where given, is filled with what reaches c_t other than through h_t, after the clip.
    """
    T, B, H = e.shape
    run, wide, states, ends = (T, B, H), (T, B, 4 * H), (T + 1, B, H), (B, H)
    cell = {} if delta_c is None else {"delta_c": (delta_c, run)}
    _check(w_hh, (4 * H, H), gates=(gates, wide), c=(c, states), e=(e, run), dh=(dh, ends), dc=(dc, ends))
    _check(w_hh, (4 * H, H), g=(g, wide), delta=(delta, run), **cell)
    _over_rows(_lstm_back, B, threads, gates, panels(w_hh), c, e, dh, dc, g, delta, delta_c, skip, clip)


def _check(w_hh: np.ndarray, whole: tuple[int, ...], **arrays: tuple[np.ndarray, tuple[int, ...]]) -> None:
    """The compiled code reads raw memory: what does not fit must not come to it."""
    if w_hh.dtype not in (np.float32, np.float64):
        raise ValueError(f"w_hh: expected float32 or float64, got {w_hh.dtype}")
    if w_hh.shape != whole or 0 in whole:
        raise ValueError(f"w_hh: expected shape {whole} with at least one unit, got {w_hh.shape}")
    for name, (array, shape) in arrays.items():
        if array.shape != shape or array.dtype != w_hh.dtype:
            raise ValueError(f"{name}: expected {w_hh.dtype} {shape}, got {array.dtype} {array.shape}")
        if not array.flags.c_contiguous:
            raise ValueError(f"{name}: expected a C-contiguous array, got strides {array.strides}; copy it")


def _over_rows(loop: Callable[..., None], rows: int, threads: int, *arguments: object) -> None:
    """loop(first, last, *arguments) over all rows, in as many shares as there are threads."""
    shares = max(min(threads, rows), 1)
    left = [(rows * i // shares, rows * (i + 1) // shares) for i in range(shares)]
    failed: list[BaseException] = []

    def work(_: object) -> None:
        with contextlib.suppress(IndexError):
            while True:
                first, last = left.pop()
                try:
                    loop(first, last, *arguments)
                except BaseException as error:  # nothing may be raised into the team's own code
                    failed.append(error)

    team = _team() if os.getpid() == _HOME else None  # a fork leaves the team's threads behind
    if shares == 1:
        work(None)
    elif team is not None:
        team(ctypes.CFUNCTYPE(None, ctypes.c_void_p)(work), None, ctypes.c_uint(shares), ctypes.c_uint(0))
    else:
        with ThreadPoolExecutor(shares - 1) as pool:
            others = [pool.submit(work, None) for _ in range(shares - 1)]
            work(None)
            wait(others)
    if failed:
        raise failed[0]


@cache
def _team() -> Callable[..., None] | None:
    """Entry to the OpenMP threads that torch computes with, where it has some.

    They stay awake for milliseconds after each of torch's products; other threads would have to share the cores with
    them, which takes half its speed from a short sequence.
    """
    try:
        return ctypes.CDLL(None).GOMP_parallel
    except (AttributeError, OSError, TypeError):
        return None
