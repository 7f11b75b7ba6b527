"""What is left of a loss beside the comparisons that it is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.autograd.graph import GradientEdge

from gradreach.record.seen.loss import LossConstant, LossLook
from gradreach.watch.comparisons import MEAN, NAMED, Compared
from gradreach.watch.graph import operation
from gradreach.watch.lens import BackwardPass
from gradreach.watch.nonfinite.operations import key_of
from gradreach.watch.nonfinite.saved_values import saved_value


def loss_constant(
    backward: BackwardPass, compared: Sequence[Compared], seen: Sequence[LossLook], scale: float
) -> LossConstant | None:
    """What is left of a loss beside its comparisons, each by its mean and its factor; None where one is not known."""
    values = [look.value for look in seen]
    if len(backward.losses) != 1 or None in values or not all(map(_is_mean, compared)):
        return None
    loss, edges = backward.losses[0], [GradientEdge(each.node, 0) for each in compared]
    factors = torch.autograd.grad([loss], edges, retain_graph=True, allow_unused=True)
    if any(factor is None for factor in factors) or loss.numel() != 1:
        return None
    whole = loss.detach().item() / scale
    known = sum((value or 0.0) * factor.sum().item() / scale for value, factor in zip(values, factors, strict=True))
    return LossConstant(whole - known, whole)


def _is_mean(each: Compared) -> bool:
    """Whether a comparison is a mean, or comes to one where all its numbers count alike."""
    return key_of(operation(each.node)) not in NAMED or saved_value(each.node, "reduction") == MEAN
