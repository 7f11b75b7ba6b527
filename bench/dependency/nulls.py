"""Why signs: the errors of one sequence paired with the inputs of others, against the signs of whole sequences.

One score: e_t times what x_{t−20} adds to x_{t−19} in an AR(1) chain; nothing depends on anything. The scales of the
sequences are alike or log-normal, and the errors' size is constant or follows |x_t|.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import inputs
import torch
from intervals import said
from torch import Tensor
from work import Work

N, T, LAG, DRAWS = 48, 64, 20, 300
ALPHA = 0.05
SPREAD = 0.7
"""Standard deviation of the logarithm of a sequence's scale."""

SIZES = (
    "sequences alike, errors alike",
    "errors as large as |x_t|",
    "errors as large as |x_t|, sequences of many scales",
)


def run(work: Work) -> Iterator[dict[str, Any]]:
    """A row for each chain and each size of the errors."""
    runs = 20 if work.quick else 400
    for rho in (0.0, 0.9, 0.99):
        for size in SIZES:
            print(f"nulls: AR(1) {rho}, {size}", file=sys.stderr, flush=True)
            yield {"rho": rho, "size": size, "runs": runs, **_rejections(rho, size, runs)}


def _rejections(rho: float, size: str, runs: int) -> dict[str, int]:
    g = torch.Generator().manual_seed(round(1000 * rho) + SIZES.index(size))
    hits = {"pairs": 0, "signs": 0}
    for _ in range(runs):
        x = inputs.autoregressive(rho)(N, T, g)[..., 0]
        if size == SIZES[2]:
            x = x * torch.exp(SPREAD * torch.randn(N, 1, generator=g))
        errors = torch.randn(N, T, generator=g) * (x.abs() if size != SIZES[0] else 1.0)
        new = x[:, :-LAG] - rho * x[:, 1 : T - LAG + 1]
        products = _centred(errors[:, LAG:]) @ _centred(new).T
        seen = products.diagonal().sum().square()
        others = torch.stack([torch.randperm(N, generator=g) for _ in range(DRAWS)])
        signs = torch.randint(0, 2, (DRAWS, N), generator=g).float() * 2 - 1
        hits["pairs"] += _is_small(seen, products[torch.arange(N), others].sum(1).square())
        hits["signs"] += _is_small(seen, (signs @ products.diagonal()).square())
    return hits


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(0)


def _is_small(seen: Tensor, drawn: Tensor) -> bool:
    return float((1 + (drawn >= seen).sum()) / (1 + len(drawn))) <= ALPHA


def tables(rows: list[dict[str, Any]]) -> dict[str, list[list[str]]]:
    """`nulls`: how often each null rejects at 5 % where nothing depends on anything."""
    head = ["input", "sizes", "runs", "pairs of sequences, %", "signs of sequences, %"]
    body = [
        [f"AR(1) {row['rho']}", row["size"], str(row["runs"]), *(said(row[n], row["runs"]) for n in ("pairs", "signs"))]
        for row in rows
    ]
    return {"nulls": [head, *body]}
