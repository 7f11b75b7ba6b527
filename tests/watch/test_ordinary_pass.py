"""Passes that are told at a glance: which they are, and that a fault is seen on them as on any other."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from gradreach.watch.budget import NORM_AT_LEAST, Budget
from gradreach.watch.ordinary_pass import is_sound
from gradreach.watch.session import Session
from tests.watch.conftest import Watched

STEPS = 60
LATE = 41
"""A step that is neither looked at nor measured."""


@pytest.fixture(autouse=True)
def glances(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the passes that were told at a glance; norms are as rare as they get."""
    charge, glance, found = Budget.plain, Session._ordinary_pass, list[int]()

    def plain(budget: Budget, site: int, steps: int, seconds: float, own: float, kept: float = 0.0) -> None:
        charge(budget, site, steps, seconds, own, kept)
        budget.norm_every = NORM_AT_LEAST

    def ordinary(session: Session, *args: object) -> None:
        found.append(session.count - 1)
        glance(session, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(Budget, "plain", plain)
    monkeypatch.setattr(Session, "_ordinary_pass", ordinary)
    return found


def _train(
    loss_of: type[nn.Module] | None = None, *, spoilt: float = 1.0, mode: TorchFunctionMode | None = None
) -> None:
    torch.manual_seed(0)
    model, criterion = nn.Linear(4, 1), (loss_of or nn.MSELoss)()
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    for step in range(STEPS):
        x, y = torch.randn(8, 4), torch.randn(8, 1)
        loss = criterion(model(x), y * spoilt if step == LATE else y)
        optimizer.zero_grad()
        if mode is None:
            loss.backward()
        else:
            with mode:
                torch.autograd.backward(loss)  # by itself, for a mode does not hear what its own handler calls
        optimizer.step()


class _RootLoss(nn.Module):
    """A loss that is finite at 0, and whose slope is not."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square().sum().sqrt() if target.abs().sum() > 0 else (output * 0).sum().sqrt()


def test_most_passes_are_told_at_a_glance(watched: Watched, glances: list[int]) -> None:
    _, record = watched(_train, every=None)
    assert len(record.steps) == STEPS
    assert len(glances) > STEPS / 2
    assert LATE in glances


def test_a_loss_that_is_not_finite_is_seen_on_its_own_step(watched: Watched, glances: list[int]) -> None:
    _, record = watched(lambda: _train(spoilt=float("nan")), every=None)
    assert record.nonfinite[0].step == LATE
    assert "target" in (record.nonfinite[0].cause or "")
    assert LATE not in glances


def test_a_gradient_that_is_not_finite_is_seen_on_its_own_step(watched: Watched, glances: list[int]) -> None:
    _, record = watched(lambda: _train(_RootLoss, spoilt=0.0), every=None)
    assert (record.nonfinite[0].step, record.nonfinite[0].phase) == (LATE, "backward")
    assert LATE in glances


def test_where_the_script_listens_to_torch_nothing_is_told_at_a_glance(watched: Watched, glances: list[int]) -> None:
    class Counted(TorchFunctionMode):
        heard = 0

        def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.heard += 1
            return func(*args, **(kwargs or {}))

    mode, alone = Counted(), Counted()
    watched(lambda: _train(mode=mode), every=None)
    _train(mode=alone)
    assert not glances
    assert mode.heard == alone.heard


def test_lines_that_take_turns_are_each_told_at_a_glance(watched: Watched, glances: list[int]) -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        for _ in range(STEPS):
            model(torch.randn(8, 4)).square().mean().backward()
            model(torch.randn(8, 4)).abs().mean().backward()

    _, record = watched(train, every=None)
    assert {step.site for step in record.steps if step.step in glances} == {0, 1}


@pytest.mark.parametrize("gradient", [None, torch.tensor([1.0, torch.nan]), torch.ones(2, requires_grad=True)])
def test_a_gradient_of_which_nothing_is_sure_is_not_sound(gradient: Tensor | None) -> None:
    assert not is_sound(gradient)
    assert is_sound(torch.ones(2))
