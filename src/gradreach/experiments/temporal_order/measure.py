"""Every method trained at every length."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from msgspec import Struct
from torch import Tensor, nn

from gradreach.experiments.lab import Lab
from gradreach.remedies.layers import RNN
from gradreach.remedies.omega import Omega
from gradreach.tasks.models import Recurrent
from gradreach.tasks.order import order
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Task
from gradreach.tasks.training import train

Start = Literal["basic tanh", "smart tanh"]
Method = Literal["SGD", "SGD-C", "SGD-CR"]
METHODS: tuple[Method, ...] = ("SGD", "SGD-C", "SGD-CR")
"""Gradient descent alone, with clipping, with clipping and Ω."""

H, INCOMING, RADIUS = 50, 15, 0.95
BATCH, RATE, THRESHOLD, STRENGTH = 20, 0.01, 1.0, 4.0
TESTED_EVERY = 250
"""Updates between two tests."""


@dataclass(frozen=True)
class Size:
    """Lengths T, seeds of each, and the updates after which a run has failed."""

    starts: tuple[Start, ...]
    lengths: tuple[int, ...]
    seeds: int
    updates: int


@dataclass(frozen=True)
class Job:
    """One training."""

    start: Start
    method: Method
    length: int
    seed: int
    updates: int


class Outcome(Struct, frozen=True):
    """What came of one training.

    `solved` after so many updates, or never; `errors`, the share wrong after each 250 of them; `steepest`, log₁₀ of the
    largest gradient norm before clipping; `radius` of W_hh at the end and `moved`, the distance of all weights from
    where they began, both None where they are not finite.
    """

    start: Start
    method: Method
    length: int
    seed: int
    updates: int
    solved: int | None
    errors: list[float]
    steepest: float
    radius: float | None
    moved: float | None


class Measured(Struct, frozen=True):
    """Every training."""

    outcomes: list[Outcome]


def model(task: Task, start: Start) -> Recurrent:
    """One-hot symbols, 50 tanh units with one bias each, a linear readout; all biases 0.

    basic tanh: every weight from N(0, 0.1²). smart tanh: N(0, 0.01²), W_hh with 15 entries a row and spectral radius
    0.95.
    """
    rnn = Recurrent(task, RNN(task.alphabet or 1, H, batch_first=True), embedded=task.alphabet or 1)
    spread = 0.1 if start == "basic tanh" else 0.01
    W = rnn.get_parameter("body.weight_hh_l0")
    with torch.no_grad():
        for weight in (rnn.get_parameter("body.weight_ih_l0"), W, rnn.head.weight):
            weight.normal_(0, spread)
        for bias in ("body.bias_ih_l0", "body.bias_hh_l0", "head.bias"):
            rnn.get_parameter(bias).zero_()
        if start == "smart tanh":
            for row in range(H):
                W[row, torch.randperm(H)[INCOMING:]] = 0
            W.mul_(RADIUS / radius(W))
        if rnn.embed is not None:
            rnn.embed.weight.copy_(torch.eye(len(rnn.embed.weight)))
            rnn.embed.weight.requires_grad_(False)
    rnn.get_parameter("body.bias_hh_l0").requires_grad_(False)
    return rnn


def radius(W: Tensor) -> float:
    """The spectral radius."""
    return float(torch.linalg.eigvals(W.detach().double()).abs().max())


class Watch:
    """Called after each backward pass: adds Ω's gradient where it is wanted, then notes the norm of all of it."""

    def __init__(self, regularised: bool) -> None:
        self.regularised = regularised
        self.omega: Omega | None = None
        self.steepest = -math.inf

    def __call__(self, model: nn.Module) -> None:
        if self.regularised:
            self.omega = self.omega or Omega(model.body, STRENGTH)  # type: ignore[arg-type]
            self.omega.add_gradient()
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients))
        if 0 < norm < math.inf:
            self.steepest = max(self.steepest, math.log10(norm))


def weights(model: nn.Module) -> Tensor:
    """All of them in one vector."""
    return torch.cat([p.detach().double().flatten() for p in model.parameters()])


def train_one(job: Job) -> Outcome:
    """One training from its seed, ended where it is solved."""
    clip = None if job.method == "SGD" else THRESHOLD
    recipe = Recipe(order(job.length), partial(model, start=job.start), BATCH, RATE, "sgd", clip, job.seed)
    watch = Watch(job.method == "SGD-CR")
    done = train(recipe, job.updates, every=TESTED_EVERY, after_backward=watch)
    moved = weights(done.model) - weights(recipe.build().model)
    finite = bool(moved.isfinite().all())
    return Outcome(
        job.start,
        job.method,
        job.length,
        job.seed,
        done.steps,
        done.solved,
        [round(error, 4) for _, error in done.errors],
        round(watch.steepest, 3),
        round(radius(done.model.get_parameter("body.weight_hh_l0")), 4) if finite else None,
        round(float(moved.norm()), 4) if finite else None,
    )


def measure(size: Size, lab: Lab) -> Measured:
    """Every method at every length from the same seeds, the long ones first."""
    jobs = [
        Job(start, method, length, seed, size.updates)
        for length in sorted(size.lengths, reverse=True)
        for start in size.starts
        for method in reversed(METHODS)
        for seed in range(1, size.seeds + 1)
    ]
    return Measured(lab.spread(train_one, jobs, "temporal order"))


def of(measured: Measured, method: Method) -> list[Outcome]:
    """The runs of one method."""
    return [outcome for outcome in measured.outcomes if outcome.method == method]
