"""What a window costs and loses; trainings on echo and on a sensor's signal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from gradreach.engine.reach import reach
from gradreach.experiments.lab import Lab
from gradreach.remedies.clip import Clip
from gradreach.remedies.layers import RNN
from gradreach.remedies.tbptt.bptt import bptt
from gradreach.remedies.tbptt.options import BatchLayout
from gradreach.remedies.tbptt.tbptt import tbptt
from gradreach.remedies.tbptt.truncation_bias import truncation_bias
from gradreach.tasks.echo import echo
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.sensor import sensor
from gradreach.tasks.task import UNSCORED, Batch, Task, cross_entropy
from gradreach.tasks.training import error

H, N, RATE, CLIP = 32, 16, 5e-3, 1.0
PROBED, FITTED = 400, 1600
"""Sequences on which a probe is tested, and fitted; each gives one state."""

WINDOW = (16, 64)
"""k1 and k2 for the sensor's signal."""


@dataclass(frozen=True)
class Size:
    """The echo's lag, its windows (k1, k2), updates and seeds; steps of the signal; steps whose bias is measured."""

    lag: int
    windows: tuple[tuple[int, int], ...]
    updates: int
    seeds: int
    signal: int
    biased: int


@dataclass(frozen=True)
class Job:
    """One training on echo: k2 = 0 trains the readout alone."""

    lag: int
    k1: int
    k2: int
    updates: int
    seed: int


class Cost(Struct, frozen=True):
    """Of a pass over `steps` with windows k1, k2: steps run; most bytes saved for one backward pass; wall seconds."""

    k1: int
    k2: int
    steps: int
    ran: int
    saved: int
    seconds: float


class Window(Struct, frozen=True):
    """Error on echo for each seed, and wrong answers of linear probes of the state by lag, of so many in all seeds."""

    k1: int
    k2: int
    errors: list[float]
    wrong: list[int]
    probed: int


class Measured(Struct, frozen=True):
    """Costs; b(k), k = 1 … T, as the error of tbptt's own gradient and by gr.reach, and pairs (k, b) by
    gr.truncation_bias; errors on echo at `lag` of readouts of a recurrence that was never trained, and by window.

    Of the signal: its steps; the relative distance of bptt's gradient from full BPTT's; wrong regimes at the end of so
    many fresh sequences after one pass.
    """

    costs: list[Cost]
    actual: list[float]
    reached: list[float]
    measured: list[tuple[int, float]]
    lag: int
    readout: list[float]
    windows: list[Window]
    signal: int
    exact: float
    regimes_wrong: int
    regimes: int


def cost(k1: int, k2: int, steps: int) -> Cost:
    """One pass of a layer over a sequence, without updates."""
    torch.manual_seed(0)
    layer, x, ran, saved = RNN(4, H), torch.randn(steps, 4, 4), 0, 0

    def step(x: Tensor, state: Any) -> Any:
        nonlocal ran
        ran += len(x)
        return layer(x, state)

    begun = time.perf_counter()
    windows = tbptt(x, k1=k1, k2=k2, step=step)
    for _ in range(0, steps, k1):
        with _bytes_saved() as held:
            window = next(windows)
        saved = max(saved, held[0])
        window.output.square().mean().backward()
    return Cost(k1, k2, steps, ran, saved, round(time.perf_counter() - begun, 4))


@contextmanager
def _bytes_saved() -> Iterator[list[int]]:
    """Bytes that autograd saves within it."""
    held = [0]

    def count(tensor: Tensor) -> Tensor:
        held[0] += tensor.nbytes
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        yield held


def biases(T: int) -> tuple[list[float], list[float], list[tuple[int, float]]]:
    """b(k) of W_hh in float64: of the gradients that tbptt gives, by reach, by truncation_bias."""
    torch.manual_seed(0)
    layer = nn.RNN(3, 8, dtype=torch.float64)
    x, y = torch.randn(T, 4, 3, dtype=torch.float64), torch.randn(T, 4, 8, dtype=torch.float64)
    weight, loss = dict(layer.named_parameters())["weight_hh_l0"], partial(F.mse_loss, reduction="sum")

    def truncated(k: int) -> Tensor:
        gradients = [
            torch.autograd.grad(loss(window.output, window.y), weight, allow_unused=True)[0]
            for window in tbptt(x, y, k1=1, k2=k, step=layer)
        ]
        return torch.stack([gradient for gradient in gradients if gradient is not None]).sum(0)

    output = layer(x)[0]
    local_error = 2 * (output.detach() - y)
    whole = torch.autograd.grad(loss(output, y), weight)[0]
    actual = [float((whole - truncated(k)).norm() / whole.norm()) for k in range(1, T + 1)]
    found = truncation_bias(x, y, step=layer, loss=loss, parameters=[weight])
    return actual, list(reach(layer, x, local_error).truncation_bias[1:]), list(zip(found.k2, found.bias, strict=True))


