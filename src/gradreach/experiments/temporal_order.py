"""Temporal order, learned by gradient descent alone, with clipping, and with clipping and the regulariser Ω.

Pascanu, Mikolov and Bengio 2013, section 4.1.1 and figure 7, with their settings: 50 tanh units, batches of 20, a
constant rate of 0.01 without momentum, threshold 1, weight of Ω 4, and a run succeeds at 1 % wrong. Their third start,
with logistic units, is left out: torch's RNN has none. They test on 10 000 sequences, here 512 decide. The usual
lengths and updates were set after trials with seed 0, which is not among those measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from msgspec import Struct
from msgspec.structs import asdict, replace
from torch import Tensor, nn

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.drawing import BLUE, ORANGE, VERMILION, axes, error_bars
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import Count, count, more_often
from gradreach.experiments.lab import Lab
from gradreach.remedies.layers import RNN
from gradreach.remedies.omega import Omega
from gradreach.tasks.models import Recurrent
from gradreach.tasks.order import order
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Task
from gradreach.tasks.training import train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
    """The starts, the lengths T, the seeds of each, and the updates after which a run has failed."""

    starts: tuple[Start, ...]
    lengths: tuple[int, ...]
    seeds: int
    updates: int


class Job(Struct, frozen=True):
    """One training; `updates` is the most that it may take."""

    start: Start
    method: Method
    length: int
    seed: int
    updates: int


class Outcome(Job, frozen=True):
    """What came of one training after so many `updates`.

    `solved` says when it was solved, if ever; `errors` are the shares wrong after each 250 updates; `steepest` is log₁₀
    of the largest gradient norm before clipping. `radius` is that of W_hh at the end and `moved` the distance of all
    weights from where they began, both None where they are not finite.
    """

    solved: int | None
    errors: list[float]
    steepest: float
    radius: float | None
    moved: float | None


class Result(Struct, frozen=True):
    """Every training."""

    outcomes: list[Outcome]


def model(task: Task, start: Start) -> Recurrent:
    """Make a network of one-hot symbols, 50 tanh units with one bias each, and a linear readout; all biases are 0.

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
    """Return the spectral radius."""
    return float(torch.linalg.eigvals(W.detach().double()).abs().max())


class AfterBackward:
    """Adds Ω's gradient after each backward pass if `regularised`, then notes the norm of the whole gradient."""

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
    """Return all weights in one vector."""
    return torch.cat([p.detach().double().flatten() for p in model.parameters()])


def train_one(job: Job) -> Outcome:
    """Train from the job's seed, until it is solved."""
    clip = None if job.method == "SGD" else THRESHOLD
    recipe = Recipe(order(job.length), partial(model, start=job.start), BATCH, RATE, "sgd", clip, job.seed)
    after_backward = AfterBackward(job.method == "SGD-CR")
    done = train(recipe, job.updates, every=TESTED_EVERY, after_backward=after_backward)
    moved = weights(done.model) - weights(recipe.build().model)
    finite = bool(moved.isfinite().all())
    return Outcome(
        **asdict(replace(job, updates=done.steps)),
        solved=done.solved,
        errors=[round(error, 4) for _, error in done.errors],
        steepest=round(after_backward.steepest, 3),
        radius=round(radius(done.model.get_parameter("body.weight_hh_l0")), 4) if finite else None,
        moved=round(float(moved.norm()), 4) if finite else None,
    )


def measure(size: Size, lab: Lab) -> Result:
    """Train every method at every length from the same seeds, the long ones first."""
    jobs = [
        Job(start, method, length, seed, size.updates)
        for length in sorted(size.lengths, reverse=True)
        for start in size.starts
        for method in reversed(METHODS)
        for seed in range(1, size.seeds + 1)
    ]
    return Result(lab.spread(train_one, jobs, "temporal order"))


