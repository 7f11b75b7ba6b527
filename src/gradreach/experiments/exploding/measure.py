"""The runs with a rising rate, the restart, and the grid of thresholds."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import geometric_mean, mean
from tempfile import TemporaryDirectory

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.optim.lr_scheduler import ExponentialLR

from gradreach.experiments.exploding.network import N, built, exact, flat, growth, log10_bound
from gradreach.experiments.lab import Lab
from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots

FIRST, LAST = 1e-3, 10.0
"""The rate that is raised, at the first and at the last update."""

THRESHOLD = 10.0
RATE = 0.1
"""Where thresholds are compared."""
GRID = tuple(10 ** (k / 2) for k in range(-2, 7))

NEVER = 1e38
"""A threshold over every finite norm of float32."""

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


class Result(Struct, frozen=True):
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
    """Run while the rate rises from FIRST to LAST, up to the update at which something is no longer finite."""
    model, data, loss_fn, optimizer = built(FIRST, job.seed)
    schedule, clip = rise(optimizer, job.updates), Clip(optimizer, job.rule)
    losses, norms, longest, ending = [], [], 0.0, None
    last = exact(model), *next(iter(data))
    for update, (x, y) in enumerate(islice(data, job.updates)):
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        norm, rate, before = clip(), optimizer.param_groups[0]["lr"], exact(model)
        losses.append(_finite(loss))
        norms.append(_finite(norm))
        optimizer.step()
        schedule.step()
        if losses[-1] is None or norms[-1] is None:
            ending = Ending(update, _spoilt(model), log10_bound(before), *growth(*last))
            break
        longest = max(longest, float((flat(model) - flat(before)).norm()) / (rate * float(job.rule)))
        last = before, x, y
    return Course(losses, norms, longest, _spoilt(model), ending, [], [])


def guarded(job: Job) -> Course:
    """Run the same without clipping, under a guard that lowers the rate when it goes back."""
    model, data, loss_fn, optimizer = built(FIRST, job.seed)
    schedule = rise(optimizer, job.updates)
    guard = Guard(model, optimizer, clip=None, scheduler=schedule, policy=GuardPolicy(lower_lr=LOWERED))
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
    """Keep the guard's warnings out of the log within the context."""
    logger = logging.getLogger("gradreach")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def restart(job: Job) -> tuple[int, int]:
    """Count the weights that differ once a run is broken off and resumed, and return the update of that."""
    with quiet(), TemporaryDirectory() as first, TemporaryDirectory() as second:
        whole, _ = _run(job, Path(first))
        _run(Job(job.rule, job.seed, job.updates * 4 // 5), Path(second))
        again, at = _run(job, Path(second))
    return int((whole != again).sum()), at


def _run(job: Job, folder: Path) -> tuple[Tensor, int]:
    """Return the weights after as many updates, and the update begun at: that of the folder's snapshot, if any."""
    model, data, loss_fn, optimizer = built(RATE, job.seed)
    drawn = torch.Generator().manual_seed(job.seed)
    snapshots = GuardSnapshots(every=job.updates // 5, folder=folder, keep={"data": drawn})
    guard = Guard(model, optimizer, job.rule, snapshots=snapshots)
    at = guard.resume()
    for _ in range(at, job.updates):
        x, y = data.task.train(N, drawn)
        guard.step(loss_fn(model(x), y))
    return flat(model), at


def trial(job: Job) -> tuple[float | None, float | None]:
    """Return the mean loss over the last tenth of a run at RATE, and the median threshold that its rule used."""
    model, data, loss_fn, optimizer = built(RATE, job.seed)
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


def measure(size: Size, lab: Lab) -> Result:
    """Make the runs with a rising rate for each seed, a restart, and the runs over the grid of thresholds with auto."""
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
    weights = flat(built(RATE, 0).model)
    return Result(len(weights), float(weights.norm()), unclipped, clipped, kept, changed, at, trials)


def rise(optimizer: torch.optim.Optimizer, updates: int) -> ExponentialLR:
    """Raise the optimizer's rate from FIRST to LAST at the last of so many updates."""
    return ExponentialLR(optimizer, (LAST / FIRST) ** (1 / (updates - 1)))


def _spoilt(model: nn.Module) -> int:
    return int((~flat(model).isfinite()).sum())


def _finite(value: Tensor) -> float | None:
    number = float(value.detach())
    return _short(number) if math.isfinite(number) else None


def _short(number: float) -> float:
    return float(f"{number:.4g}")


def middle(found: Trial) -> float:
    """Return the geometric mean over the seeds, ∞ where one was not finite."""
    sound = [loss for loss in found.final if loss is not None]
    return geometric_mean(sound) if len(sound) == len(found.final) else math.inf


def split(trials: list[Trial]) -> tuple[list[tuple[float, Trial]], Trial]:
    """Return the fixed thresholds in rising order with their trials, and the trial of auto."""
    fixed = sorted((each.threshold, each) for each in trials if each.threshold is not None)
    return fixed, next(each for each in trials if each.threshold is None)
