"""Whether each step of a recurrent module begins from the same state."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.recurrence import SteppedState
from tests.watch.conftest import Watched

T, B = 5, 3

Loop = Callable[[Tensor], Tensor]


def seen_of(model: nn.Module, loop: Loop, watched: Watched) -> set[SteppedState]:
    def train() -> None:
        for _ in range(3):
            loop(torch.randn(B, T, 2)).square().mean().backward()

    record = watched(train)[1]
    return {seen for look in record.looks for seen in look.stepped_states}


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_a_cell_that_begins_anew_and_one_that_goes_on(kind: str, watched: Watched) -> None:
    torch.manual_seed(0)
    cell, start = getattr(nn, kind)(2, 4), torch.zeros(B, 4)
    first = (start, start) if kind == "LSTMCell" else start

    def anew(x: Tensor) -> Tensor:
        left = [cell(x[:, t], first) for t in range(T)]
        return torch.stack([each[0] if kind == "LSTMCell" else each for each in left])

    def on(x: Tensor) -> Tensor:
        state = first
        for t in range(T):
            state = cell(x[:, t], state)
        return state[0] if kind == "LSTMCell" else state

    assert seen_of(cell, anew, watched) == {SteppedState("model", kind, T, T - 1, is_given=True)}
    assert seen_of(cell, on, watched) == {SteppedState("model", kind, T, 0, is_given=True)}


def test_a_layer_over_one_step_and_states_that_are_equal_by_their_numbers(watched: Watched) -> None:
    gru = nn.GRU(2, 4, batch_first=True)
    none = seen_of(gru, lambda x: torch.cat([gru(x[:, t : t + 1])[0] for t in range(T)], 1), watched)
    zeros = seen_of(
        gru, lambda x: torch.cat([gru(x[:, t : t + 1], torch.zeros(1, B, 4))[0] for t in range(T)], 1), watched
    )
    assert [(seen.same, seen.is_given) for seen in none | zeros if not seen.is_given] == [(T - 1, False)]
    assert {(seen.same, seen.is_given) for seen in zeros} == {(T - 1, True)}


def test_whole_sequences_and_twins_are_no_steps(watched: Watched) -> None:
    gru, cell = nn.GRU(2, 4, batch_first=True), nn.GRUCell(2, 4)
    assert not seen_of(gru, lambda x: torch.cat([gru(x)[0] for _ in range(T)]), watched)
    assert not seen_of(cell, lambda x: torch.cat([cell(x[:, t]) for t in range(3)]), watched)