ENOUGH = 4
"""Runs of a method from which on Fisher's test can reach its level: all against none of 4 is 1 in 70."""


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim what clipping guarantees and, where there are enough runs, that it succeeds more often."""
    clipped = where(result.outcomes, method=("SGD-C", "SGD-CR"))
    solved = [outcome for outcome in result.outcomes if outcome.solved is not None]
    return (
        at_most(
            "Farthest that clipped weights moved, in updates × rate × threshold",
            max(math.inf if o.moved is None else o.moved / (o.updates * RATE * THRESHOLD) for o in clipped),
            1.0,
            "the triangle inequality: no clipped update is longer than rate × threshold",
        ),
        at_least(
            "Smallest spectral radius of W_hh among the runs that solved it",
            min((o.radius or 0.0 for o in solved), default=0.0),
            RADIUS,
            "the largest at a start: more memory takes a larger radius",
        ),
        *(() if len(clipped) < 2 * ENOUGH else compared(result)),
    )


def compared(result: Result) -> tuple[Claim, ...]:
    """Return the claims that take enough runs."""
    return (
        at_least(
            "Largest gradient norm without clipping, in thresholds",
            10 ** max(outcome.steepest for outcome in where(result.outcomes, method="SGD")) / THRESHOLD,
            1.0,
            "else clipping had nothing to do",
        ),
        better(result),
    )


def better(result: Result) -> Claim:
    """Compare the successes of SGD-CR with those of SGD, all lengths together."""
    counts = {method: by_length(where(result.outcomes, method=method)) for method in METHODS}
    words = {name: ", ".join(f"{k} of {n} at T {T}" for T, (k, n) in each.items()) for name, each in counts.items()}
    ours = "; ".join(f"{method} {said}" for method, said in words.items())
    return more_often(
        where(result.outcomes, method="SGD-CR"),
        where(result.outcomes, method="SGD"),
        "SGD-CR succeeds",
        "SGD",
        "it is no better",
        "Pascanu et al. 2013, section 4.1.1: the longer the sequence, the more clipping matters for success; "
        f"with Ω as well, one network for all lengths from 50 to 200 succeeded with 5 seeds of 5. Ours: {ours}",
    )


def by_length(outcomes: list[Outcome]) -> dict[int, Count]:
    """Count how many runs succeed at each length, and how many there are."""
    lengths = sorted({outcome.length for outcome in outcomes})
    return {length: count(where(outcomes, length=length)) for length in lengths}


COLOURS = dict(zip(METHODS, (VERMILION, ORANGE, BLUE), strict=True))
CHANCE = 0.75


def draw(result: Result) -> Figure:
    """Draw success against length for each start, and the runs of the longest."""
    starts = list(dict.fromkeys(outcome.start for outcome in result.outcomes))
    figure, panels = axes(len(starts) + 1, width=4 * (len(starts) + 1), height=3.7)
    for panel, start in zip(panels, starts, strict=False):
        _success(panel, where(result.outcomes, start=start))
        panel.set_title(f"Success, {start}")
    longest = max(outcome.length for outcome in result.outcomes)
    _courses(panels[-1], where(result.outcomes, length=longest, start=starts[-1]))
    panels[-1].set_title(f"The runs at T {longest}, {starts[-1]}")
    return figure


def _success(panel: Axes, outcomes: list[Outcome]) -> None:
    lengths = sorted({outcome.length for outcome in outcomes})
    for i, method in enumerate(METHODS):
        counts = by_length(where(outcomes, method=method))
        look = {"fmt": "o-", "capsize": 3, "color": COLOURS[method], "label": method}
        error_bars(panel, [length + (i - 1) * 0.6 for length in counts], [*counts.values()], 100.0, **look)
    panel.set(xlabel="length T, steps", ylabel="runs that succeed, %", xticks=lengths, ylim=(-4, 104))
    panel.legend(loc="lower left")


def _courses(panel: Axes, outcomes: list[Outcome]) -> None:
    for method in METHODS:
        for i, outcome in enumerate(where(outcomes, method=method)):
            updates = [TESTED_EVERY * (j + 1) for j in range(len(outcome.errors))]
            wrong = [100 * error for error in outcome.errors]
            label = method if i == 0 else None
            panel.plot([0, *updates], [100 * CHANCE, *wrong], color=COLOURS[method], lw=1.1, label=label)
            if outcome.solved is not None:
                panel.plot(updates[-1], wrong[-1], "o", ms=5, color=COLOURS[method])
    panel.set(xlabel="update, steps", ylabel="wrong, %", ylim=(-2, 82))
    panel.legend(loc="lower left")


EXPERIMENT = Experiment(
    name="temporal-order",
    lesson=12,
    title="Temporal order: clipping and Ω",
    sizes={
        "quick": Size(("smart tanh",), (10,), seeds=1, updates=1500),
        "usual": Size(("smart tanh",), (10, 20, 30, 40), seeds=5, updates=12_000),
        "full": Size(("basic tanh", "smart tanh"), (50, 100, 150, 200, 250), seeds=5, updates=5_000_000),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"temporal-order": draw},
)
