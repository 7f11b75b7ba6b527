"""NaN in what a model is given that a division by 0 explains."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gradreach.watch.nonfinite.divided import divided

torch.manual_seed(0)
COUNTS = torch.randint(0, 5, (60, 30)).float()
COUNTS[[4, 9]] = 0.0
TABLE = 30 + 4 * torch.randn(200, 12)
TABLE[:, 7] = 2.0
NAN = float("nan")


def standardised(table: Tensor, correction: int = 1) -> Tensor:
    return (table - table.mean(0)) / table.std(0, correction=correction)


@pytest.mark.parametrize(
    ("tensor", "told"),
    [
        (COUNTS / COUNTS.sum(1, keepdim=True), ("sum of a row", "2 of 60 rows")),
        ((COUNTS / COUNTS.sum(1, keepdim=True)).double(), ("sum of a row", "2 of 60 rows")),
        (COUNTS / COUNTS.norm(dim=1, keepdim=True), ("norm of a row", "2 of 60 rows")),
        (standardised(TABLE), ("deviation of a column", "1 of 12 columns")),
        (standardised(TABLE, 0), ("deviation of a column", "1 of 12 columns")),
    ],
)
def test_what_the_rest_was_divided_by(tensor: Tensor, told: tuple[str, str]) -> None:
    assert divided(tensor) == told


def spoilt(tensor: Tensor, *where: object, value: float = NAN) -> Tensor:
    """A copy with a value in some places."""
    copy = tensor.clone()
    copy[where] = value  # type: ignore[index]
    return copy


SHARES = torch.rand(40, 6).softmax(1)


@pytest.mark.parametrize(
    "tensor",
    [
        None,
        spoilt(TABLE, 3),
        spoilt(SHARES, 3, 2),
        spoilt(SHARES, 3, value=float("inf")),
        spoilt(spoilt(SHARES, 3), 5, 1),
        spoilt(SHARES.half(), 3),
        spoilt(SHARES[:8], 3),
        spoilt(torch.eye(20), 3),
        spoilt(standardised(TABLE), 5, 3),
        spoilt(standardised(TABLE)[:60], slice(None), 3),
        spoilt(TABLE, slice(None), 3),
        torch.full((20, 4), NAN),
        spoilt(SHARES, 3).unsqueeze(0),
    ],
    ids=[
        "not there",
        "rows of any size",
        "one value",
        "infinity",
        "a row and a value",
        "half precision",
        "few rows",
        "marks of classes",
        "one value of a table",
        "a batch of a table",
        "columns of any size",
        "nothing sound",
        "three axes",
    ],
)
def test_all_else_came_in_as_it_is(tensor: Tensor | None) -> None:
    assert divided(tensor) == ("inputs", "")
