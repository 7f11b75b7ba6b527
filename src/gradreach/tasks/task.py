"""What a task is: how its samples are drawn, what is trained on, what is judged, and when it counts as learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

UNSCORED = -100
"""The class that stands where no loss is taken; `torch.nn.functional.cross_entropy` leaves it out by itself."""

Where = Literal["every step", "last step"]
Measure = Callable[[Tensor, Tensor], Tensor]
"""(what the model said, targets) → a scalar."""


class Batch(NamedTuple):
    """N samples: inputs x, tokens (N, T) or real (N, T, f), and their targets y.

    Scored at every step, y is (N, T) classes or (N, T, p) reals; at the last step (N,) or (N, p). Without time, x is
    (N, f) and y (N,).
    """

    x: Tensor
    y: Tensor


Draw = Callable[[int, Generator], Batch]
"""Draws N samples from a generator; the same state of the generator gives the same samples."""


def windows(values: Tensor, length: int) -> Draw:
    """Draw windows of `length` of the values that begin anywhere; the target of each value is the one that follows."""

    def draw(N: int, g: Generator) -> Batch:
        at = torch.randint(len(values) - length, (N, 1), generator=g) + torch.arange(length)
        return Batch(values[at], values[at + 1])

    return draw


def cross_entropy(said: Tensor, y: Tensor) -> Tensor:
    """Take the mean over the scored places, in nats, of logits (…, C) and classes (…)."""
    return F.cross_entropy(said.flatten(0, -2), y.flatten(), ignore_index=UNSCORED)


def share_wrong(said: Tensor, y: Tensor) -> Tensor:
    """The share of the scored places at which the largest logit is not the class's: logits (…, C), classes (…)."""
    scored = y != UNSCORED
    return (said.argmax(-1) != y)[scored].double().mean()


@dataclass(frozen=True)
class Task:
    """One thing to be learned.

    `train` and `test` draw samples: a task that makes its data draws both afresh, one that reads files keeps a part of
    them for the test. Inputs are of `alphabet` tokens, or real and `width` wide; the model says `outputs` numbers a
    scored place: the logits of classes, or the real target itself. `length` is T, None without time.
    `loss` is trained on, `error` is judged. `chance` is the error of the best answer that knows nothing of what has to
    be remembered; at an error of `solved` or less the task counts as learned (None: there is no such level).
    """

    name: str
    train: Draw
    test: Draw
    outputs: int
    alphabet: int | None = None
    width: int = 1
    length: int | None = None
    where: Where = "every step"
    loss: Measure = cross_entropy
    error: Measure = share_wrong
    chance: float = 1.0
    solved: float | None = None
