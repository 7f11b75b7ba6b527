"""Vanishing, or nothing to be learned? ‖∂L_t/∂h_{t−n}‖ is tiny in both cases; the data tell them apart.

Two tasks on the same inputs, a value and a mark at every step, the mark set at the first: say the marked value, n steps
back and more, or the mean of the last two values. The same tanh RNN trains on both, an LSTM on the first until it has
learned it.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from msgspec import Struct
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.drawing import BLUE, GREEN, VERMILION, axes, describe, error_bars
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import FISHER, LEVEL, Count, chance_of, interval
from gradreach.experiments.lab import Lab
from gradreach.experiments.loss_reach import loss_reach
from gradreach.observing import observe
from gradreach.remedies.init import chrono_
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.task import Batch, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arm = Literal["far", "near", "learned"]
ARMS: dict[Arm, tuple[str, str]] = {
    "far": ("tanh RNN, target n steps back", VERMILION),
    "near": ("tanh RNN, target near", BLUE),
    "learned": ("LSTM that has learned the target n steps back", GREEN),
}
TINY = 1e-7
"""The threshold of the naive rule, in ‖∂L/∂h‖."""

BATCH, RATE, BLOCK, PATIENCE = 64, 3e-3, 50, 40
"""The LSTM learns for so many steps at a time, so often at most, before it is watched."""

EVERY = 8
"""Every eighth step is looked at, so that what is found does not depend on the machine's speed."""

ASKED = 4
"""Steps at which the target is asked for, the first of them n steps after the mark."""

NOISE = 0.1
"""Standard deviation of what no model can say of the target, so that an error is always left."""


@dataclass(frozen=True)
class Size:
    """The lag n, H, the watched training steps, the seeds of the tanh RNN and of the LSTM."""

    lag: int
    hidden: int
    steps: int
    seeds: int
    lstm_seeds: int


class Job(Struct, frozen=True):
    """One training."""

    arm: Arm
    seed: int


class Training(Job, frozen=True):
    """What came of one training.

    `log10_norm` is log10 ‖∂L_t/∂h_{t−ℓ}‖ by lag ℓ, in the mean over sequences; `codes` are what gradreach said of it;
    `error` is the mean squared error at its end, as a multiple of the target's variance.
    """

    log10_norm: list[float]
    codes: list[str]
    error: float


class Result(Struct, frozen=True):
    """All trainings."""

    lag: int
    runs: list[Training]


def task(arm: Arm, lag: int) -> Task:
    """Make an arm's task: values uniform in [−1, 1], the first one marked; asked for from step `lag` on."""

    def draw(N: int, g: Generator) -> Batch:
        values = 2 * torch.rand((N, lag + ASKED), generator=g) - 1
        marks = torch.zeros_like(values)
        marks[:, 0] = 1.0
        noise = NOISE * torch.randn((N, ASKED), generator=g)
        target = (values + values.roll(1, 1))[:, lag:] / 2 if arm == "near" else values[:, :1].expand(N, ASKED)
        return Batch(torch.stack([values, marks], -1), (target + noise).unsqueeze(-1))

    return Task(arm, draw, draw, outputs=1, width=2, length=lag + ASKED, loss=squared, error=squared)


def squared(said: Tensor, y: Tensor) -> Tensor:
    """Take the mean squared error at the steps that are asked for: (N, T, 1) and (N, ASKED, 1)."""
    return F.mse_loss(said[:, -ASKED:], y)


