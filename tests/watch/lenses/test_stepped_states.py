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


class OwnCell(nn.Module):
    """A cell of a script's own, which returns its output and its state."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(2 + 4, 4)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, c = state
        c = 0.9 * c + torch.tanh(self.mix(torch.cat([x, h], 1)))
        return torch.tanh(c), (torch.tanh(c), c)


class OwnBlock(nn.Module):
    """One value beside a context, and a new value: what a cell looks like from without."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(2 * 2, 2)

    def forward(self, value: Tensor, context: Tensor) -> Tensor:
        made: Tensor = torch.tanh(self.mix(torch.cat([value, context], 1)))
        return made


def test_a_cell_of_the_scripts_own_that_begins_anew_and_one_that_goes_on(watched: Watched) -> None:
    cell = OwnCell()
    start = (torch.full((B, 4), 0.3), torch.zeros(B, 4))

    def anew(x: Tensor) -> Tensor:
        return torch.stack([cell(x[:, t], start)[0] for t in range(T)])

    def on(x: Tensor) -> Tensor:
        state = start
        for t in range(T):
            out, state = cell(x[:, t], state)
        return out

    assert seen_of(cell, anew, watched) == {SteppedState("model", "OwnCell", T, T - 1, is_given=True)}
    assert seen_of(cell, on, watched) == {SteppedState("model", "OwnCell", T, 0, is_given=True)}


@pytest.mark.parametrize(
    ("context", "same"),
    [(torch.zeros(B, 2), T - 1), (torch.full((B, 2), 0.5), None)],
    ids=["zeros, which are a state", "a context"],
)
def test_a_single_tensor_is_a_state_where_it_holds_zeros(context: Tensor, same: int | None, watched: Watched) -> None:
    block = OwnBlock()
    seen = seen_of(block, lambda x: torch.cat([block(x[:, t], context) for t in range(T)]), watched)
    assert [each.same for each in seen] == [same] * (same is not None)


def test_a_block_that_is_fed_what_it_returned_needs_no_state(watched: Watched) -> None:
    block = OwnBlock()

    def refine(x: Tensor) -> Tensor:
        value = x[:, 0]
        for _ in range(T):
            value = value + 0.5 * block(value, torch.zeros(B, 2))
        return value

    assert [each.same for each in seen_of(block, refine, watched)] == [0]


def test_a_cell_that_hands_its_steps_to_one_of_torch_is_told_of_once(watched: Watched) -> None:
    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.GRUCell(2, 4)

        def forward(self, x: Tensor, h: Tensor) -> Tensor:
            new: Tensor = self.inner(x, h)
            return new

    wrapper = Wrapper()
    seen = seen_of(wrapper, lambda x: torch.cat([wrapper(x[:, t], torch.zeros(B, 4)) for t in range(T)]), watched)
    assert [each.module for each in seen] == ["model.inner"]
