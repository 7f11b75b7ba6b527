"""The product of many rows with a matrix, by the tiles of the loops over time; see `loops` for what all kinds share."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float

from gradreach.engine.cells.compiled.loops import over_rows, over_time
from gradreach.engine.cells.compiled.simd import add, panels, room_for, rows_times, view

_AT_ONCE = 64
"""Rows whose products are held beside the result, where the last panel's padding has no place."""


@over_time
@no_type_check
def _rows(first, last, out, a, w, bias):
    K, N, wide = w.shape[1], out.shape[1], w.shape[0] * w.shape[2]
    room = room_for(min(_AT_ONCE, last - first), w)
    for start in range(first, last, _AT_ONCE):
        rows = min(_AT_ONCE, last - start)
        rows_times(room[:rows], a, start * K, w)
        for r in range(rows):
            add(view(out, (start + r) * N, N), view(room, r * wide, N), 1, bias)


def times(
    a: Float[np.ndarray, "M K"], w: Float[np.ndarray, "K N"], bias: Float[np.ndarray, " N"] | None,
    out: Float[np.ndarray, "M N"], *, threads: int = 1,
) -> None:  # fmt: skip
    """out = a w + bias. `out` may lie in a's own memory where N = K."""
    (M, K), N = a.shape, w.shape[1]
    bias = np.zeros(N, a.dtype) if bias is None else bias
    for name, array, shape in (("a", a, (M, K)), ("w", w, (K, N)), ("bias", bias, (N,)), ("out", out, (M, N))):
        if array.shape != shape or array.dtype != a.dtype or (name != "w" and not array.flags.c_contiguous):
            raise ValueError(f"{name}: expected contiguous {a.dtype} {shape}, got {array.dtype} {array.shape}")
    over_rows(_rows, M, threads, out, a, panels(w), bias)
