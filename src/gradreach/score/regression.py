"""Least squares on the covariates, and what the fit leaves of each cluster."""

from __future__ import annotations

import torch
from torch import Tensor

from gradreach.score.rows import Rows

_RIDGE = 1e-9
_TERMS = 8


class Regression:
    """Least squares of any values (n, d) on the columns of `z` (n, q), both already centred by stratum."""

    def __init__(self, z: Tensor, rows: Rows) -> None:
        self._rows = rows
        self._z = z / z.square().mean(0).sqrt().clamp_min(1e-12)
        gram = self._z.T @ self._z
        gram.diagonal().add_(_RIDGE * len(z) + 1e-12)
        self._root = torch.linalg.cholesky(gram)

    def residual(self, values: Tensor) -> Tensor:
        """What the fit leaves."""
        return values - self._z @ torch.cholesky_solve(self._z.T @ values, self._root)

    def widened(self, residual: Tensor) -> Tensor:
        """(I − H_cc)^{−1/2} r_c of each cluster's residual, where H_cc is its own block of the hat matrix.

        The residual is then as wide as the error was before the fit took its share (CR2: Bell, McCaffrey 2002). It is
        computed by the series in H_cc, to 8 terms, with H_cc itself where clusters have fewer rows than `z` columns.
        """
        basis = self._rows.by_cluster(torch.linalg.solve_triangular(self._root, self._z.T, upper=False).T)
        hat = basis @ basis.mT if basis.shape[1] < basis.shape[2] else None
        term = total = self._rows.by_cluster(residual)
        factor = 1.0
        for k in range(1, _TERMS + 1):
            term = basis @ (basis.mT @ term) if hat is None else hat @ term
            factor *= (2 * k - 1) / (2 * k)
            total = total + factor * term
        return self._rows.as_rows(total)
