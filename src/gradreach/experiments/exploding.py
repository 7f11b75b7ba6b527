"""Exploding: a run that falls, jumps and ends in NaN; the clip that prevents it, and the guard that goes back.

A ReLU RNN that starts at the identity echoes the symbol of three steps ago (cross-entropy, plain SGD). In the first
part the learning rate is raised 10,000-fold while it trains, until something breaks: without clipping, with it, and
without clipping under a guard. In the second part the rate stays where only clipping keeps the run finite, and the
threshold goes over a grid. Pascanu, Mikolov and Bengio 2013, sections 2 and 3.2.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import geometric_mean, mean
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector
from torch.optim.lr_scheduler import ExponentialLR

from gradreach.experiments.claim import Claim, at_least, at_most, equal
from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, axes
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.lab import Lab
from gradreach.recurrence.reach import reach
from gradreach.remedies.clip import Clip
from gradreach.remedies.guard import GaveUp, Guard
from gradreach.tasks.echo import echo
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.recipe import Parts, Recipe
from gradreach.tasks.task import cross_entropy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAG, T, H, N = 3, 50, 32, 8
FIRST, LAST = 1e-3, 10.0
"""The rate that is raised, at the first and at the last update."""

THRESHOLD = 10.0
RATE = 0.1
"""Where thresholds are compared."""

NEVER = 1e38
"""A threshold over every finite norm of float32."""

LARGEST = math.log10(torch.finfo(torch.float32).max)
LOWERED = 0.5
"""The rate's factor at a rollback."""


@dataclass(frozen=True)
class Size:
    """Runs with a rising rate and their updates; seeds and updates of a run for each of the thresholds."""

    runs: int
    updates: int
    seeds: int
    trained: int
    thresholds: tuple[float, ...]


@dataclass(frozen=True)
class Job:
    """One run: its rule (a threshold or "auto"), seed and number of updates."""

    rule: float | str
    seed: int
    updates: int


class Ending(Struct, frozen=True):
    """The update at which loss or norm first were not finite, and the weights that were not finite after it.

    log₁₀ of the bound of the gradient's norm at the weights before it. At the update before it, which was sound, of the
    loss at the last step alone: growth of ∂L_T/∂h_k from k = T to 1 by autograd, and by `gr.reach`, with the factor of
    its curve.
    """

    update: int
    spoilt: int
    log10_bound: float
    growth: float
    reached: float
    factor: float


class Course(Struct, frozen=True):
    """Loss and norm before clipping at each update, None where not finite; the longest update as a share of
    rate × threshold; weights that are not finite at the end; how it broke, None where it went through; the updates that
    the guard skipped, and those at which it went back."""

    loss: list[float | None]
    norm: list[float | None]
    longest: float
    spoilt: int
    ending: Ending | None
    skipped: list[int]
    went_back: list[int]


class Trial(Struct, frozen=True):
    """One rule (None: auto). For each seed the loss at the end, None where not finite, and the median threshold."""

    threshold: float | None
    final: list[float | None]
    used: list[float | None]


class Measured(Struct, frozen=True):
    """The number of weights and their norm at the start; the runs with a rising rate; weights that a restart at an
    update changed; the trials."""

    weights: int
    size_of_weights: float
    unclipped: list[Course]
    clipped: list[Course]
    guarded: list[Course]
    changed: int
    restarted: int
    trials: list[Trial]


def rising(job: Job) -> Course:
    """A run whose rate rises from FIRST to LAST, up to the update at which it is no longer finite."""
    model, data, loss_fn, optimizer = _built(FIRST, job.seed)
    schedule, clip = _rise(optimizer, job.updates), Clip(optimizer, job.rule)
    losses, norms, longest, ending = [], [], 0.0, None
    last = _exact(model), *next(iter(data))
    for update, (x, y) in enumerate(islice(data, job.updates)):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        norm, rate, before = clip(), optimizer.param_groups[0]["lr"], _exact(model)
        losses.append(_finite(loss))
        norms.append(_finite(norm))
        optimizer.step()
        schedule.step()
        if losses[-1] is None or norms[-1] is None:
            ending = Ending(update, _spoilt(model), log10_bound(before), *growth(*last))
            break
        longest = max(longest, float((_flat(model) - _flat(before)).norm()) / (rate * float(job.rule)))
        last = before, x, y
    return Course(losses, norms, longest, _spoilt(model), ending, [], [])