def steps(model: nn.Module, batches: Iterator[Batch], optimizer: torch.optim.Optimizer, count: int) -> float:
    """Train for so many updates, and return the mean loss of the last tenth."""
    losses = []
    for x, y in islice(batches, count):
        loss = squared(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    last = losses[-max(1, count // 10) :]
    return sum(last) / len(last)


def train_one(size: Size, job: Job) -> Training:
    """Train under gr.observe; the LSTM learns first, and is watched when it has."""
    asked = task(job.arm, size.lag)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(job.seed)
        model = recurrent(asked, "lstm" if job.arm == "learned" else "rnn", size.hidden)
        if job.arm == "learned":
            chrono_(model.body, t_max=size.lag + 1)
    generator = torch.Generator().manual_seed(job.seed)
    batches = iter(partial(asked.train, BATCH, generator), None)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    x, y = asked.test(512, torch.Generator().manual_seed(~job.seed & 0xFFFF_FFFF))
    variance = float(y.var())
    if job.arm == "learned":
        for _ in range(PATIENCE):
            if steps(model, batches, optimizer, BLOCK) < 2 * NOISE**2:
                break
    with observe(model, every=EVERY) as watch:
        steps(model, batches, optimizer, size.steps)
    codes = sorted({found.code for found in watch.report().findings if found.code in ("GR401", "GR402", "GR403")})
    norms = norms_by_lag(copy.deepcopy(model).double(), x[:BATCH].double(), y[:BATCH].double())
    with torch.no_grad():
        left = float(squared(model(x), y)) / variance
    return Training(job.arm, job.seed, [round(each, 3) for each in norms], codes, round(left, 4))


def norms_by_lag(model: Recurrent, x: Tensor, y: Tensor) -> list[float]:
    """Return log10 of the mean over sequences of ‖∂L_t/∂h_{t−ℓ}‖, ℓ = 0 … t, t the first step asked for."""
    t = x.shape[1] - ASKED
    found = loss_reach(model, x, lambda said: (said[:, t] - y[:, 0]).square().sum())
    norms: list[float] = found.log10_map[0, : t + 1].flip(0).tolist()
    return norms


def measure(size: Size, lab: Lab) -> Result:
    """Train every arm from every seed."""
    seeds = {"far": size.seeds, "near": size.seeds, "learned": size.lstm_seeds}
    jobs = [Job(arm, seed) for arm in ARMS for seed in range(seeds[arm])]
    return Result(size.lag, lab.spread(partial(train_one, size), jobs, "trainings"))


def said(result: Result, arm: Arm, code: str) -> Count:
    """Count the runs of an arm of which the code is said, and all of them."""
    runs = where(result.runs, arm=arm)
    return sum(code in run.codes for run in runs), len(runs)


def tiny(result: Result, arm: Arm) -> Count:
    """Count the runs of an arm that vanish by the naive rule, and all of them."""
    runs = where(result.runs, arm=arm)
    return sum(run.log10_norm[result.lag] < math.log10(TINY) for run in runs), len(runs)


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that the norm is tiny in both arms, that findings tell them apart, and that an LSTM learns."""
    n = result.lag
    vanishing = [run.log10_norm[n] for run in where(result.runs, arm=("far", "near"))]
    naive, naive_far = tiny(result, "near"), tiny(result, "far")
    learned = where(result.runs, arm="learned")
    return (
        at_most(
            f"tanh RNN: log10 ‖∂L_t/∂h_{{t−{n}}}‖, the largest of {len(vanishing)} runs, target far or near",
            max(vanishing),
            math.log10(TINY),
            "the threshold of the naive rule: it says of all that they vanish",
        ),
        Claim(
            "Naive rule, ‖∂L_t/∂h_{t−n}‖ < 1e-7: share of runs that vanish, target near",
            naive_far[0] / naive_far[1],
            naive[0] / naive[1],
            *interval(*naive_far),
            "as where the target is far, exact 95 % interval: it cannot tell them apart",
        ),
        _told_apart(result, "GR402", "far"),
        _told_apart(result, "GR401", "near"),
        at_most(
            "LSTM: error left, as a share of the target's variance, the largest of all runs",
            max(run.error for run in learned),
            min(run.error for run in where(result.runs, arm="far")),
            "the least that is left to the tanh RNN on the same task",
        ),
        at_least(
            f"LSTM: log10 ‖∂L_t/∂h_{{t−{n}}}‖, the least of all runs",
            min(run.log10_norm[n] for run in learned),
            math.log10(TINY),
            "the threshold of the naive rule",
        ),
    )


def _told_apart(result: Result, code: str, arm: Arm) -> Claim:
    """Claim that the finding is said of this arm and not of the others, by Fisher's exact test, one-sided."""
    hits, n = said(result, arm, code)
    others = [said(result, other, code) for other in ARMS if other != arm]
    false, m = (sum(each) for each in zip(*others, strict=True))
    return at_most(
        f"{code} said of {hits} of {n} ({ARMS[arm][0]}) and of {false} of {m} others: chance of this if all were alike",
        chance_of(hits, n, false, m),
        LEVEL,
        FISHER,
    )


def draw(result: Result) -> Figure:
    """Draw the gradient by lag, and what is said of it."""
    figure, (norms, told) = axes(2, width=10, height=4)
    for arm, (name, colour) in ARMS.items():
        rows = np.array([run.log10_norm for run in where(result.runs, arm=arm)])
        norms.plot(rows.T, color=colour, lw=0.6, alpha=0.5)
        norms.plot(np.median(rows, 0), color=colour, lw=2, label=name)
    norms.axhline(math.log10(TINY), color="gray", ls="--", lw=1, label="naive rule: vanishes below")
    describe(norms, "The gradient is as small either way", "lag ℓ, steps", "log₁₀ ‖∂L_t/∂h_{t−ℓ}‖, no unit", "best")
    _draw_said(told, result)
    return figure


def _draw_said(panel: Axes, result: Result) -> None:
    rules: dict[str, Callable[[Result, Arm], Count]] = {"naive rule:\nvanishes": tiny}
    rules |= {f"{code}:\n{says}": partial(said, code=code) for code, says in CODES.items()}
    for aside, (arm, (name, colour)) in zip((-0.27, 0.0, 0.27), ARMS.items(), strict=True):
        counts = [rule(result, arm) for rule in rules.values()]
        at = [i + aside for i in range(len(rules))]
        panel.bar(at, [hits / n for hits, n in counts], 0.25, color=colour, label=name)
        error_bars(panel, at, counts, fmt="none", ecolor="gray", capsize=3, lw=1)
    panel.set_axisbelow(True)
    panel.set_xticks(range(len(rules)), rules)
    describe(panel, "What is said of it", "what is said", "share of runs, with 95 % intervals", ylim=(0, 1.05))


CODES = {"GR402": "vanishes,\nwith proof", "GR401": "nothing left\nto learn there"}

EXPERIMENT = Experiment(
    name="vanishing-or-not",
    lesson=10,
    title="Vanishing, or nothing to learn?",
    sizes={
        "quick": Size(lag=45, hidden=16, steps=64, seeds=4, lstm_seeds=2),
        "usual": Size(lag=100, hidden=32, steps=300, seeds=10, lstm_seeds=10),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"vanishing-or-not": draw},
)
