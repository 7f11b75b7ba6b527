"""The cures for gradients that do not arrive, compared at equal budget on adding and copying at lags up to 400.

Every cure gets the same units, batches, updates, optimizer and the same two learning rates; what differs is the layer,
whether its gradient is clipped, and Ω. All but the plain RNN are clipped. Runs at both rates count, so no cure is
helped by its better one. Rates, updates and the form of copying were set after a few trials with seed 0, in which the
GRU learned at the higher rate and ReLU at the lower; that seed is not among those measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Literal

import torch
from msgspec import Struct
from msgspec.structs import asdict
from msgspec.structs import replace as changed
from torch import Generator, Tensor, nn

from gradreach.engine.reach import reach
from gradreach.experiments.claim import Claim, at_least, at_most, equal
from gradreach.experiments.drawing import CYCLE, HEAT, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import count, interval, more_often, successes
from gradreach.experiments.lab import Lab
from gradreach.remedies.omega import Omega
from gradreach.tasks.adding import adding
from gradreach.tasks.copying import copying
from gradreach.tasks.models import recurrent
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Batch, Task, share_wrong
from gradreach.tasks.training import train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Cure:
    """A layer of `gradreach.tasks.layers.LAYERS`, with the clip's threshold, if any, and the weight of Ω."""

    layer: str
    clip: float | None = 1.0
    omega: float = 0.0


CURES = {
    "tanh RNN": Cure("rnn", clip=None),
    "clipping": Cure("rnn"),
    "clipping + Ω": Cure("rnn", omega=4.0),
    "skip over T/10": Cure("skip"),
    "orthogonal start": Cure("orthogonal-start"),
    "orthogonal": Cure("orthogonal"),
    "ReLU + identity": Cure("irnn"),
    "GRU": Cure("gru"),
    "LSTM": Cure("lstm"),
    "chrono LSTM": Cure("chrono"),
}
NAMES = {
    "rnn": "tanh RNN",
    "skip": "skip over T/10",
    "orthogonal": "orthogonal",
    "irnn": "ReLU + identity",
    "gru": "GRU",
    "lstm": "LSTM",
    "chrono": "chrono LSTM",
}
"""The layers that differ before training."""

TaskName = Literal["adding", "copying"]


def recall(lag: int) -> Task:
    """Make the task to keep one symbol of 8 for `lag` steps; the loss is taken only where it is to be said."""
    task = copying(lag - 1, symbols=1)

    def draw(N: int, g: Generator) -> Batch:
        x, y = task.train(N, g)
        return Batch(x, y[:, -1])

    return replace(task, train=draw, test=draw, where="last step", error=share_wrong)


TASKS: dict[TaskName, Callable[[int], Task]] = {"adding": adding, "copying": recall}
"""By lag, which for adding is the length."""

H, BATCH = 32, 32
RATES = (1e-3, 5e-3)
"""Of Adam."""
TESTED_EVERY = 100
"""Updates between two tests."""
LOWEST = -999.0
"""log₁₀ of what is shown of a reach at least."""
POINTS = 50
"""Lags at which a reach is kept."""
ROWS = 8
"""Sequences on which the reach at the start is measured."""


@dataclass(frozen=True)
class Size:
    """The lags, the seeds at either rate, the updates after which a run has failed; the longest lag of a reach."""

    lags: tuple[int, ...]
    seeds: int
    updates: int
    reach: int


class Job(Struct, frozen=True):
    """One training; `updates` is the most that it may take."""

    task: TaskName
    cure: str
    lag: int
    rate: float
    seed: int
    updates: int


class Outcome(Job, frozen=True):
    """What came of one training after so many `updates`: when it was `solved`, if ever, and one update's milliseconds.

    `error` is the last one measured, in the task's own units; `off` is ‖WᵀW − 1‖₂ at the end, for the orthogonal layer.
    """

    solved: int | None
    error: float | None
    milliseconds: float
    off: float | None


