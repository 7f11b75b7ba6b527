"""A learning rate is lowered for good in the optimizer and in what its schedulers compute it from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_RATES = ("lr", "initial_lr", "max_lr", "min_lr")
"""Keys of a parameter group: initial_lr is any scheduler's, max_lr and min_lr are OneCycleLR's."""
_ATTRIBUTES = ("base_lrs", "max_lrs", "_last_lr", "eta_min")
"""Attributes of schedulers: lists of one rate a group, or one rate."""


def lower_learning_rate(optimizer: torch.optim.Optimizer, schedulers: Sequence[Any], factor: float) -> None:
    """Multiply the learning rates of every group by `factor`, and the schedulers' bases, nested ones included."""
    for group in optimizer.param_groups:
        for name in _RATES:
            if isinstance(group.get(name), Tensor):
                group[name].mul_(factor)
            elif name in group:
                group[name] *= factor
    for scheduler in schedulers:
        _lower(scheduler, factor)


def _lower(scheduler: Any, factor: float) -> None:
    for name in _ATTRIBUTES:
        if hasattr(scheduler, name):
            rates = getattr(scheduler, name)
            setattr(scheduler, name, [r * factor for r in rates] if isinstance(rates, list) else rates * factor)
    for nested in getattr(scheduler, "_schedulers", ()):
        _lower(nested, factor)
