"""A pair of numbers for each parameter that tells whether its values are those of another time or place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradreach.engine.norms import to_host

MOST_VALUES = 1 << 16
"""Of a larger parameter so many evenly spaced values stand for the whole."""

Print = tuple[float, float]
"""The sum of a parameter's values and that of their squares."""


@torch.no_grad()
def prints(parameters: Sequence[Tensor]) -> list[Print]:
    """The print of each."""
    sums: list[Tensor] = []
    for parameter in parameters:
        flat = parameter.detach().reshape(-1)
        some = flat[:: max(1, -(-flat.numel() // MOST_VALUES))].double()
        sums += (some.sum(), some.square().sum())
    host = to_host(sums)
    return list(zip(host[::2], host[1::2], strict=True))
