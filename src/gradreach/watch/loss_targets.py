"""What a comparison of the loss is asked for: how often each class, or how its targets lie, and the best constant."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from gradreach.record.seen.loss import LossLook
from gradreach.watch.comparisons import Compared
from gradreach.watch.row_losses import MOST_CLASSES, constant_guess
from gradreach.watch.spreads import rows_of, spread_of
from gradreach.watch.tensors import is_dense_and_real

RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, math.inf),
    "softplus": (0.0, math.inf),
    "exp": (0.0, math.inf),
}
"""What operations at the end of a network can give at all."""

RECURRENT = (nn.LSTM, nn.GRU, nn.RNN, nn.LSTMCell, nn.GRUCell, nn.RNNCell)
"""Layers whose output is a state between -1 and 1."""

_RECURRENT_NAMES = frozenset(kind.__name__ for kind in RECURRENT)


def with_targets(seen: LossLook, each: Compared, target: Tensor) -> LossLook:
    """A comparison's look, with what its targets tell."""
    if each.kind in ("cross entropy", "cross entropy on probabilities", "negative log-likelihood"):
        return _with_classes(seen, each)
    return _with_numbers(seen, target)


def _with_classes(seen: LossLook, each: Compared) -> LossLook:
    target, classes = each.target, each.output_shape[1:2] or each.output_shape
    if target is not None and target.is_floating_point():
        return _with_shares(seen, target)
    if target is None or not classes or classes[0] > MOST_CLASSES or target.dtype != torch.int64:
        return seen
    labels = target.reshape(-1)
    valid = labels[(labels >= 0) & (labels < classes[0])]
    if each.ignored is not None:
        valid = valid[valid != each.ignored]
    counts = torch.bincount(valid, minlength=classes[0]).tolist()
    guess = None if each.is_weighted else _entropy(counts)
    left_out = each.ignored if each.ignored is not None and 0 <= each.ignored < classes[0] else None
    ignored = left_out if left_out is not None and bool((labels == left_out).any()) else None
    return replace(seen, counts=tuple(counts), guess=guess, ignored=ignored)


def _with_shares(seen: LossLook, target: Tensor) -> LossLook:
    """Of targets that give each class its share, one to each row in all."""
    rows = rows_of(target).reshape(-1, target.shape[-1]).double()
    if rows.shape[1] > MOST_CLASSES or not bool(((rows >= 0).all(1) & ((rows.sum(1) - 1).abs() < 1e-3)).all()):
        return seen
    counts = [round(each) for each in rows.sum(0).tolist()]
    return replace(seen, counts=tuple(counts), guess=_entropy(counts))


def _with_numbers(seen: LossLook, target: Tensor) -> LossLook:
    if not is_dense_and_real(target):
        return seen
    target = rows_of(target).float()
    guess = None
    if target.shape[:1].numel() >= 2 and bool(torch.isfinite(target).all()):
        guess = constant_guess(seen.kind, target)
    seen = replace(seen, targets=spread_of(target), guess=guess)
    low, high = RANGES.get(seen.last, (-1.0, 1.0) if seen.last in _RECURRENT_NAMES else (-math.inf, math.inf))
    if seen.kind not in ("squared error", "absolute error") or (low, high) == (-math.inf, math.inf):
        return seen
    beyond = (low - target).clamp(min=0.0) + (target - high).clamp(min=0.0)
    left = beyond.square() if seen.kind == "squared error" else beyond
    return replace(seen, outside=(beyond > 0.0).float().mean().item(), floor=left.mean().item())


def _entropy(counts: list[int]) -> float | None:
    whole = sum(counts)
    return -sum(n / whole * math.log(n / whole) for n in counts if n) if whole else None
