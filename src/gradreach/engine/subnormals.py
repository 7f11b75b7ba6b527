"""Subnormal numbers, with which many CPUs compute tens of times slower: arithmetic without them, and their share.

Adjoints that vanish end there: below 1.2e-38 in float32 and 2.2e-308 in float64.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradreach.engine.threads import on_every_thread

MOST_ELEMENTS = 1 << 12
"""Of a larger tensor an evenly spaced sample of about this size stands for the whole."""

_BITS: Mapping[torch.dtype, tuple[torch.dtype, int]] = {
    torch.float32: (torch.int32, 1 << 23),
    torch.float64: (torch.int64, 1 << 52),
    torch.bfloat16: (torch.int16, 1 << 7),
}
"""Of each dtype the integers of its size, and the first whose bits are those of a normal number. Subnormal numbers of
float16 are normal ones in the float32 that CPUs compute it with."""


@contextmanager
def flushed() -> Iterator[None]:
    """Within it, subnormal numbers count as 0 on this thread and on those that torch computes with.

    Each thread gets the mode back that it had. On a machine that cannot flush them, nothing changes.
    """
    turned: set[int] = set()

    def on() -> None:
        if not flushes() and torch.set_flush_denormal(True):
            turned.add(threading.get_ident())

    def off() -> None:
        if threading.get_ident() in turned:
            torch.set_flush_denormal(False)

    on_every_thread(on)
    try:
        yield
    finally:
        on_every_thread(off)


def set_flushing(on: bool) -> bool:
    """Take subnormal numbers for 0 from now on, or no more, on this thread and on those that torch computes with.

    Returns whether this machine can.
    """
    on_every_thread(lambda: torch.set_flush_denormal(on))
    return flushes() == on


def flushes() -> bool:
    """Whether this thread's arithmetic takes subnormal numbers for 0; Python's floats follow the same mode."""
    return sys.float_info.min / 2 == 0.0


@cache
def can_flush() -> bool:
    """Whether this machine can take subnormal numbers for 0."""
    with flushed():
        return flushes()


def are_subnormal(values: Float[Tensor, ...]) -> Bool[Tensor, ...]:
    """Which of them are subnormal, 0 < |x| < finfo.tiny; told from the bits, since arithmetic may take them for 0.

    The values are float32, float64 or bfloat16; of other dtypes none is.

    >>> are_subnormal(torch.tensor([0.0, 1e-40, -1e-40, 1.0]))
    tensor([False,  True,  True, False])
    """
    kind, first_normal = _BITS.get(values.dtype, (None, 0))
    if kind is None:
        return torch.zeros_like(values, dtype=torch.bool)
    size = values.detach().view(kind) & torch.iinfo(kind).max
    return (size > 0) & (size < first_normal)


def subnormal_shares(tensors: Sequence[Tensor]) -> list[float]:
    """The share of subnormal numbers in each of them, of a large one by a sample.

    >>> subnormal_shares([torch.ones(2), torch.tensor([0.0, 1e-40, -1e-40, 1.0])])
    [0.0, 0.5]
    """
    some = [_sample(tensor) for tensor in tensors]
    together = (torch.cat([each for each in some if each.dtype == kind]) for kind in {each.dtype for each in some})
    have = {each.dtype for each in together if bool(are_subnormal(each).any())}
    return [float(are_subnormal(each).float().mean()) if each.dtype in have and each.numel() else 0.0 for each in some]


def _sample(values: Tensor) -> Tensor:
    flat = values.detach().reshape(-1)
    return flat[:: max(1, -(-flat.numel() // MOST_ELEMENTS))]