def guarded(job: Job) -> Course:
    """The same without clipping, under a guard that lowers the rate when it goes back."""
    model, data, loss_fn, optimizer = _built(FIRST, job.seed)
    schedule = _rise(optimizer, job.updates)
    guard = Guard(model, optimizer, clip=None, scheduler=schedule, lower_lr=LOWERED)
    losses, norms = [], []
    with quiet(), suppress(GaveUp):  # its events say both
        for x, y in islice(data, job.updates):
            loss = loss_fn(model(x), y)
            losses.append(_finite(loss))
            norms.append(_finite(guard.step(loss)))
    skipped, went_back = (
        [event.step for event in guard.events if event.what == what] for what in ("skipped", "rolled back")
    )
    return Course(losses, norms, 0.0, _spoilt(model), None, skipped, went_back)


@contextmanager
def quiet() -> Iterator[None]:
    """Within it the guard's warnings are not logged."""
    logger = logging.getLogger("gradreach")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def restart(job: Job) -> tuple[int, int]:
    """Weights that differ between a run and the same run broken off and resumed; the update it was resumed at."""
    with quiet(), TemporaryDirectory() as first, TemporaryDirectory() as second:
        whole, _ = _run(job, Path(first))
        _run(Job(job.rule, job.seed, job.updates * 4 // 5), Path(second))
        again, at = _run(job, Path(second))
    return int((whole != again).sum()), at


def _run(job: Job, folder: Path) -> tuple[Tensor, int]:
    """The weights after as many updates, begun from the folder's snapshot where there is one."""
    model, data, loss_fn, optimizer = _built(RATE, job.seed)
    drawn = torch.Generator().manual_seed(job.seed)
    guard = Guard(model, optimizer, job.rule, keep={"data": drawn}, every=job.updates // 5, folder=folder)
    at = guard.resume()
    for _ in range(at, job.updates):
        x, y = data.task.train(N, drawn)
        guard.step(loss_fn(model(x), y))
    return _flat(model), at


def trial(job: Job) -> tuple[float | None, float | None]:
    """The mean loss over the last tenth of a run at RATE, and the median threshold that its rule used."""
    model, data, loss_fn, optimizer = _built(RATE, job.seed)
    clip, losses = Clip(optimizer, job.rule), []
    for x, y in islice(data, job.updates):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        clip()
        optimizer.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            return None, None
    used = sorted(threshold for threshold in clip.curve.threshold if math.isfinite(threshold))
    return _short(mean(losses[-max(1, job.updates // 10) :])), _short(used[len(used) // 2])


def measure(size: Size, lab: Lab) -> Measured:
    """The runs with a rising rate for each seed, a restart, and the grid of thresholds with auto."""
    never = [Job(NEVER, seed, size.updates) for seed in range(size.runs)]
    unclipped = lab.spread(rising, never, "runs without clipping")
    clipped = lab.spread(rising, [replace(job, rule=THRESHOLD) for job in never], "runs with clipping")
    kept = lab.spread(guarded, never, "runs under the guard")
    ((changed, at),) = lab.spread(restart, [Job(THRESHOLD, 0, size.trained)], "a restart")
    rules: list[float | str] = [*size.thresholds, "auto"]
    jobs = [Job(rule, seed, size.trained) for rule in rules for seed in range(size.seeds)]
    found = lab.spread(trial, jobs, "thresholds")
    trials = []
    for i, rule in enumerate(rules):
        final, used = zip(*found[i * size.seeds : (i + 1) * size.seeds], strict=True)
        trials.append(Trial(None if isinstance(rule, str) else rule, list(final), list(used)))
    weights = _flat(_built(RATE, 0).model)
    return Measured(len(weights), float(weights.norm()), unclipped, clipped, kept, changed, at, trials)


def _built(rate: float, seed: int) -> Parts:
    task = echo(lag=LAG, length=T)
    return Recipe(task, lambda t: recurrent(t, "irnn", H), N, rate, "sgd", None, seed).build()


def _rise(optimizer: torch.optim.Optimizer, updates: int) -> ExponentialLR:
    return ExponentialLR(optimizer, (LAST / FIRST) ** (1 / (updates - 1)))


def _exact(model: nn.Module) -> Recurrent:
    return cast(Recurrent, deepcopy(model)).double()


def log10_bound(model: Recurrent) -> float:
    """Of ‖∂L/∂W_hh‖, whatever the symbols, for λ = ‖W_hh‖₂ > 1, L a mean of cross-entropies, ReLU and h_0 = 0.

    ‖h_k‖ ≤ u λ^k / (λ − 1) with u the longest W_ih x + b, and ‖e_t‖ ≤ √2 ‖V‖₂ with V the readout's weights, so each of
    the terms (∂h_t/∂h_k)ᵀ e_t h_{k−1}ᵀ is at most √2 ‖V‖₂ u λ^T / (λ − 1), and there are T a scored step. The logits
    and the loss stay under it too, but for the readout's bias.
    """
    weights = dict(model.named_parameters())
    bias = weights["body.bias_ih_l0"] + weights["body.bias_hh_l0"]
    driven = (weights["embed.weight"] @ weights["body.weight_ih_l0"].T + bias).detach()
    u, V, norm = driven.norm(dim=1).max(), _largest(model.head.weight), _largest(weights["body.weight_hh_l0"])
    return math.log10(math.sqrt(2) * T * V * float(u) / (norm - 1)) + T * math.log10(norm)


def _largest(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach(), 2))


def growth(model: Recurrent, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """Of the gradient at h_k from k = T to k = 1: by autograd, by `gr.reach`; the factor."""
    assert model.embed is not None
    embedded, states, h = model.embed(x).detach(), [], None
    for t in range(T):
        _, h = model.body(embedded[:, t : t + 1], h)
        states.append(h)
    loss = cross_entropy(model.head(states[-1][0]), y[:, -1])
    gradients = torch.autograd.grad(loss, states)
    far, near = (float(gradients[k].norm(dim=-1).mean()) for k in (0, -1))
    error = torch.zeros(N, T, H, dtype=torch.float64)
    error[:, -1] = gradients[-1][0]
    found = reach(model.body, embedded, error)
    assert found.factor is not None
    return far / near, found.curve[-1], found.factor


def _flat(model: nn.Module) -> Tensor:
    return parameters_to_vector(model.parameters()).detach()


def _spoilt(model: nn.Module) -> int:
    return int((~_flat(model).isfinite()).sum())


def _finite(value: Tensor) -> float | None:
    number = float(value.detach())
    return _short(number) if math.isfinite(number) else None


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def middle(found: Trial) -> float:
    """The geometric mean over the seeds, ∞ where one was not finite."""
    sound = [loss for loss in found.final if loss is not None]
    return geometric_mean(sound) if len(sound) == len(found.final) else math.inf


def split(trials: list[Trial]) -> tuple[list[tuple[float, Trial]], Trial]:
    """The fixed thresholds in rising order, with their trials, and auto."""
    fixed = sorted((each.threshold, each) for each in trials if each.threshold is not None)
    return fixed, next(each for each in trials if each.threshold is None)


def claims(measured: Measured) -> tuple[Claim, ...]:
    """How it breaks, what clip and guard do about it, and which threshold helps."""
    endings = [course.ending for course in measured.unclipped if course.ending is not None]
    runs = len(measured.unclipped)
    every = f"each of {runs} seeds"
    return (
        at_least(
            f"Runs without clipping that end in inf or NaN, of {runs}",
            float(len(endings)),
            1.0,
            "it happens; not to every seed: in others the units die and the loss stays finite",
        ),
        *_broken(measured, endings),
        at_most(
            f"Longest update with clipping at {THRESHOLD:g}, in rate × threshold",
            max(course.longest for course in measured.clipped),
            1 + measured.weights * 2**-24,
            f"1, and rounding of {measured.weights} weights in float32",
        ),
        equal(
            "Weights that are NaN or inf after the same rise of the rate, with clipping and under the guard",
            0.0,
            float(sum(course.spoilt for course in (*measured.clipped, *measured.guarded))),
            0.0,
            every,
        ),
        equal(
            f"Weights that a restart from the snapshot after {measured.restarted} updates changes",
            0.0,
            float(measured.changed),
            0.0,
            "bit for bit: weights, optimizer, clip and generators are in it",
        ),
        *_choice(measured),
    )


def _broken(measured: Measured, endings: list[Ending]) -> tuple[Claim, ...]:
    """Of the runs that broke; nothing where none did."""
    if not endings:
        return ()
    skipped = [
        len(kept.skipped)
        for kept, bare in zip(measured.guarded, measured.unclipped, strict=True)
        if bare.ending is not None
    ]
    return (
        at_least(
            "log₁₀ of the bound of the gradient, ∝ λ^T, at the weights that gave inf or NaN; the least",
            min(ending.log10_bound for ending in endings),
            LARGEST,
            "log₁₀ of float32's largest number: what the bound forbids cannot overflow",
        ),
        equal(
            "‖∂L/∂h₁‖ over ‖∂L/∂h_T‖ of the last step's loss one update earlier, by autograd over gr.reach's r(T − 1)",
            1.0,
            max((ending.growth / ending.reached for ending in endings), key=lambda ratio: abs(ratio - 1)),
            T * H * 2**-52,
            "rounding: T products of H terms in float64, which grow and so do not cancel",
        ),
        at_least(
            "Factor per step of gr.reach there; the least",
            min(ending.factor for ending in endings),
            1.0,
            f"at 1 or less nothing explodes; over {T - 1} steps it makes "
            f"{min(ending.factor for ending in endings) ** (T - 1):.0e} and more",
        ),
        at_least(
            "Weights that are NaN or inf one update later; the fewest",
            float(min(ending.spoilt for ending in endings)),
            1.0,
            "a gradient that is not finite spoils what it moves",
        ),
        at_least(
            "Steps that the guard skips in a run that breaks without it; the fewest",
            float(min(skipped)),
            1.0,
            "the same run as without it, up to a step that is bad",
        ),
    )


def _choice(measured: Measured) -> tuple[Claim, Claim]:
    fixed, auto = split(measured.trials)
    finite = [threshold for threshold, found in fixed if math.isfinite(middle(found))]
    spacing = fixed[1][0] / fixed[0][0]
    throw = measured.size_of_weights / RATE
    at, best = min(fixed, key=lambda pair: middle(pair[1]))
    sound = [loss for loss in best.final if loss is not None]
    return (
        Claim(
            "Highest threshold of the grid at which every seed stays finite",
            throw,
            max(finite),
            None,
            throw * spacing,
            f"‖w‖/rate: an update as long as the weights throws; one step of the grid is {spacing:.3g}",
        ),
        Claim(
            f"Final loss with gr.Clip(optimizer), over that with the best threshold, {at:g}",
            1.0,
            middle(auto) / middle(best),
            None,
            max(sound) / min(sound),
            f"what one seed differs from another at {at:g} (geometric means of {len(sound)}); not so under Adam",
        ),
    )


def draw_course(measured: Measured) -> Figure:
    """Losses and norms of the three runs of the first seed, over the updates."""
    figure, (loss, norm) = axes(2, width=9, height=3.6)
    kinds = (
        (measured.unclipped, VERMILION, "no clipping", 2.4),
        (measured.guarded, PURPLE, "no clipping, guard", 1.6),
        (measured.clipped, SKY, f"clipped at {THRESHOLD:g}", 1.0),
    )
    for courses, colour, label, width in kinds:
        for panel, values in ((loss, courses[0].loss), (norm, courses[0].norm)):
            panel.semilogy([math.nan if v is None else v for v in values], color=colour, lw=width, label=label)
    _mark(loss, norm, measured)
    loss.set(xlabel="update (the rate rises 10,000-fold)", ylabel="loss, nats", title="An unstable learning curve")
    norm.set(xlabel="update (the rate rises 10,000-fold)", ylabel="gradient norm, no unit", title="The norm's curve")
    loss.legend(loc="upper left")
    return figure


def _mark(loss: Axes, norm: Axes, measured: Measured) -> None:
    ending = measured.unclipped[0].ending
    if ending is not None:
        for panel in (loss, norm):
            panel.axvline(ending.update, color=VERMILION, ls=":", lw=1)
        loss.annotate(
            f"NaN at {ending.update} ",
            (ending.update, 1.0),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            color=VERMILION,
        )
    for step in measured.guarded[0].went_back:
        norm.axvline(step, color=PURPLE, ls="--", lw=1)
    norm.axhline(THRESHOLD, color=SKY, ls="--", lw=1)


def draw_thresholds(measured: Measured) -> Figure:
    """The loss at the end of each seed's run over the threshold."""
    figure, (panel,) = axes(width=9, height=3.6)
    fixed, auto = split(measured.trials)
    losses = [loss for _, found in (*fixed, (0.0, auto)) for loss in found.final if loss is not None]
    top = 8 * max(losses)
    for threshold, found in fixed:
        panel.plot([threshold] * len(found.final), [loss or top for loss in found.final], "o", color=BLUE, alpha=0.5)
    line = [(threshold, middle(found)) for threshold, found in fixed if math.isfinite(middle(found))]
    panel.plot(*zip(*line, strict=True), color=BLUE, label="fixed: each seed,\nand their geometric mean")
    used = [(u, loss) for u, loss in zip(auto.used, auto.final, strict=True) if u is not None and loss is not None]
    panel.plot(*zip(*used, strict=True), "D", color=ORANGE, label="auto, at the median\nof what it chose")
    panel.axhline(top, color=VERMILION, ls=":", label="inf or NaN")
    panel.axvline(measured.size_of_weights / RATE, color=GREEN, ls="--", label="‖w‖ / rate")
    panel.set(
        xscale="log", yscale="log", xlabel="threshold of the global norm, no unit", ylabel="loss at the end, nats"
    )
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    return figure


GRID = tuple(10 ** (k / 2) for k in range(-2, 7))
EXPERIMENT = Experiment(
    title="Exploding, clipped, guarded",
    sizes={
        "quick": Size(runs=2, updates=150, seeds=3, trained=80, thresholds=GRID[::2]),
        "usual": Size(runs=5, updates=200, seeds=10, trained=400, thresholds=GRID),
    },
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"exploding": draw_course, "thresholds": draw_thresholds},
)