def echoed(job: Job) -> tuple[float, list[int]]:
    """The error on echo after training on one long stream, and the wrong answers of a probe at each lag up to 2 n."""
    task = echo(lag=job.lag, length=job.updates * job.k1 + job.lag)
    torch.manual_seed(job.seed)
    model = recurrent(task, "rnn", H)
    if job.k2 == 0:
        model.body.requires_grad_(False)
    batch = task.train(N, torch.Generator().manual_seed(job.seed))
    _stream(model, batch, job.k1, max(job.k1, job.k2))
    short = echo(lag=job.lag, length=100)
    return error(model, short, job.seed), probe(model, short, job.seed, 2 * job.lag)


def _stream(model: Recurrent, batch: Batch, k1: int, k2: int) -> None:
    """Train the model by one update a window."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE)
    clip = Clip(optimizer, CLIP)
    for window in tbptt(*batch, k1=k1, k2=k2, step=model.carry, layout=BatchLayout(dim=1)):
        if not bool((window.y != UNSCORED).any()):
            continue
        optimizer.zero_grad()
        cross_entropy(model.head(window.output), window.y).backward()
        clip()
        optimizer.step()


@torch.no_grad()
def probe(model: Recurrent, task: Task, seed: int, lags: int) -> list[int]:
    """Wrong answers, out of PROBED, on the symbol of ℓ = 0 … `lags` steps ago, by least squares on the last state.

    Every state is of a sequence of its own, so that the answers are independent of one another.
    """
    x, _ = task.test(FITTED + PROBED, torch.Generator().manual_seed(seed))
    states = model.carry(x, None)[0][:, -1].double()
    features = torch.cat([states, torch.ones(len(states), 1, dtype=torch.float64)], 1)
    symbols = 2.0 * x.flip(1)[:, : lags + 1].double() - 1
    weights = torch.linalg.lstsq(features[:FITTED], symbols[:FITTED], driver="gelsd").solution
    wrong = (features[FITTED:] @ weights).sign() != symbols[FITTED:]
    return [int(count) for count in wrong.sum(0)]


def whole(T: int) -> float:
    """How far the gradient of bptt is from that of full BPTT, relative, in float64."""
    torch.manual_seed(0)
    layer, x = RNN(1, H, dtype=torch.float64), torch.randn(T, 1, 1, dtype=torch.float64)
    gradients = []
    for run in (layer, lambda x: bptt(x, step=layer)):
        loss = run(x)[0].square().sum()
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(layer.parameters()))]))
    full, checkpointed = gradients
    return float((full - checkpointed).norm() / full.norm())


def signal(steps: int) -> int:
    """Wrong regimes at the end of fresh sequences, out of PROBED, after one pass over a sensor's signal."""
    task = sensor(length=steps)
    torch.manual_seed(0)
    model = recurrent(task, "gru", H)
    _stream(model, task.train(N, torch.Generator().manual_seed(0)), *WINDOW)
    x, y = task.test(PROBED, torch.Generator().manual_seed(1))
    with torch.no_grad():
        return int((model(x)[:, -1].argmax(-1) != y[:, -1]).sum())


def measure(size: Size, lab: Lab) -> Measured:
    """All four parts."""
    costs = [cost(k1, k2, 1024) for k1, k2 in ((16, 16), (16, 32), (16, 64), (16, 128), (64, 64), (64, 128))]
    actual, reached, measured = biases(size.biased)
    pairs = [(1, 0), *size.windows]
    jobs = [Job(size.lag, k1, k2, size.updates, seed) for k1, k2 in pairs for seed in range(size.seeds)]
    found = lab.spread(echoed, jobs, "echo")
    windows = []
    for i, (k1, k2) in enumerate(pairs):
        errors, wrong = zip(*found[i * size.seeds : (i + 1) * size.seeds], strict=True)
        together = [sum(counts) for counts in zip(*wrong, strict=True)]
        windows.append(Window(k1, k2, list(errors), together, size.seeds * PROBED))
    (wrong_regimes,) = lab.spread(signal, [size.signal], "sensor")
    return Measured(
        costs,
        actual,
        reached,
        measured,
        size.lag,
        windows[0].errors,
        windows[1:],
        size.signal,
        whole(size.signal),
        wrong_regimes,
        PROBED,
    )
