"""What clipping by value takes from the gradients of a look, as heard at the script's own call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from gradreach.record.look import Look
from tests.watch.conftest import Watched

LIMIT = 1e-3


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1))


def trained(watched: Watched, clip: Callable[[nn.Module], Any], *, late: bool = False) -> tuple[list[Look], list[Any]]:
    """The looks of a training that clips by value, and the norms before and after each call."""
    model, seen = net(), []
    optimizer = torch.optim.SGD(model.parameters(), 0.01)

    def norm() -> float:
        grads = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        return float(torch.cat(grads).norm())

    def train() -> None:
        for _ in range(5):
            optimizer.zero_grad()
            model(torch.randn(6, 4)).square().mean().backward()
            if late:
                optimizer.step()
            before = norm()
            clip(model)
            seen.append((before, norm()))
            if not late:
                optimizer.step()

    return list(watched(train)[1].looks), seen


def test_the_norms_before_and_after_and_what_is_cut(watched: Watched) -> None:
    looks, seen = trained(watched, lambda model: nn.utils.clip_grad_value_(model.parameters(), LIMIT))
    assert len(looks) == len(seen)
    for look, (before, after) in zip(looks, seen, strict=True):
        assert look.stepped is not None
        (clip,) = look.stepped.value_clips
        assert (clip.threshold, look.stepped.optimizers) == (LIMIT, ("SGD",))
        assert clip.norm == pytest.approx(before, rel=1e-5)
        assert clip.left == pytest.approx(after, rel=1e-5)
        assert 0 < clip.cut <= clip.elements <= 31


def test_each_call_of_a_step_is_told_by_itself(watched: Watched) -> None:
    def clip(model: Any) -> None:
        for part in (model[0], model[2]):
            nn.utils.clip_grad_value_(part.parameters(), clip_value=LIMIT)

    looks, _ = trained(watched, clip)
    assert all(look.stepped is not None and len(look.stepped.value_clips) == 2 for look in looks)


def test_a_call_after_the_step_limits_nothing_and_is_not_told(watched: Watched) -> None:
    looks, _ = trained(watched, lambda model: nn.utils.clip_grad_value_(model.parameters(), LIMIT), late=True)
    assert all(look.stepped is not None and not look.stepped.value_clips for look in looks)


def test_a_class_of_the_scripts_own_goes_by_the_name_of_torchs_that_it_is_made_of(watched: Watched) -> None:
    class Mine(torch.optim.AdamW):
        pass

    model = net()

    def train() -> None:
        optimizer = Mine(model.parameters())
        for _ in range(2):
            model(torch.randn(6, 4)).square().mean().backward()
            optimizer.step()

    looks = watched(train)[1].looks
    assert looks
    assert all(look.stepped is not None and look.stepped.optimizers == ("AdamW",) for look in looks)
