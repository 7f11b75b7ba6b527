"""What a comparison came to, number by number, from what the graph holds of it; and what a constant gets."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gradreach.watch.comparisons import Compared
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_CLASSES = 1024
"""Classes whose targets are counted."""


def is_likelihood(each: Compared) -> bool:
    """Whether logarithms of probabilities are held against classes by their numbers."""
    kinds, target = ("cross entropy", "negative log-likelihood"), each.target
    return each.kind in kinds and target is not None and target.dtype == torch.int64


@torch.no_grad()
def row_losses(each: Compared) -> Tensor | None:
    """The losses in the target's shape, 0 for a class out of range; None where they cannot be known."""
    output, target = each.output, each.target
    if output is None or target is None or each.is_weighted or not is_dense(output) or not is_dense(target):
        return None
    if is_likelihood(each):
        if output.dim() != target.dim() + 1 or output.dim() < 2 or output.shape[0] != target.shape[0]:
            return None
        is_class = (target >= 0) & (target < output.shape[1])
        own = output.gather(1, target.where(is_class, torch.zeros_like(target)).unsqueeze(1)).squeeze(1)
        return -own.float() * is_class
    if target.shape != output.shape or not is_dense_and_real(target):
        return None
    if each.kind == "binary cross entropy on logits":
        return F.binary_cross_entropy_with_logits(output.float(), target.float(), reduction="none")
    if each.kind == "binary cross entropy":
        return F.binary_cross_entropy(output.float(), target.float(), reduction="none")
    apart = output.float() - target.float()
    return {"squared error": apart.square(), "absolute error": apart.abs()}.get(each.kind)


def constant_guess(kind: str, target: Tensor) -> float | None:
    """The loss of the best constant for each column."""
    if kind == "squared error":
        return target.var(dim=0).mean().item()
    if kind == "absolute error":
        return (target - target.median(dim=0).values).abs().mean().item()
    if kind.startswith("binary") and bool(((target >= 0) & (target <= 1)).all()):
        p = target.mean(dim=0)
        return -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).mean().item()
    return None
