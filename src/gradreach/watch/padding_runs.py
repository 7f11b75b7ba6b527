"""Where sequences are filled up to one length: one value at an end of the rows, more often in one than another."""

from __future__ import annotations

import torch
from torch import Tensor

FEWEST_STEPS = 8
FEWEST_ROWS = 4

MOST_GIVEN = 1 << 24
"""Numbers of a larger tensor are not searched for padding."""


@torch.no_grad()
def runs_at_end(x: Tensor) -> Tensor | None:
    """Of each row (T, f) how many of its last steps hold the value that rows end with most often.

    None where that value stands anywhere else in a row, or as often in every one: then it is no padding.
    """
    is_value = _is_last_value(x)
    runs: Tensor = is_value.flip(1).long().cumprod(1).sum(1)
    elsewhere = is_value.sum(1) != runs
    if bool(elsewhere.any()) or len(runs.unique()) < 2 or int(runs.max()) < 2:
        return None
    return runs


@torch.no_grad()
def padded_places(x: Tensor) -> Tensor | None:
    """Which places of (B, T), (T, B) or one of these with features are padding; None where there is none."""
    x = x if x.dim() == 3 else x.unsqueeze(-1)
    for rows in (x, x.transpose(0, 1)):
        if rows.shape[0] >= FEWEST_ROWS and rows.shape[1] >= FEWEST_STEPS:
            for way in (rows, rows.flip(1)):
                if runs_at_end(way) is not None:
                    places = _is_last_value(way)
                    places = places if way is rows else places.flip(1)
                    return places if rows is x else places.transpose(0, 1)
    return None


def _is_last_value(x: Tensor) -> Tensor:
    """Where steps (B, T) hold the value that rows end with most often."""
    values, counts = torch.unique(x[:, -1], dim=0, return_counts=True)
    is_value: Tensor = (x == values[counts.argmax()]).all(-1)
    return is_value
