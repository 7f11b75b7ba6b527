"""What the compiled loops over time of every kind share, for a CPU; importing this module imports numba.

Rows are independent: each thread takes some of them through all steps, so no thread waits for another, and a row's
figures do not depend on the number of threads. Symbols: T steps, B rows, H units, G gates. `pre` is W_ih x_t with every
bias but a GRU's b_hn. `h[0]` is the state before the first step. Arrays are C-contiguous, all float32 or all float64;
those that a function fills are given to it.

`skip` = s > 0: every state from h[s] on is half what the cell makes and half the state s steps before.
`clip`: each row's joint adjoint of (h_t, c_t), t > 0, is scaled down to this 2-norm where it is larger.
`threads` is best torch.get_num_threads(). `delta` may be of one step alone, (1, B, H), without `skip`: each step
then overwrites the one after it.

A kind's own loops stand beside this file (rnn, gru, lstm): `forward` and `backward` over arrays, and `LOOPS`, the same
over tensors (see `gradreach.engine.cells.cell.CompiledLoops`).
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeAlias, cast, no_type_check

import numpy as np
from jaxtyping import Float
from numba import __version__ as numba_version
from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, InTreeCacheLocator, UserWideCacheLocator
from numba.misc.appdirs import AppDirs
from torch import Tensor

from gradreach.engine.cells.compiled.simd import add, copy, increase, part, room_for, scale, square, view
from gradreach.engine.threads import team

States: TypeAlias = Float[np.ndarray, "T1 B H"]
Run: TypeAlias = Float[np.ndarray, "T B H"]
Delta: TypeAlias = Float[np.ndarray, "D B H"]
Gates: TypeAlias = Float[np.ndarray, "T B GH"]
Ends: TypeAlias = Float[np.ndarray, "B H"]
Weights: TypeAlias = Float[np.ndarray, "GH H"]


_SOURCES = hashlib.sha256(
    b"".join(each.read_bytes() for each in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()


class _UsersFolder(UserWideCacheLocator):
    """A folder of the user's own for these very sources and this numba, wherever they are installed: an installation
    that is new or read-only finds there what another has compiled."""

    @no_type_check
    def __init__(self, function, file):
        super().__init__(function, file)
        root = config.CACHE_DIR or AppDirs("gradreach", appauthor=False).user_cache_dir
        self._cache_path = os.path.join(root, f"compiled-{numba_version}-{_SOURCES[:16]}")

    def get_source_stamp(self) -> str:
        return _SOURCES


class _Places(CompileResultCacheImpl):
    _locator_classes = [_UsersFolder, InTreeCacheLocator]  # noqa: RUF012  # as numba declares it


class _Cache(FunctionCache):
    """Compiled loops on disk. Numba looks at a loop's own file alone: it would keep what is made of older parts."""

    _impl_class = _Places

    @no_type_check
    def _index_key(self, signature, codegen):
        return (*super()._index_key(signature, codegen), _SOURCES)


@no_type_check
def over_time(run):
    """A compiled loop over time, kept on disk where there is a folder for it."""
    compiled = njit(nogil=True, error_model="numpy")(run)
    with contextlib.suppress(RuntimeError):
        compiled._cache = _Cache(run)
    return compiled


def kept_in() -> str | None:
    """The folder in which compiled loops are kept; None where none can be written."""
    with contextlib.suppress(RuntimeError):
        return str(_Cache(check).cache_path)  # type: ignore[no-untyped-call]
    return None


@part
@no_type_check
def mix(h, t, b, skip):
    if 0 < skip <= t + 1:
        B, H = h.shape[1:]
        after = view(h, ((t + 1) * B + b) * H, H)
        scale(after, 0.5)
        increase(after, 0.5, view(h, ((t + 1 - skip) * B + b) * H, H))


@part
@no_type_check
def arrive(d, dc, e, delta, t, b, skip, clip):
    """δ of the state after step t, from what came back to it (d) and e; d becomes what the cell's output gets of it."""
    T, B, H = e.shape
    whole = view(delta, (t * B + b) * H if delta.shape[0] == T else b * H, H)
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
def enter(first, last, w, dh):
    """Room for the products of a sweep; what lies in it is what comes back to the end state."""
    H, back = dh.shape[1], room_for(last - first, w)
    for b in range(last - first):
        copy(view(back, b * back.shape[1], H), view(dh, (first + b) * H, H))
    return back


@part
@no_type_check
def leave(dh, first, back, delta, skip):
    """The adjoint of the state before the first step."""
    T, B, H = delta.shape
    for b in range(first, first + back.shape[0]):
        start = view(dh, b * H, H)
        copy(start, view(back, (b - first) * back.shape[1], H))
        if 0 < skip <= T:
            increase(start, 0.5, view(delta, ((skip - 1) * B + b) * H, H))


def check(w_hh: np.ndarray, whole: tuple[int, ...], **arrays: tuple[np.ndarray, tuple[int, ...]]) -> None:
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


def check_delta(delta: np.ndarray, e: np.ndarray, skip: int) -> None:
    """δ of every step, or room for one step where no later one reads it."""
    whole = (1, *e.shape[1:]) if skip == 0 and len(delta) == 1 else e.shape
    check(np.empty((1, 1), e.dtype), (1, 1), delta=(delta, whole))


def over_rows(loop: Callable[..., None], rows: int, threads: int, *arguments: object) -> None:
    """loop(first, last, *arguments) over all rows, in as many shares as there are threads."""
    shares = max(min(threads, rows), 1)
    left = [(rows * i // shares, rows * (i + 1) // shares) for i in range(shares)]
    failed: list[BaseException] = []

    def work() -> None:
        with contextlib.suppress(IndexError):
            while True:
                first, last = left.pop()
                try:
                    loop(first, last, *arguments)
                except BaseException as error:  # nothing may be raised into the team's own code
                    failed.append(error)

    run = team()
    if shares == 1:
        work()
    elif run is not None:
        run(work, shares)
    else:
        with ThreadPoolExecutor(shares - 1) as pool:
            others = [pool.submit(work) for _ in range(shares - 1)]
            work()
            wait(others)
    if failed:
        raise failed[0]


def array(weight: Tensor | None) -> np.ndarray:
    """A weight as a C-contiguous array."""
    return cast(Tensor, weight).detach().contiguous().numpy()
