"""Why an update made weights non-finite although their gradient was finite: what the optimizer's own state tells."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from gradreach.watch.nonfinite.operations import Ground
from gradreach.watch.nonfinite.values import first_bad, format_of, is_finite, readable, told, value_of

_MEANS = ("exp_avg", "momentum_buffer")
_SQUARES = ("exp_avg_sq", "square_avg", "sum")


def why_spoiled(parameter: Tensor) -> tuple[Ground, str]:
    """Why a parameter is not finite after an update: the ground, and more on it in a sentence.

    The optimizer is looked for among all living objects, once, since nothing is asked of it while training is sound.
    """
    plain = readable(parameter)
    assert plain is not None
    index = first_bad(plain) or ()
    value, shape = value_of([parameter]) or "nan", tuple(parameter.shape)
    found = next(_holders(parameter), None)
    if found is None:
        return Ground("", "", value, "", index, shape), ""
    optimizer, group = found
    name, state = type(optimizer).__name__, optimizer.state.get(parameter, {})
    if any(not is_finite(state.get(mean)) for mean in _MEANS):
        detail = f"{name}'s running mean of this weight's gradient is not finite either, so an earlier gradient was not"
        return Ground(name, "", value, "", index, shape), detail
    eps = group.get("eps")
    if isinstance(eps, float) and float(torch.tensor(eps, dtype=parameter.dtype)) == 0.0 and _is_zero(state, index):
        kind = format_of(parameter)
        argument = f"{name}'s eps of {eps:g} is 0 in {kind}, and so is its running mean of squared gradients there"
        return Ground(name, "optimizer constant", value, argument, index, shape), ""
    largest = plain[torch.isfinite(plain)].abs()
    size = f", the largest finite weight of it is {told(float(largest.max()))}" if len(largest) else ""
    argument = f"{name} with a rate of {told(float(group['lr']))}{size}" if "lr" in group else name
    return Ground(name, "update too large", value, argument, index, shape), ""


def _holders(parameter: Tensor) -> Iterator[tuple[Optimizer, dict[str, Any]]]:
    """The optimizers that train a parameter, each with the group that it belongs to."""
    for held in gc.get_objects():
        if issubclass(type(held), Optimizer):
            for group in getattr(held, "param_groups", ()):
                if any(parameter is other for other in group["params"]):
                    yield held, group


def _is_zero(state: dict[str, Any], index: tuple[int, ...]) -> bool:
    """Whether the running mean of squared gradients is 0 where the weight is not finite."""
    squares = [state[name] for name in _SQUARES if isinstance(state.get(name), Tensor)]
    return any(square.dim() == len(index) and float(square[index]) == 0.0 for square in squares)