class ReachCurve(Struct, frozen=True):
    """log₁₀ r(ℓ) at `lags` of a layer before training, for an error at the last step of adding.

    `least` and `most` are what theory bounds it by, None where it does not.
    """

    layer: str
    seed: int
    lags: list[int]
    reach: list[float]
    least: list[float] | None
    most: list[float] | None


class Result(Struct, frozen=True):
    """Every training, and every layer's reach before it."""

    outcomes: list[Outcome]
    reached: list[ReachCurve]


class OmegaTerm:
    """Adds Ω's gradient after each backward pass."""

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.omega: Omega | None = None

    def __call__(self, model: nn.Module) -> None:
        self.omega = self.omega or Omega(model.get_submodule("body"), self.strength)
        self.omega.add_gradient()


def train_one(job: Job) -> Outcome:
    """Train from the job's seed, until it is solved."""
    cure = CURES[job.cure]
    model = partial(recurrent, layer=cure.layer, hidden=H)
    recipe = Recipe(TASKS[job.task](job.lag), model, BATCH, job.rate, "adam", cure.clip, job.seed)
    begun = time.perf_counter()
    omega = OmegaTerm(cure.omega) if cure.omega else None
    done = train(recipe, job.updates, every=TESTED_EVERY, after_backward=omega)
    seconds = (time.perf_counter() - begun) / done.steps
    body = done.model.get_submodule("body")
    error = done.errors[-1][1] if done.errors else math.nan
    return Outcome(
        **asdict(changed(job, updates=done.steps)),
        solved=done.solved,
        error=round(error, 4) if math.isfinite(error) else None,
        milliseconds=round(1000 * seconds, 2),
        off=unorthogonal(body) if cure.layer == "orthogonal" else None,
    )


def unorthogonal(layer: nn.Module) -> float:
    """Return ‖WᵀW − 1‖₂ of W_hh, in float64."""
    W = layer.get_parameter("weight_hh_l0").detach().double()
    return float(torch.linalg.matrix_norm(W.T @ W - torch.eye(len(W), dtype=W.dtype), 2))


def reach_before(job: tuple[str, int, int]) -> ReachCurve:
    """Take r(ℓ) of an untrained layer (name, longest lag, seed), for a random error at the last step of adding."""
    name, longest, seed = job
    task = adding(longest + 1)
    recipe = Recipe(task, partial(recurrent, layer=name, hidden=H), ROWS, seed=seed)
    layer = recipe.build().model.get_submodule("body")
    generator = torch.Generator().manual_seed(seed)
    x = task.train(ROWS, generator).x
    error = torch.zeros(ROWS, longest + 1, H)
    error[:, -1] = torch.randn(ROWS, H, generator=generator)
    lags = sorted({round(longest * i / POINTS) for i in range(POINTS + 1)})
    found = reach(layer, x, error, anchors="all").log10_curve
    kept = [round(max(found[lag], LOWEST), 4) for lag in lags]
    return ReachCurve(name, seed, lags, kept, *bounds(name, layer, x, error[:, -1], lags))


def bounds(
    name: str, layer: nn.Module, x: Tensor, error: Tensor, lags: list[int]
) -> tuple[list[float] | None, list[float] | None]:
    """Return log₁₀ of what r(ℓ) cannot fall under, and of what it cannot exceed.

    Orthogonal: W keeps every norm, so a step multiplies it by a number between the least and the largest slope σ′.
    Identity: a unit's error stays or ends. It stays at every step where both input weights are positive, for the inputs
    are: r is at least the share of such units in the error's norm, at most 1.
    Plain: κ(V) ρ^ℓ for W = V Λ V⁻¹, which holds at slope 1, where the gradient is largest.
    """
    if name == "orthogonal":
        with torch.no_grad():
            slopes = 1 - layer(x)[0].double().square()
        return along(slopes.amin((0, 2)), lags), along(slopes.amax((0, 2)), lags)
    if name == "irnn":
        alive = (layer.get_parameter("weight_ih_l0") > 0).all(1)
        kept = error[:, alive].double().norm(dim=1).mean() / error.double().norm(dim=1).mean()
        return [float(kept.log10())] * len(lags), [0.0] * len(lags)
    if name == "rnn":
        values, vectors = torch.linalg.eig(layer.get_parameter("weight_hh_l0").detach().double())
        radius, condition = values.abs().max().log10(), torch.linalg.cond(vectors).log10()
        return None, [float(condition + lag * radius) for lag in lags]
    return None, None


