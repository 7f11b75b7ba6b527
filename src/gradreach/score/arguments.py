"""Checks of what the score test is given; every error names the argument."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def batches_of(value: Tensor | Sequence[Tensor] | None, name: str) -> list[Tensor]:
    """The batches as a list, on the host and without their graph; one tensor is one batch, and None is no batch."""
    if value is None:
        return []
    given = [value] if isinstance(value, Tensor) else list(value)
    if not given or not all(isinstance(batch, Tensor) for batch in given):
        raise ValueError(
            f"{name}: expected a tensor (N, T, …) or a list of such, got {type(value).__name__} {value!r:.60}"
        )
    for batch in given:
        if batch.dim() < 2 or not batch.shape[0] or not batch.shape[1]:
            raise ValueError(f"{name}: expected sequences of steps (N, T, …), got shape {tuple(batch.shape)}")
        if batch.is_floating_point() and not bool(batch.isfinite().all()):
            raise ValueError(f"{name}: holds NaN or infinity; leave such batches out, they say nothing")
    return [batch.detach().cpu() for batch in given]


def check_batches(errors: list[Tensor], inputs: list[Tensor], states: list[Tensor]) -> None:
    """Raise ValueError where batches do not belong together."""
    wanted = [tuple(batch.shape[:2]) for batch in errors]
    for name, batches in (("errors", errors), ("inputs", inputs), ("states", states)):
        shapes = [tuple(batch.shape[:2]) for batch in batches]
        if shapes != wanted and (batches or name == "inputs"):
            raise ValueError(f"{name}: expected the same (N, T) as errors, {wanted[:3]}, got {shapes[:3]}")
        for batch in batches:
            if name != "inputs" and (batch.dim() != 3 or not batch.is_floating_point()):
                raise ValueError(f"{name}: expected real values (N, T, width), got {batch.dtype} {tuple(batch.shape)}")
        for first, second in pairwise(batches):
            if first.shape[2:] != second.shape[2:] or first.is_floating_point() != second.is_floating_point():
                raise ValueError(
                    f"{name}: expected batches alike, got {first.dtype} {tuple(first.shape)} and "
                    f"{second.dtype} {tuple(second.shape)}"
                )
    if not inputs[0].is_floating_point() and inputs[0].dim() != 2:
        raise ValueError(
            f"inputs: expected token ids (N, T) or real values (N, T, f), got {inputs[0].dtype} "
            f"{tuple(inputs[0].shape)}; turn counts or one-hot rows into floats"
        )


def sequence_numbers(groups: Tensor | Sequence[Tensor] | None, errors: list[Tensor]) -> list[Tensor]:
    """One number for each sequence of each batch; without groups every sequence has its own."""
    sizes = [batch.shape[0] for batch in errors]
    if groups is None:
        return list(torch.arange(sum(sizes)).split(sizes))
    given = [groups] if isinstance(groups, Tensor) else list(groups)
    if [tuple(group.shape) for group in given] != [(size,) for size in sizes]:
        shapes = [tuple(group.shape) for group in given][:5]
        raise ValueError(f"groups: expected one number for each sequence, {sizes[:5]}, got shapes {shapes}")
    return given


def whole_lags(lags: Sequence[int], T: int) -> list[int]:
    """The lags in order, each once. Raises ValueError where one is not from 1 to T − 1."""
    wrong = [lag for lag in lags if isinstance(lag, bool) or not isinstance(lag, int) or not 1 <= lag < T]
    if wrong or not lags:
        raise ValueError(f"lags: expected whole numbers from 1 to T − 1 = {T - 1}, got {wrong[0] if wrong else 'none'}")
    return sorted(set(lags))
