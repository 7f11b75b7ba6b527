"""Directions that the error follows, in the inputs or in the state, and their powers."""

from __future__ import annotations

import torch
from torch import Tensor

from gradreach.score.regression import Regression
from gradreach.score.rows import Rows

FOLLOWED = 4
"""For how many directions that the error follows products up to the third degree are held fixed too."""

ROWS_A_DIRECTION = 8


def principal(values: Tensor, most: int) -> Tensor:
    """The leading principal components of centred values (n, d), at most `most` of them."""
    eigenvalues, vectors = torch.linalg.eigh(values.T @ values)
    alive = eigenvalues > 1e-9 * eigenvalues[-1].clamp_min(1e-30)
    leading: Tensor = vectors[:, alive][:, -most:]
    return values @ leading


def states_followed(state: Tensor, rows: Rows) -> Tensor:
    """Powers of what the error follows in the centred state (n, h), because a softmax is not linear."""
    errors = rows.centred(rows.errors)
    return curves_of(principal(errors - Regression(state, rows).residual(errors), FOLLOWED))


def inputs_followed(window: Tensor, rows: Rows) -> Tensor:
    """The directions (n, k) of the centred near inputs (n, d) along which the error changes, straight or bent.

    Straight: the coefficients of e on x. Bent: the principal Hessian directions, of Σ e x xᵀ (Li 1992).
    """
    errors = _scaled(principal(rows.centred(rows.errors), FOLLOWED))
    x = _scaled(principal(window, max(rows.distinct // ROWS_A_DIRECTION, 1)))
    straight = x.T @ errors / len(x)
    left = errors - x @ straight
    total = straight @ straight.T
    for one in left.T:
        bent = (x * one.unsqueeze(1)).T @ x / len(x)
        total += bent @ bent
    leading: Tensor = torch.linalg.eigh(total)[1][:, -FOLLOWED:]
    return x @ leading


def curves_of(directions: Tensor) -> Tensor:
    """Squares, products and third powers of (n, k) directions."""
    index = _scaled(directions)
    first, second = torch.triu_indices(index.shape[1], index.shape[1])
    pairs = index[:, first] * index[:, second]
    triples = [pairs[:, first >= k] * index[:, k : k + 1] for k in range(index.shape[1])]
    return torch.cat([pairs, *triples], 1)


def _scaled(values: Tensor) -> Tensor:
    return values / values.square().mean(0).sqrt().clamp_min(1e-30)
