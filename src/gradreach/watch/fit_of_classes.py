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

LEAST_DEVIATION = 0.6
"""That of √(2 n I) by chance for numbers of two kinds, the absolute value of a normal number, and near it for more. Of
rare numbers a few moves may show less."""


def fit(ids: Tensor, classes: Tensor, counts: Tensor) -> float:
    """√(2 n I), where I is the mutual information of ids and classes, two tables of one shape, at the n places that
    count: how many deviations it lies above the mean of what it is where the ids are moved."""
    ids, classes, counts = ids.cpu(), classes.cpu(), counts.cpu()
    draw, (rows, columns) = torch.Generator().manual_seed(0), ids.shape
    places = counts.flatten().nonzero().flatten()
    places = places[torch.randperm(len(places), generator=draw, device="cpu")[:MOST_PLACES]]
    row, column = places // columns, places % columns
    told = classes.flatten()[places].unique(return_inverse=True)[1]
    known = ids.unique(return_inverse=True)[1]
    moves = torch.randperm((rows - 1) * (columns - 1), generator=draw, device="cpu")[:MOVES]
    of_moved = [
        _tie(known[(row + 1 + move // (columns - 1)) % rows, (column + 1 + move % (columns - 1)) % columns], told)
        for move in moves
    ]
    deviation = max(float(torch.stack(of_moved).std()), LEAST_DEVIATION)
    return (float(_tie(known[row, column], told)) - float(torch.stack(of_moved).mean())) / deviation


def _tie(one: Tensor, other: Tensor) -> Tensor:
    """√(2 n I) of two columns of numbers from 0, from their counts."""
    both = one * (int(other.max()) + 1) + other
    information = _entropy(one) + _entropy(other) - _entropy(both)
    return (2 * len(one) * information).clamp(min=0).sqrt()


def _entropy(column: Tensor) -> Tensor:
    share = column.unique(return_counts=True)[1].double() / len(column)
    entropy: Tensor = -(share * share.log()).sum()
    return entropy
