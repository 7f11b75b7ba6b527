"""The work of layers once more, on the very tensors of a step: what is timed, without a trace in the script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_PRODUCTS = 5e8
"""Multiplications of one piece of work, beyond which it is done for some rows of the batch alone."""


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work of a layer: a step does `times` as much, and it may be the `whole` of what the layer does."""

    run: Callable[[], object]
    times: float
    whole: bool


@dataclass(frozen=True, slots=True)
class Faded:
    """One sequence that a recurrent module of this path and kind went through, and whose adjoint nears the smallest
    normal number: what computes its `share` of subnormal entries, and what makes the `work` of the layer, or None."""

    module: str
    kind: str
    share: Callable[[], float]
    work: Callable[[], Work | None]


def linear_work(weight: Tensor, gradient: Tensor, calls: int) -> Work:
    """The product that takes the gradient at a linear layer's output back to its input, one of the layer's three,
    in so many `calls`."""
    every = gradient.detach().reshape(-1, gradient.shape[-1])
    part = every[:: row_stride(len(every), len(every) * weight.numel())]
    fixed = weight.detach().to(every.dtype)

    @torch.no_grad()
    def run() -> None:
        torch.mm(part, fixed)

    return Work(run, calls * len(every) / len(part), False)


def row_stride(rows: int, products: int) -> int:
    """Every how many rows one is taken, so that the work is bounded."""
    return min(max(rows, 1), max(1, round(products / MOST_PRODUCTS)))
