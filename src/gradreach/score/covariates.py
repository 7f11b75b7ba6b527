"""The covariates, which are held fixed while a far lag is tested: nearer inputs, and the model's own state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from gradreach.score.features import PAIRS, one_hot, pairs_of, whole
from gradreach.score.followed import curves_of, inputs_followed, principal, states_followed
from gradreach.score.ladder import Band
from gradreach.score.lagged_inputs import LaggedInputs
from gradreach.score.rows import Rows

ROWS_A_COLUMN = 5
"""The least number of distinct positions for each column of the regression; columns beyond that are left out."""

FEWEST_COLUMNS = 4
MOST_COLUMNS = 400
MOST_STATES = 64
IDS = 48
"""How many of the commonest token ids are held fixed, each by itself."""


class Covariates:
    """The columns to regress on, for any band."""

    def __init__(self, features: LaggedInputs, inputs: Sequence[Tensor], states: Sequence[Tensor] | None) -> None:
        self._is_real = inputs[0].is_floating_point()
        self._far = features
        self._present = LaggedInputs(whole(inputs) if self._is_real else one_hot(inputs, IDS))
        self._near = features if self._is_real else self._present
        self._pairs = None if self._is_real else LaggedInputs(pairs_of(inputs, PAIRS))
        self._states = None if states is None else LaggedInputs(states)

    def columns(self, rows: Rows, band: Band, nearer: Sequence[Band]) -> tuple[Tensor, Tensor] | None:
        """Centred columns (n, q) of the nearer inputs alone, and of these and the state; None where there is no room.

        The most needed come first, as many as the rows bear: x_t itself, since what is not held of it shows in
        whatever the state mixes it with; the two lags next to the band, which in a Markov chain of that order part the
        band from everything nearer; what the error follows in x_t and x_{t−1}, bent; then the bands of `nearer`.
        """
        fresh = rows.distinct / len(rows.step)
        room = min(rows.distinct // ROWS_A_COLUMN - int(fresh * int(rows.stratum.max())), MOST_COLUMNS)
        of_state = 0 if self._states is None else max(room // 3, FEWEST_COLUMNS)
        near = _taken((rows.centred(each) for each in self._inputs(rows, band, nearer, room)), room - of_state)
        if near is None:
            return None
        if self._states is None:
            return near, near
        state = principal(
            rows.centred(self._states.at(rows, Band(0, 0))), min(MOST_STATES, max(of_state // 2, FEWEST_COLUMNS))
        )
        both = _taken((state, rows.centred(states_followed(state, rows))), of_state)
        return None if both is None else (near, torch.cat([near, both], 1))

    def _inputs(self, rows: Rows, band: Band, nearer: Sequence[Band], room: int) -> Iterator[Tensor]:
        now = rows.centred(self._present.at(rows, Band(0, 0)))
        yield principal(now, max(room // 4, FEWEST_COLUMNS))
        next_to_it = range(max(band.lag - 2, 0 if self._is_real else 1), band.lag)
        for lag in reversed(next_to_it):
            yield self._near.at(rows, Band(lag, lag))
        if self._pairs is not None and band.lag > 1:
            yield self._pairs.at(rows, Band(band.lag - 2, band.lag - 2))
            if band.lag > 2:
                yield self._pairs.at(rows, Band(0, 0))
        if self._is_real:
            window = [now] if band.lag == 1 else [now, rows.centred(self._present.at(rows, Band(1, 1)))]
            yield curves_of(inputs_followed(torch.cat(window, 1), rows))
        if band.lag > 4:
            yield self._near.at(rows, Band(1, 1))
        for other in nearer:
            yield self._far.at(rows, other)


def _taken(candidates: Iterator[Tensor] | Sequence[Tensor], room: int) -> Tensor | None:
    """As many columns of each of the candidates as there is room for; None where there is too little for the first."""
    taken: list[Tensor] = []
    for centred in candidates:
        width = min(centred.shape[1], max(room, 0))
        if width < min(centred.shape[1], FEWEST_COLUMNS):
            break
        taken.append(centred if width == centred.shape[1] else principal(centred, width))
        room -= width
    return torch.cat(taken, 1) if taken else None