def along(factors: Tensor, lags: list[int]) -> list[float]:
    """Return log₁₀ of the product of the last ℓ factors, at each lag ℓ."""
    products = [0.0, *factors.log10().flip(0).cumsum(0).tolist()]
    return [products[lag] for lag in lags]


def measure(size: Size, lab: Lab) -> Result:
    """Train every cure on both tasks at every lag from the same seeds, the long ones first; then take every reach."""
    seeds = range(1, size.seeds + 1)
    lags = sorted(size.lags, reverse=True)
    jobs = [
        Job(task, cure, lag, rate, seed, size.updates)
        for lag, cure, task, rate, seed in product(lags, reversed(CURES), TASKS, RATES, seeds)
    ]
    layers = [(layer, size.reach, seed) for layer, seed in product(NAMES, seeds)]
    return Result(lab.spread(train_one, jobs, "the cures"), lab.spread(reach_before, layers, "reach before training"))


PLAIN = ("tanh RNN", "clipping")
SLOPES = "the products of the least and of the largest slope at each step, as W keeps every norm"
CARRYING = ("ReLU + identity", "GRU", "LSTM", "chrono LSTM")
"""Whose state has a path on which it stays nearly as it is."""


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim what theory says of a layer's reach before training and, where there are several seeds, who succeeds."""
    return (
        _bounded(result, "rnn", "κ(V) ρ^ℓ, the bound of the linear RNN, W = V Λ V⁻¹; tanh only lowers it"),
        _bounded(
            result,
            "orthogonal",
            "the products of the least and of the largest slope at each step, as W keeps every norm",
        ),
        _bounded(result, "irnn", "the share of the error on units with positive input weights, which never end; and 1"),
        at_most(
            "orthogonal: ‖WᵀW − 1‖₂ of W_hh after training",
            max(outcome.off for outcome in result.outcomes if outcome.off is not None),
            4 * H * torch.finfo(torch.float32).eps,
            f"rounding: 4 H ε of float32, H = {H}",
        ),
        *(_compared(result) if len({outcome.seed for outcome in result.outcomes}) > 1 else ()),
    )


def _bounded(result: Result, layer: str, why: str) -> Claim:
    """Claim that r(ℓ) is within its bounds: how far outside it is at worst is then negative."""
    outside = -math.inf
    for each in where(result.reached, layer=layer):
        least = each.least or [-math.inf] * len(each.lags)
        most = each.most or [math.inf] * len(each.lags)
        for i in range(1, len(each.lags)):
            outside = max(outside, least[i] - each.reach[i], each.reach[i] - most[i])
    says = f"{NAMES[layer]} before training: farthest of log₁₀ r(ℓ), any ℓ > 0, outside its bounds (within: < 0)"
    return Claim(says, None, outside, None, 1e-4, f"{why}; four digits are kept")


def _compared(result: Result) -> tuple[Claim, ...]:
    """Compare the cures, which takes several seeds."""
    plain = " and ".join(PLAIN)
    longest = max(outcome.lag for outcome in result.outcomes)
    far, n = count(where(result.outcomes, cure=PLAIN, lag=longest))
    return (
        more_often(
            where(result.outcomes, cure=CARRYING),
            where(result.outcomes, cure=PLAIN),
            f"{', '.join(CARRYING)} succeed",
            plain,
            "they are no better",
        ),
        equal(
            f"Runs of {plain} that succeed at lag {longest}",
            0.0,
            float(far),
            0.0,
            f"no gradient arrives from there; of {n} runs, so at most {100 * interval(0, n)[1]:.0f} % would at 95 %",
        ),
        at_least(
            f"Cures of which some run succeeds at lag {longest}",
            float(len({each.cure for each in where(result.outcomes, lag=longest) if each.solved is not None})),
            1.0,
            "the lag can be learned within the budget",
        ),
    )


