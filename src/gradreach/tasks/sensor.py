"""A long sensor signal: oscillations, noise, and rare pulses whose sign is to be remembered; or one from a file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from gradreach.tasks.task import Batch, Task, windows

LONG = 65_536
HOLD = 128
"""Mean steps between two pulses."""

DRIFT, HUM, NOISE, PULSE = (1.0, 4096.0), (0.5, 16.0), 0.1, 4.0
"""Slow and fast oscillation (amplitude, period in steps), the noise's deviation, a pulse's height."""

TESTED = 1024
"""Steps, at most, of a sequence of the test: hundreds of them are run at once. They hold eight pulses or so."""

KEPT = 0.1
"""The share of a file that is kept for the test: its end."""


def sensor(length: int | None = None, data: str | Path | None = None) -> Task:
    """A long signal with two regimes: a rare pulse, up or down, says which holds until the next; say it at every step.

    x (N, T, 1), T = 65,536 unless `length` is given: an oscillation over 4,096 steps and one over 16, each of a random
    phase, noise, and pulses: one at step 0, others with probability 1/128 a step, up or down with probability 1/2 each.
    y (N, T) is the regime, 0 or 1. Whoever sees a pulse and remembers none is wrong with probability ½ (1 − 1/128) at
    every step but the first. Learned at 0.05. Tests are on sequences of at most 1,024 steps.

    `data`: a file with one column of numbers, .npy, .csv (a heading is passed over) or text; then x is a stretch of it,
    brought to mean 0 and variance 1, and y (N, T, 1) the value that follows each step. The last tenth is kept for the
    test; T is at most its length less 1. `chance` is then the error there of the best line from a value to the next;
    there is no level at which it counts as learned.

    So long a signal is best trained by `gr.tbptt(x, y, k1=…, k2=…, step=model.carry, layout=gr.BatchLayout(dim=1))`,
    with `model.head(window.output)`.

    Raises ValueError for a length under 2 or over what the file holds, and for a file that is no column of numbers.

    >>> import torch, gradreach as gr
    >>> batch = gr.tasks.sensor(length=200).train(3, torch.Generator().manual_seed(0))
    >>> batch.x.shape, batch.y.shape
    (torch.Size([3, 200, 1]), torch.Size([3, 200]))
    """
    if length is not None and length < 2:
        raise ValueError(f"length: expected at least 2 steps, got {length}")
    return _generated(length or LONG) if data is None else _of_file(Path(data), length)


def _generated(length: int) -> Task:
    return Task(
        f"sensor, T {length}",
        lambda N, g: _signal(N, length, g),
        lambda N, g: _signal(N, min(length, TESTED), g),
        outputs=2,
        length=length,
        chance=0.5 * (1 - 1 / HOLD),
        solved=0.05,
    )


def _signal(N: int, T: int, g: Generator) -> Batch:
    pulsed = torch.rand((N, T), generator=g) < 1 / HOLD
    pulsed[:, 0] = True
    sign = torch.randint(2, (N, T), generator=g)
    last = torch.where(pulsed, torch.arange(T), 0).cummax(1).values  # the step of the latest pulse
    x = NOISE * torch.randn((N, T), generator=g) + PULSE * torch.where(pulsed, 2 * sign - 1, 0)
    for amplitude, period in (DRIFT, HUM):
        phase = torch.rand((N, 1), generator=g)
        x += amplitude * torch.sin(2 * math.pi * (torch.arange(T) / period + phase))
    return Batch(x.unsqueeze(-1), sign.gather(1, last))


def _of_file(path: Path, length: int | None) -> Task:
    values = _column(path)
    kept = max(2, math.ceil(KEPT * len(values)))
    T = min(LONG, kept - 1) if length is None else length
    if kept <= T or len(values) < 2 * kept:
        raise ValueError(
            f"length: expected at most {kept - 1} steps, one under the last tenth of the {len(values)} numbers in "
            f"{path}, got {T}; ask for fewer, or give a longer file"
        )
    train = values[:-kept]
    centre, spread = train.mean(), train.std()
    if not spread > 0:
        raise ValueError(f"data: expected numbers that vary, got {float(centre):g} throughout the first part of {path}")
    train, test = ((part - centre) / spread for part in (train, values[-kept:]))
    return Task(
        f"sensor, {path.name}, T {T}",
        windows(train.float().unsqueeze(-1), T),
        windows(test.float().unsqueeze(-1), min(T, TESTED)),
        outputs=1,
        length=T,
        loss=F.mse_loss,
        error=F.mse_loss,
        chance=_error_of_line(train, test),
    )


def _column(path: Path) -> Tensor:
    """The numbers in the file, float64."""
    try:
        if path.suffix == ".npy":
            found = np.load(path, allow_pickle=False)
        else:
            found = np.genfromtxt(path, delimiter="," if path.suffix == ".csv" else None, encoding="utf-8")
        column = np.atleast_1d(np.squeeze(found)).astype(float)
    except (OSError, ValueError) as refused:
        raise ValueError(
            f"data: expected one column of numbers, in .npy, .csv or text, got {path}, which cannot be read as that: "
            f"{refused}"
        ) from refused
    if column.ndim > 1:
        raise ValueError(f"data: expected one column of numbers, got {column.shape} in {path}; keep one column")
    if path.suffix == ".csv" and column.size and np.isnan(column[0]):
        column = column[1:]
    if column.size < 4 or not np.isfinite(column).all():
        at = np.flatnonzero(~np.isfinite(column))
        came = f"row {at[0] + 1} that is none" if at.size else f"{column.size} of them"
        raise ValueError(f"data: expected at least 4 numbers, each finite, got {came} in {path}; mend that row")
    return torch.from_numpy(column)


def _error_of_line(train: Tensor, test: Tensor) -> float:
    """Mean squared error in `test` of the least-squares line from a value to the next in `train`."""
    slope, intercept = map(float, np.polyfit(train[:-1].numpy(), train[1:].numpy(), 1))
    return float((slope * test[:-1] + intercept - test[1:]).square().mean())
