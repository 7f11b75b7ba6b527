"""How well the ids at the places of a table tell the classes there, beside the same ids moved along both axes.

Ids that come in stretches, or are alike in a row, agree with classes of that kind by chance more often than ids drawn
one by one. Moved as a whole, with what leaves at one end coming in at the other, they keep all of that.
"""

from __future__ import annotations

import torch
from torch import Tensor

MOVES = 30
MOST_PLACES = 4096
"""Places that are counted, drawn where there are more."""


def fit(ids: Tensor, classes: Tensor, counts: Tensor) -> float | None:
    """The mutual information of ids and classes, two tables of one shape, at the places that count: how many deviations
    it lies above the mean of what it is where the ids are moved; None where moving them changes nothing."""
    ids, classes, counts = ids.cpu(), classes.cpu(), counts.cpu()
    draw, (rows, columns) = torch.Generator().manual_seed(0), ids.shape
    places = counts.flatten().nonzero().flatten()
    places = places[torch.randperm(len(places), generator=draw, device="cpu")[:MOST_PLACES]]
    row, column = places // columns, places % columns
    told = classes.flatten()[places].unique(return_inverse=True)[1]
    known = ids.unique(return_inverse=True)[1]
    moves = torch.randperm(rows * columns - 1, generator=draw, device="cpu")[:MOVES] + 1
    moved = torch.stack(
        [
            _information(known[(row + move // columns) % rows, (column + move % columns) % columns], told)
            for move in moves
        ]
    )
    deviation = float(moved.std())
    return (float(_information(known[row, column], told)) - float(moved.mean())) / deviation if deviation > 0 else None


def _information(one: Tensor, other: Tensor) -> Tensor:
    """The mutual information of two columns of numbers from 0, in nats, from their counts."""
    both = one * (int(other.max()) + 1) + other
    return _entropy(one) + _entropy(other) - _entropy(both)


def _entropy(column: Tensor) -> Tensor:
    share = column.unique(return_counts=True)[1].double() / len(column)
    entropy: Tensor = -(share * share.log()).sum()
    return entropy
