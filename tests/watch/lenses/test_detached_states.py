"""States that come back without their history, and those that do not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import DetachedState
from tests.watch.conftest import Watched

T, B, H = 6, 3, 5


class OwnCell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(2 + H, H)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.inner(torch.cat([x, h], 1)))


def run(cell: nn.Module, hand_on: Callable[[Tensor], Tensor], every: int = 1) -> Callable[[], None]:
    def loop() -> None:
        h, losses = torch.zeros(B, H), []
        for t in range(T):
            h = cell(torch.randn(B, 2), hand_on(h) if t % every == 0 else h)
            losses.append(h.square().mean())
        torch.stack(losses).sum().backward()

    return loop


def states(record: Record) -> dict[str, DetachedState]:
    return {seen.module: seen for look in record.looks for seen in look.detached_states}


@pytest.mark.parametrize("make", [lambda: nn.GRUCell(2, H), lambda: nn.RNNCell(2, H), OwnCell])
@pytest.mark.parametrize("hand_on", [Tensor.detach, lambda h: h.data, lambda h: h.detach().clone()])
def test_a_state_cut_at_every_step(
    make: Callable[[], nn.Module], hand_on: Callable[[Tensor], Tensor], watched: Watched
) -> None:
    torch.manual_seed(0)
    cell = make()
    _, record = watched(run(cell, hand_on))
    assert states(record)["cell"] == DetachedState("cell", type(cell).__name__, T, T - 1, 0)


@pytest.mark.parametrize("make", [lambda: nn.GRUCell(2, H), OwnCell])
@pytest.mark.parametrize("hand_on", [lambda h: h, lambda h: 0.9 * h])
def test_a_state_that_keeps_its_history(
    make: Callable[[], nn.Module], hand_on: Callable[[Tensor], Tensor], watched: Watched
) -> None:
    torch.manual_seed(0)
    cell = make()
    _, record = watched(run(cell, hand_on))
    assert not states(record)


def test_chunks_are_told_apart_from_steps(watched: Watched) -> None:
    torch.manual_seed(0)
    cell = nn.GRUCell(2, H)
    _, record = watched(run(cell, Tensor.detach, every=3))
    assert states(record)["cell"] == DetachedState("cell", "GRUCell", T, 1, 4)


def test_a_layer_fed_one_step_at_a_time(watched: Watched) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(2, H)

    def loop(cut: bool) -> None:
        state = (torch.zeros(1, B, H), torch.zeros(1, B, H))
        total = torch.zeros(())
        for _ in range(T):
            out, state = layer(torch.randn(1, B, 2), state)
            state = tuple(part.detach() for part in state) if cut else state
            total = total + out.square().mean()
        total.backward()

    _, cut = watched(lambda: loop(True))
    _, whole = watched(lambda: loop(False))
    assert states(cut)["layer"].cut == T - 1
    assert not states(whole)


def test_a_module_of_ones_own_with_one_input_is_no_cell(watched: Watched) -> None:
    """An iteration that is cut at each turn by intent, as in refinement step by step, is not taken for a recurrence."""
    torch.manual_seed(0)
    net = nn.Linear(H, H)

    def loop() -> None:
        x, total = torch.randn(B, H), torch.zeros(())
        for _ in range(T):
            x = net(x.detach())
            total = total + x.square().mean()
        total.backward()

    _, record = watched(loop)
    assert not states(record)
