"""ReLU units that start at the identity, against LSTM, tanh and plain ReLU units on the adding problem.

Le, Jaitly and Hinton 2015, section 4.1: T from 150 to 400, 100 units, batches of 16, gradient descent at a constant
rate. At the start an error on an IRNN's unit goes back unchanged for as long as the unit is on, so ‖∂h_t/∂h_k‖ = 1.
The usual rate and updates were set after trials with seed 0, which is not among those measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log10
from typing import TYPE_CHECKING

import torch
from msgspec import Struct
from msgspec.structs import asdict
from torch import nn

from gradreach.engine.spectrum import spectrum
from gradreach.experiments.claim import Claim, equal
from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, VERMILION, axes, error_bars
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import Count, count, more_often
from gradreach.experiments.lab import Lab
from gradreach.remedies.layers import LSTM, RNN
from gradreach.tasks.adding import adding
from gradreach.tasks.models import Recurrent
from gradreach.tasks.recipe import Optimizer, Recipe
from gradreach.tasks.task import Task
from gradreach.tasks.training import train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAYERS: dict[str, Callable[..., nn.RNNBase]] = {
    "LSTM": partial(LSTM, forget_bias=1.0),
    "IRNN": partial(RNN, nonlinearity="relu", init="identity"),
    "tanh RNN": RNN,
    "ReLU RNN": partial(RNN, nonlinearity="relu"),
}
COLOURS = dict(zip(LAYERS, (BLUE, GREEN, ORANGE, VERMILION), strict=True))
CLIP = 1.0
DRAWN = 40
"""Points of a curve that are kept."""
HIGHEST = 1e6
"""In place of an error that is larger, or no number: states of ReLU units can explode."""
ENOUGH = 4
"""Runs from which on Fisher's test can reach 5 %."""


@dataclass(frozen=True)
class Size:
    """The lengths T, the seeds of each, and the training: most updates, H, sequences in a batch, optimizer and rate."""

    lengths: tuple[int, ...]
    seeds: int
    updates: int
    hidden: int
    batch: int
    optimizer: Optimizer
    rate: float


class Job(Struct, frozen=True):
    """One training."""

    layer: str
    length: int
    seed: int


class Outcome(Job, frozen=True):
    """What came of one training: when it was `solved`, if ever, and the error after each of `at` updates."""

    solved: int | None
    at: list[int]
    errors: list[float]


class Result(Struct, frozen=True):
    """Every training; and of one IRNN before it, the singular values of ∂h_T/∂h_1 and what its activations foretell.

    `norms`, log₁₀ ‖∂h_T/∂h_k‖₂ by lag; `arriving`, singular values over ½ at the largest lag; `on`, units that are on
    at every step between.
    """

    limit: int
    optimizer: str
    outcomes: list[Outcome]
    norms: list[float]
    arriving: int
    on: int


def model(task: Task, layer: str, hidden: int) -> Recurrent:
    """Make a linear readout over one of the `LAYERS`."""
    return Recurrent(task, LAYERS[layer](task.width, hidden, batch_first=True))


