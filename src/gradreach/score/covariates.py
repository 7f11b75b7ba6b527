"""The covariates, which are held fixed while a far lag is tested: nearer inputs, and the model's own state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradreach.score.features import near_together, one_hot
from gradreach.score.ladder import Band
from gradreach.score.lagged_inputs import LaggedInputs
from gradreach.score.regression import Regression
from gradreach.score.rows import Rows

ROWS_A_COLUMN = 5
"""The least number of positions for each column of the regression; columns beyond that are left out."""

FEWEST_COLUMNS = 4
MOST_STATES = 64
IDS = 48
"""How many of the commonest token ids are held fixed, each by itself."""

FOLLOWED = 4
"""For how many directions of the state that the error follows, products up to the third degree are held fixed too."""


class Covariates:
    """The columns to regress on, for any band."""

    def __init__(
        self,
        features: LaggedInputs,
        inputs: Sequence[Tensor],
        states: Sequence[Tensor] | None,
        generator: torch.Generator,
    ) -> None:
        self._far = features
        self._near = features if inputs[0].is_floating_point() else LaggedInputs(one_hot(inputs, IDS))
        self._together = LaggedInputs(near_together(inputs, generator))
        self._states = None if states is None else LaggedInputs(states)

    def columns(self, rows: Rows, band: Band, nearer: Sequence[Band]) -> Tensor | None:
        """Centred columns (n, q), the most needed first, as many as the rows bear; None where they bear too few.

        The lag next to the band comes first: in a Markov chain it parts the band from everything nearer. Then comes the
        state, since the model's own answer depends on all that it remembers; then x_t, x_t and x_{t−1} together, and
        the bands of `nearer` in their order.
        """
        room = len(rows.step) // ROWS_A_COLUMN - int(rows.stratum.max())
        taken: list[Tensor] = []
        for values in self._candidates(rows, band, nearer, room):
            centred = rows.centred(values)
            width = min(centred.shape[1], max(room, 0))
            if width < min(centred.shape[1], FEWEST_COLUMNS):
                break
            taken.append(centred if width == centred.shape[1] else _principal(centred, width))
            room -= width
        return torch.cat(taken, 1) if taken else None

    def _candidates(self, rows: Rows, band: Band, nearer: Sequence[Band], room: int) -> Iterator[Tensor]:
        yield self._near.at(rows, Band(band.lag - 1, band.lag - 1))
        if self._states is not None:
            state = rows.centred(self._states.at(rows, Band(0, 0)))
            state = _principal(state, min(MOST_STATES, max(room // 4, FEWEST_COLUMNS)))
            yield state
            yield _followed(state, rows)
        if band.lag > 1:
            yield self._near.at(rows, Band(0, 0))
            yield self._together.at(rows, Band(0, 0))
        if band.lag > 2:
            yield self._near.at(rows, Band(1, 1))
        for other in nearer:
            yield self._far.at(rows, other)


def _principal(values: Tensor, most: int) -> Tensor:
    """The leading principal components of centred values (n, d), at most `most` of them."""
    eigenvalues, vectors = torch.linalg.eigh(values.T @ values)
    alive = eigenvalues > 1e-9 * eigenvalues[-1].clamp_min(1e-30)
    leading: Tensor = vectors[:, alive][:, -most:]
    return values @ leading


def _followed(state: Tensor, rows: Rows) -> Tensor:
    """Squares, products and third powers of what the error follows in the state, because a softmax is not linear."""
    errors = rows.centred(rows.errors)
    index = _principal(errors - Regression(state, rows).residual(errors), FOLLOWED)
    index = index / index.square().mean(0).sqrt().clamp_min(1e-30)
    first, second = torch.triu_indices(index.shape[1], index.shape[1])
    pairs = index[:, first] * index[:, second]
    triples = [pairs[:, first >= k] * index[:, k : k + 1] for k in range(index.shape[1])]
    return torch.cat([pairs, *triples], 1)
