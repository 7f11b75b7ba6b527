"""Pairs of runs made by hand: a noisy falling loss, of one level or of two."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradreach.record.schema import Outcome, Record, Step
from gradreach.report.conclusions import Conclusions
from tests.records.parts import at, depth_look, record, run, time_look
from tests.report.reports import conclusions_of


def noise(rng: np.random.Generator, count: int, phi: float) -> np.ndarray:
    """An AR(1) series of standard deviation 1, from its own distribution on."""
    steps = rng.standard_normal(count) * np.sqrt(1 - phi * phi)
    series = np.empty(count)
    series[0] = rng.standard_normal()
    for i in range(1, count):
        series[i] = phi * series[i - 1] + steps[i]
    return series


def falling(seed: int, *, count: int = 300, level: float = 0.5, phi: float = 0.5, scale: float = 0.05) -> Record:
    """A run whose loss falls to `level` under AR(1) noise of this `scale`, watched on every tenth step."""
    rng = np.random.default_rng(seed)
    fall = 2.5 * np.exp(-6 * np.arange(count) / count)
    losses = level + fall + scale * noise(rng, count, phi)
    norms = np.exp(0.2 * noise(rng, count, phi))
    steps = tuple(
        Step(i, 0.01 * i + 0.001 * (i % 7), 0, loss=float(losses[i]), norm=float(norms[i]), watched=i % 10 == 0)
        for i in range(count)
    )
    looks = tuple(
        look
        for i in range(0, count, 10)
        for look in at(
            time_look("rnn", factor=float(0.7 + 0.01 * rng.standard_normal())),
            *(
                depth_look(name, "Linear", order, float(1e-3 * np.exp(0.1 * rng.standard_normal())))
                for order, name in enumerate(("encoder", "rnn", "decoder"))
            ),
            start=i,
            count=1,
        )
    )
    return record(
        steps,
        looks,
        run=run("train.py", "--lr", "0.1"),
        sites=("train.py:31",),
        models={"model": "Net"},
        outcome=Outcome("finished", 0, seconds=0.01 * count),
    )


def with_argv(record: Record, *argv: str) -> Record:
    return replace(record, run=replace(record.run, argv=argv))


def bare(record: Record) -> Conclusions:
    """A report in which no rule has spoken."""
    return conclusions_of(record)
