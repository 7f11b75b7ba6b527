"""The rows of a loss that stand at padding: the input is filled up there, and the target is always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradreach.record.seen.loss import PaddedRows
from gradreach.watch.comparisons import Compared
from gradreach.watch.padding_runs import MOST_GIVEN, padded_places
from gradreach.watch.row_losses import MOST_CLASSES, constant_guess, is_likelihood, row_losses
from gradreach.watch.tensors import is_dense


@torch.no_grad()
def padded_rows(each: Compared, given: Sequence[Tensor]) -> PaddedRows | None:
    """Of a comparison that the loss takes in as a whole, its rows at the padding of data that the model was given; None
    where there is none, or the target differs from one padded place to another."""
    if not each.is_reduced or each.target is None or not is_dense(each.target):
        return None
    target = _without_ones(each.target)
    for places in (found for x in given if (found := _places(x, target)) is not None):
        for at_padding in _laid_out(places, target):
            padded = target[at_padding].flatten(1) if target.dim() > at_padding.dim() else target[at_padding]
            others = target[~at_padding]
            if bool((padded == padded[0]).all()) and len(others) and not bool((others == others[0]).all()):
                return _told(each, at_padding)
    return None


def _places(x: Tensor, target: Tensor) -> Tensor | None:
    """Where `x` is padding, if it has as many places as the target has rows."""
    if x.dim() not in (2, 3) or x.numel() > MOST_GIVEN:
        return None
    places = x.shape[0] * x.shape[1]
    fits = target.shape[0] == places or (target.dim() > 1 and target.shape[0] * target.shape[1] == places)
    return padded_places(x) if fits else None


def _laid_out(places: Tensor, target: Tensor) -> Iterator[Tensor]:
    """The same places in the orders in which a target's first axes can have them."""
    for way in (places, places.transpose(0, 1)):
        if target.dim() > 1 and target.shape[:2] == way.shape:
            yield way
        elif target.shape[0] == way.numel():
            yield way.flatten()


def _without_ones(x: Tensor) -> Tensor:
    """The same numbers without axes of a single place, one axis at least."""
    return x.reshape([size for size in x.shape if size != 1] or [1])


def _told(each: Compared, at_padding: Tensor) -> PaddedRows | None:
    losses, target = row_losses(each), each.target
    if each.output is None or target is None or losses is None or losses.shape != target.shape:
        return None
    losses, target = _without_ones(losses), _without_ones(target)
    share, at_data = at_padding.float().mean().item(), losses[~at_padding]
    loss, rest = losses[at_padding].mean().item(), target[~at_padding]
    if not is_likelihood(each):
        return PaddedRows(share, loss, at_data.mean().item(), constant_guess(each.kind, rest.float()))
    classes, label = each.output.shape[1], int(target[at_padding][0])
    is_class = (rest >= 0) & (rest < classes) & (rest != each.ignored)
    if not 0 <= label < classes or label == each.ignored or not bool(is_class.any()):
        return None
    rest, others = rest[is_class], at_data[is_class].mean().item()
    counts = torch.bincount(rest, minlength=classes).tolist() if classes <= MOST_CLASSES else ()
    return PaddedRows(share, loss, others, None, tuple(counts), label, bool((rest == label).any()))
