"""What the script's clipping by value takes from the gradients of a look."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gradreach.engine.norms import each_norm, to_host
from gradreach.record.seen.loop import ValueClip
from gradreach.watch.tensors import is_dense_and_real
from gradreach.watch.update import sample, scale


@torch.no_grad()
def value_clip(parameters: Sequence[Tensor], threshold: float) -> ValueClip | None:
    """What a limit on each element will leave of the gradients as they stand; None where there is nothing to measure.

    Of a large gradient an evenly spaced sample stands for the whole.
    """
    gradients = [p.grad for p in parameters if p.grad is not None and is_dense_and_real(p.grad)]
    if not gradients:
        return None
    samples = [sample(each) for each in gradients]
    sizes = [each.abs() for each in samples]
    found = to_host(
        [
            *each_norm(samples),
            *each_norm([each.clamp(max=threshold) for each in sizes]),
            *((each > threshold).sum() for each in sizes),
            *(each.count_nonzero() for each in sizes),
        ]
    )
    count = len(gradients)
    norms, left, cut, elements = (found[at : at + count] for at in range(0, 4 * count, count))
    factors = [scale(each) for each in gradients]
    return ValueClip(
        threshold,
        sum((factor * norm) ** 2 for factor, norm in zip(factors, norms, strict=True)) ** 0.5,
        sum((factor * norm) ** 2 for factor, norm in zip(factors, left, strict=True)) ** 0.5,
        round(sum(factor**2 * number for factor, number in zip(factors, cut, strict=True))),
        round(sum(factor**2 * number for factor, number in zip(factors, elements, strict=True))),
    )
