"""What every step gives for nothing is read on every step: its loss, and what the script's own clipping returned."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradreach.watch.budget import NORM_AT_LEAST, Budget
from tests.watch.conftest import Watched

STEPS = 40
JUMP = 33


@pytest.fixture(autouse=True)
def _norms_are_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first step on as rare as they get in a long run of short steps."""
    charge = Budget.plain

    def plain(budget: Budget, site: int, steps: int, seconds: float, own: float, kept: float = 0.0) -> None:
        charge(budget, site, steps, seconds, own, kept)
        budget.norm_every = NORM_AT_LEAST

    monkeypatch.setattr(Budget, "plain", plain)


def _training(clip: float | None = None) -> Callable[[], tuple[list[float], list[float]]]:
    """A training with one batch far out of line; it returns its losses, and the norms that its own clipping told."""

    def train() -> tuple[list[float], list[float]]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        losses, norms = [], []
        for step in range(STEPS):
            target = torch.ones(16, 1) * (300.0 if step == JUMP else 1.0)
            loss = nn.functional.mse_loss(model(torch.randn(16, 4)), target)
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                norms.append(float(nn.utils.clip_grad_norm_(model.parameters(), clip)))
            optimizer.step()
            losses.append(loss.item())
        return losses, norms

    return train


def test_each_step_has_its_loss(watched: Watched) -> None:
    (losses, _), record = watched(_training(), every=None)
    assert [step.step for step in record.steps] == list(range(STEPS))
    assert [step.loss for step in record.steps] == losses
    assert sum(step.norm is not None for step in record.steps) < STEPS / 2


def test_each_step_has_what_the_scripts_own_clipping_returned(watched: Watched) -> None:
    (_, norms), record = watched(_training(clip=0.5), every=None)
    assert [step.pre_clip for step in record.steps] == norms
    assert {step.threshold for step in record.steps} == {0.5}


def test_a_step_whose_loss_jumps_has_its_norm(watched: Watched) -> None:
    _, record = watched(_training(), every=None)
    before, jumped = record.steps[JUMP - 1], record.steps[JUMP]
    assert jumped.norm is not None
    assert jumped.loss is not None
    assert before.loss is not None
    assert jumped.loss > 1000 * before.loss


def test_of_a_long_run_fewer_steps_are_written(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gradreach.watch.steps.MOST_STEPS", 10)
    _, record = watched(_training(), every=None)
    assert 10 < len(record.steps) < STEPS
    assert record.passes == STEPS
