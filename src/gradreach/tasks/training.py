"""Training on a recipe, with a look at fresh samples now and then, until the task is learned or the steps are over."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import torch
from torch import nn

from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Task

TESTED = 512
"""Samples in a test."""


@dataclass(frozen=True)
class Training:
    """What came of a training.

    `losses` of every step, in the task's own units; `errors`, pairs (steps done, error on fresh samples); `steps` done;
    `solved` after so many steps, None where it never was; `diverged`: the loss became inf or NaN, which ends it.
    """

    model: nn.Module
    losses: tuple[float, ...]
    errors: tuple[tuple[int, float], ...]
    solved: int | None
    diverged: bool

    @property
    def steps(self) -> int:
        return len(self.losses)


def train(
    recipe: Recipe,
    steps: int,
    *,
    every: int = 100,
    after_backward: Callable[[nn.Module], object] | None = None,
    after_test: Callable[[int, float, float], object] | None = None,
) -> Training:
    """At most `steps` updates, the error measured after each `every` and the last, ended where the task is solved.

    `after_backward` is called with the model between the backward pass and the clip, as for a regulariser that adds its
    gradient there; `after_test` with the steps done, the loss of the latest, and the error. Raises ValueError for less
    than one step, or a test after less than one.

    >>> import gradreach as gr
    >>> gr.tasks.train(gr.tasks.Recipe(gr.tasks.adding(length=10)), steps=3).steps
    3
    """
    if steps < 1 or every < 1:
        raise ValueError(f"steps, every: expected at least 1, got {steps} and {every}")
    model, data, loss_fn, optimizer = recipe.build()
    losses: list[float] = []
    errors: list[tuple[int, float]] = []
    solved, diverged = None, False
    for x, y in islice(data, steps):
        loss = loss_fn(model(x), y)
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            diverged = True
            break
        optimizer.zero_grad()
        loss.backward()
        if after_backward is not None:
            after_backward(model)
        if recipe.clip is not None:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)  # torch's own: a watch hears of it
        optimizer.step()
        if len(losses) % every == 0 or len(losses) == steps:
            errors.append((len(losses), error(model, recipe.task, recipe.seed)))
            if after_test is not None:
                after_test(len(losses), losses[-1], errors[-1][1])
            if recipe.task.solved is not None and errors[-1][1] <= recipe.task.solved:
                solved = len(losses)
                break
    return Training(model, tuple(losses), tuple(errors), solved, diverged)


@torch.no_grad()
def error(model: nn.Module, task: Task, seed: int = 0, samples: int = TESTED) -> float:
    """The task's error on test samples that no training with the same seed has drawn."""
    batch = task.test(samples, torch.Generator().manual_seed(~seed & 0xFFFF_FFFF))
    was = model.training
    model.eval()
    found = float(task.error(model(batch.x), batch.y))
    model.train(was)
    return found