def draw(result: Result) -> Figure:
    """Draw the success of each cure at each lag, at the lower + the higher rate; and an update's cost."""
    figure, panels = axes(3, width=11.5, height=4.6, gridspec_kw={"width_ratios": (5, 5, 2.6)}, sharey=True)
    for panel, task in zip(panels, TASKS, strict=False):
        _map(panel, result, task)
    _cost(panels[-1], result)
    for panel in panels:
        panel.set(ylabel="cure", yticks=range(len(CURES)), yticklabels=list(CURES))
        panel.label_outer()
    return figure


def _map(panel: Axes, result: Result, task: TaskName) -> None:
    lags = sorted({outcome.lag for outcome in result.outcomes})
    rates = []
    for i, cure in enumerate(CURES):
        runs = [where(result.outcomes, cure=cure, task=task, lag=lag) for lag in lags]
        rates.append([100 * successes(each) / len(each) for each in runs])
        for j, each in enumerate(runs):
            steps = [outcome.solved for outcome in each if outcome.solved is not None]
            counts = " + ".join(str(successes(where(each, rate=rate))) for rate in RATES)
            text = counts + (f"\n{median(steps):.0f}" if steps else "")
            ink = "white" if rates[i][j] < 60 else "black"
            panel.text(j, i, text, ha="center", va="center", fontsize=7.5, color=ink, linespacing=0.95)
    shown = panel.imshow(rates, cmap=HEAT, vmin=0, vmax=100, aspect="auto")
    panel.set(xlabel="lag, steps", title=f"{task}: of {len(runs[0])} runs", xticks=range(len(lags)), xticklabels=lags)
    panel.grid(False)
    if task == "copying":
        panel.figure.colorbar(shown, ax=panel, label="runs that succeed, %")


def _cost(panel: Axes, result: Result) -> None:
    longest = max(outcome.lag for outcome in result.outcomes)
    costs = [median(o.milliseconds for o in where(result.outcomes, cure=cure, lag=longest)) for cure in CURES]
    panel.barh(range(len(CURES)), costs, color=CYCLE[0], height=0.6)
    panel.set(xlabel="one update, ms", title=f"Cost at lag {longest}")
    panel.grid(visible=False, axis="y")


def draw_reach(result: Result) -> Figure:
    """Draw r(ℓ) of every layer before training: the median over seeds, and the bounds of those that have some."""
    figure, (panel,) = axes(width=8.5, height=4.4)
    for i, (layer, name) in enumerate(NAMES.items()):
        curves = where(result.reached, layer=layer)
        middle = [median(values) for values in zip(*(each.reach for each in curves), strict=True)]
        colour, dash = CYCLE[i % len(CYCLE)], ("-", "--")[i // len(CYCLE)]
        panel.plot(curves[0].lags, middle, dash, color=colour, label=name)
        for bound in (curves[0].least, curves[0].most):
            if bound is not None:
                panel.plot(curves[0].lags, bound, ":", color=colour, lw=1)
    panel.plot([], [], ":", color="gray", lw=1, label="bound")
    describe(panel, "Reach before training, adding problem", "lag ℓ, steps", "log₁₀ r(ℓ), no unit", ylim=(-20, 1))
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


EXPERIMENT = Experiment(
    name="cures",
    lesson=11,
    title="The cures compared",
    sizes={
        "quick": Size((10,), seeds=1, updates=20, reach=100),
        "usual": Size((20, 50, 100, 200, 400), seeds=2, updates=1000, reach=400),
        "full": Size((20, 50, 100, 200, 400), seeds=10, updates=10_000, reach=400),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"cures": draw, "cures-reach": draw_reach},
)