def train_one(size: Size, job: Job) -> Outcome:
    """Train from the job's seed, until it is solved."""
    make = partial(model, layer=job.layer, hidden=size.hidden)
    recipe = Recipe(adding(job.length), make, size.batch, size.rate, size.optimizer, CLIP, job.seed)
    done = train(recipe, size.updates, every=max(1, size.updates // DRAWN))
    at = [n for n, _ in done.errors]
    errors = [round(error, 5) if error < HIGHEST else HIGHEST for _, error in done.errors]
    return Outcome(**asdict(job), solved=done.solved, at=at, errors=errors)


def untrained(length: int, hidden: int) -> tuple[list[float], int, int]:
    """Measure what `Result` holds of an IRNN at its start, for one sequence."""
    task = adding(length)
    net = Recipe(task, partial(model, layer="IRNN", hidden=hidden)).build().model
    x = task.train(1, torch.Generator().manual_seed(0)).x
    body = net.get_submodule("body")
    with torch.no_grad():
        on = (body(x)[0][0, 1:] > 0).all(0)
    found = spectrum(body, x, lags=[length - 1])
    arriving = sum(value > log10(0.5) for value in found.log10_singular_values[length - 1])
    return [round(norm, 6) for norm in found.log10_norm], arriving, int(on.sum())


def measure(size: Size, lab: Lab) -> Result:
    """Train every layer at every length from the same seeds, the long ones first."""
    jobs = [
        Job(layer, length, seed)
        for length in sorted(size.lengths, reverse=True)
        for layer in LAYERS
        for seed in range(1, size.seeds + 1)
    ]
    outcomes = lab.spread(partial(train_one, size), jobs, "IRNN and others")
    return Result(size.updates, size.optimizer, outcomes, *untrained(max(size.lengths), size.hidden))


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that the identity carries the error of every unit that is on, and, given enough runs, that it learns."""
    longest = len(result.norms) - 1
    return (
        equal(
            f"IRNN before training: largest |log₁₀ ‖∂h_T/∂h_k‖₂|, lags 1 … {longest}",
            0.0,
            max(abs(norm) for norm in result.norms),
            1e-6,
            "a product of diagonal matrices of 0 and 1; six digits are kept",
        ),
        equal(
            f"IRNN before training: units whose error arrives {longest} steps back",
            float(result.on),
            float(result.arriving),
            0.0,
            "the units that are on at every step between; a count",
            "units",
        ),
        *((learned(result),) if len(where(result.outcomes, layer="IRNN")) >= ENOUGH else ()),
    )


def learned(result: Result) -> Claim:
    """Compare IRNN's successes with the tanh RNN's, all lengths together."""
    return more_often(
        where(result.outcomes, layer="IRNN"),
        where(result.outcomes, layer="tanh RNN"),
        "IRNN succeeds",
        "the tanh RNN",
        "it is no better",
        "Le, Jaitly and Hinton 2015 (abstract): comparable to the LSTM on adding and three other tasks; "
        f"ours at T {', '.join(str(T) for T in lengths(result))}: IRNN {rate(result, 'IRNN')}, LSTM "
        f"{rate(result, 'LSTM')}",
    )


def lengths(result: Result) -> list[int]:
    """Return the lengths T, the short ones first."""
    return sorted({outcome.length for outcome in result.outcomes})


def rate(result: Result, layer: str) -> str:
    """Say how many runs of a layer succeed at each length."""
    return ", ".join(f"{k} of {n}" for k, n in by_length(result, layer))


def by_length(result: Result, layer: str) -> list[Count]:
    """Count how many runs of a layer succeed at each length, and how many there are."""
    return [count(where(result.outcomes, layer=layer, length=T)) for T in lengths(result)]


def draw(result: Result) -> Figure:
    """Draw success against length, and the error over the updates at the longest."""
    figure, (success, course) = axes(2, width=9.5, height=4.2)
    for i, layer in enumerate(LAYERS):
        aside = [T * (1 + 0.02 * (i - 1.5)) for T in lengths(result)]
        look = {"fmt": "o-", "capsize": 3, "color": COLOURS[layer], "label": layer}
        error_bars(success, aside, by_length(result, layer), 100.0, **look)
    success.set(xlabel="length T, steps", ylabel="runs that succeed, %", ylim=(-4, 104), xticks=lengths(result))
    success.set_title("Success, with exact 95 % intervals")
    figure.legend(*success.get_legend_handles_labels(), loc="outside lower center", ncols=len(LAYERS))
    _courses(course, result)
    return figure


def _courses(panel: Axes, result: Result) -> None:
    longest = lengths(result)[-1]
    for layer, colour in COLOURS.items():
        for outcome in where(result.outcomes, layer=layer, length=longest):
            panel.semilogy(outcome.at, outcome.errors, color=colour, lw=1)
    for level, text in ((adding().chance, "1 said whatever comes"), (adding().solved or 0.0, "solved")):
        panel.axhline(level, ls=":", lw=1.2, color="gray")
        panel.text(result.limit, level, text, ha="right", va="bottom", fontsize="small")
    panel.set(xlabel="update, steps", ylabel="mean squared error, no unit", xlim=(0, result.limit), ylim=(4e-3, 0.5))
    panel.set_title(f"The runs at T {longest}")


EXPERIMENT = Experiment(
    name="irnn",
    lesson=13,
    title="ReLU units that start at the identity",
    sizes={
        "quick": Size((20,), seeds=1, updates=80, hidden=32, batch=32, optimizer="adam", rate=1e-3),
        "usual": Size((50, 100, 150), seeds=4, updates=2000, hidden=64, batch=32, optimizer="adam", rate=1e-3),
        "full": Size(
            (150, 200, 300, 400), seeds=5, updates=2_000_000, hidden=100, batch=16, optimizer="sgd", rate=0.01
        ),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"irnn": draw},
)
