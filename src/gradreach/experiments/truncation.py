"""Truncated backpropagation through time: what a window costs, what it trains, what the state still carries.

Williams and Peng 1990: the gradient goes back k2 steps at every k1-th step, the state goes on for ever. Four parts:
the cost of a window, counted; its bias b(k) against the gradient's own error; echo at a lag n with windows around n;
and a sensor signal of 65,536 steps in one pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import mean
from typing import TYPE_CHECKING, Any

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F

from gradreach.engine.reach import reach
from gradreach.experiments.claim import Claim, at_most, equal
from gradreach.experiments.drawing import BLUE, CYCLE, GREEN, ORANGE, SKY, VERMILION, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.intervals import FISHER, LEVEL, chance_of, interval
from gradreach.experiments.lab import Lab
from gradreach.remedies.clip import Clip
from gradreach.remedies.layers import RNN
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.bptt import bptt
from gradreach.remedies.tbptt.tbptt import tbptt
from gradreach.remedies.tbptt.truncation_bias import truncation_bias
from gradreach.tasks.echo import echo
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.sensor import sensor
from gradreach.tasks.task import UNSCORED, Batch, Task, cross_entropy
from gradreach.tasks.training import error

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


H, N, RATE, CLIP = 32, 16, 5e-3, 1.0
PROBED, FITTED = 400, 1600
"""Sequences on which a probe is tested, and fitted; each gives one state."""

WINDOW = (16, 64)
"""k1 and k2 for the sensor's signal."""


@dataclass(frozen=True)
class Size:
    """The echo's lag, windows (k1, k2), updates and seeds; the signal's steps; the steps whose bias is measured."""

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


class Result(Struct, frozen=True):
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
    """Run a layer over a sequence once, without updates."""
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
    """Count the bytes that autograd saves within the context."""
    held = [0]

    def count(tensor: Tensor) -> Tensor:
        held[0] += tensor.nbytes
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        yield held


def biases(T: int) -> tuple[list[float], list[float], list[tuple[int, float]]]:
    """Return b(k) of W_hh in float64: of the gradients that tbptt gives, by reach, and by truncation_bias."""
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
    whole, local_error = torch.autograd.grad(loss(output, y), weight)[0], 2 * (output.detach() - y)
    actual = [float((whole - truncated(k)).norm() / whole.norm()) for k in range(1, T + 1)]
    found = truncation_bias(x, y, step=layer, loss=loss, parameters=[weight])
    biases = reach(layer, x, local_error, anchors="all").truncation_bias[1:]
    return actual, list(biases), list(zip(found.k2, found.bias, strict=True))


def echoed(job: Job) -> tuple[float, list[int]]:
    """Train on one long stream; return the error on echo, and the wrong answers of a probe at each lag up to 2 n."""
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
    """Count wrong answers, of PROBED, on the symbol of ℓ = 0 … `lags` steps ago, by least squares on the last state.

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
    """Return the relative distance of bptt's gradient from that of full BPTT, in float64."""
    torch.manual_seed(0)
    layer, x = RNN(1, H, dtype=torch.float64), torch.randn(T, 1, 1, dtype=torch.float64)
    gradients = []
    for run in (layer, lambda x: bptt(x, step=layer)):
        loss = run(x)[0].square().sum()
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(layer.parameters()))]))
    full, checkpointed = gradients
    return float((full - checkpointed).norm() / full.norm())


def signal(steps: int) -> int:
    """Count wrong regimes at the end of fresh sequences, of PROBED, after one pass over a sensor's signal."""
    task = sensor(length=steps)
    torch.manual_seed(0)
    model = recurrent(task, "gru", H)
    _stream(model, task.train(N, torch.Generator().manual_seed(0)), *WINDOW)
    x, y = task.test(PROBED, torch.Generator().manual_seed(1))
    with torch.no_grad():
        return int((model(x)[:, -1].argmax(-1) != y[:, -1]).sum())


def measure(size: Size, lab: Lab) -> Result:
    """Measure all four parts."""
    costs = [cost(k1, k2, 1024) for k1, k2 in ((16, 16), (16, 32), (16, 64), (16, 128), (64, 64), (64, 128))]
    pairs = [(1, 0), *size.windows]
    jobs = [Job(size.lag, k1, k2, size.updates, seed) for k1, k2 in pairs for seed in range(size.seeds)]
    found = lab.spread(echoed, jobs, "echo")
    windows = []
    for i, (k1, k2) in enumerate(pairs):
        errors, wrong = zip(*found[i * size.seeds : (i + 1) * size.seeds], strict=True)
        together = [sum(counts) for counts in zip(*wrong, strict=True)]
        windows.append(Window(k1, k2, list(errors), together, size.seeds * PROBED))
    (wrong_regimes,) = lab.spread(signal, [size.signal], "sensor")
    kept = (size.lag, windows[0].errors, windows[1:])
    return Result(costs, *biases(size.biased), *kept, size.signal, whole(size.signal), wrong_regimes, PROBED)


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim what a window costs, its bias, what it trains, and what the state carries."""
    biased = max(abs(a - b) for a, b in zip(result.actual, result.reached, strict=True))
    asked = max(abs(result.actual[k - 1] - b) for k, b in result.measured)
    T, rounding = len(result.actual), len(result.actual) ** 2 * 8 * 2**-52
    cost_by = {(cost.k1, cost.k2): cost for cost in result.costs}
    return (
        *(
            equal(
                f"Steps run a step of the sequence, k1 = {cost.k1}, k2 = {cost.k2}",
                predicted_work(cost),
                cost.ran / cost.steps,
                0.0,
                "k2/k1, less what the first windows have not behind them; a count",
            )
            for cost in result.costs
        ),
        equal(
            "Bytes saved for backward, k2 = 128 over k2 = 64",
            2.0,
            cost_by[16, 128].saved / cost_by[16, 64].saved,
            2 * weights_saved() / cost_by[16, 64].saved,
            "proportional to k2, but for the weights, which are saved at any k2",
        ),
        at_most(f"|b(k) of gr.reach − error of tbptt's gradient|, k = 1 … {T}", biased, rounding, "rounding: T² H ε"),
        at_most("|b(k) of gr.truncation_bias − error of tbptt's gradient|", asked, rounding, "rounding: T² H ε"),
        at_most(
            f"Relative distance of gr.bptt's gradient from full BPTT's, {result.signal} steps",
            result.exact,
            result.signal * H * 2**-52,
            "rounding: T H ε",
        ),
        _learned(result),
        *_probed(result),
        at_most(
            f"Error on the regime at the end of fresh sequences after one pass over {result.signal} steps",
            interval(result.regimes_wrong, result.regimes)[1],
            sensor().chance,
            f"chance; the upper end of the exact 95 % interval of {result.regimes} sequences; k1, k2 = {WINDOW}",
        ),
    )


def predicted_work(cost: Cost) -> float:
    """Return the steps run a step of the sequence where k1 divides k2 and the sequence: k2/k1 from step k2 on."""
    return sum(min(stop, cost.k2) for stop in range(cost.k1, cost.steps + 1, cost.k1)) / cost.steps


def weights_saved() -> int:
    """Return the bytes of the weights of the layer whose cost is measured."""
    return sum(weight.nbytes for weight in RNN(4, H).parameters())


def _learned(result: Result) -> Claim:
    n, solved = result.lag, echo().solved or 0.0
    beyond, within = (
        [e <= solved for window in result.windows if (window.k2 > n) == longer for e in window.errors]
        for longer in (True, False)
    )
    return at_most(
        f"Were the window without effect: chance that echo at lag {n} is learned in {sum(beyond)} of "
        f"{len(beyond)} trainings with k2 > n and in {sum(within)} of {len(within)} with k2 ≤ n",
        chance_of(sum(beyond), len(beyond), sum(within), len(within)),
        LEVEL,
        FISHER,
    )


def _probed(result: Result) -> list[Claim]:
    return [
        at_most(
            f"Error of a linear probe of the state on lag {window.k2}, trained with k2 = {window.k2}",
            interval(window.wrong[window.k2], window.probed)[1],
            0.5,
            f"chance; the upper end of the exact 95 % interval of {window.probed} states, each of its own sequence",
        )
        for window in result.windows
        if window.k2 <= result.lag
    ]


def draw_learned(result: Result) -> Figure:
    """Draw the error on echo over the window, and the probes' errors over the lag."""
    figure, (learned, carried) = axes(2, width=9, height=3.6)
    n = result.lag
    for k1, colour in zip(sorted({window.k1 for window in result.windows}), (BLUE, ORANGE, GREEN), strict=False):
        alike = where(result.windows, k1=k1)
        for window in alike:
            learned.plot([window.k2] * len(window.errors), window.errors, "o", color=colour, alpha=0.5)
        means = [mean(window.errors) for window in alike]
        learned.plot([w.k2 for w in alike], means, color=colour, label=f"k1 = {k1}: each seed, and their mean")
    learned.axhline(mean(result.readout), color=VERMILION, ls=":", label="only the readout trained")
    learned.axvline(n, color="gray", ls="--", label=f"lag n = {n}")
    describe(learned, "What is learned", "window k2, steps", "share wrong", "upper right", ylim=(-0.02, 0.8))
    _draw_probes(carried, result)
    return figure


def _draw_probes(carried: Axes, result: Result) -> None:
    for window, colour in zip(where(result.windows, k1=1), CYCLE, strict=False):
        share = [wrong / window.probed for wrong in window.wrong]
        carried.plot(share, color=colour, label=f"trained with k2 = {window.k2}")
        carried.plot(window.k2, share[window.k2], "o", color=colour)
    carried.axhline(0.5, color="gray", ls=":", label="chance")
    carried.set_ylim(-0.02, 0.8)
    describe(carried, "What the state carries", "lag ℓ, steps", "share wrong of a linear probe", "upper left")


def draw_bias(result: Result) -> Figure:
    """Draw b(k), and the work and the memory of a window."""
    figure, (bias, work) = axes(2, width=9, height=3.6)
    last = len(result.actual) - 2  # h_0 = 0, so that lag T − 1 adds nothing to ∂L/∂W_hh
    bias.semilogy(range(1, last + 1), result.actual[:last], color=SKY, lw=4, label="error of tbptt's gradient")
    bias.semilogy(range(1, last + 1), result.reached[:last], color=BLUE, lw=1, label="b(k) of gr.reach")
    asked = [(k, b) for k, b in result.measured if k <= last]
    bias.semilogy(*zip(*asked, strict=True), "o", color=ORANGE, label="b(k) of gr.truncation_bias")
    describe(bias, "What truncation loses", "window k2 = k, steps", "relative error, no unit", "best")
    alike = where(result.costs, k1=16)
    first, k2 = alike[0], [cost.k2 for cost in alike]
    work.plot(k2, [cost.ran / cost.steps for cost in alike], "o-", label="steps run, a step")
    work.plot(k2, [cost.saved / first.saved for cost in alike], "s--", label="bytes, over k2 = 16")
    work.plot(k2, [cost.seconds / first.seconds for cost in alike], "^:", label="time, over k2 = 16")
    describe(work, "What a window costs, k1 = 16", "window k2, steps", "ratio, no unit", "best")
    return figure


EXPERIMENT = Experiment(
    name="truncation",
    lesson=9,
    title="Truncated backpropagation through time",
    sizes={
        "quick": Size(lag=5, windows=((1, 2), (1, 5), (1, 7), (2, 7)), updates=200, seeds=3, signal=8192, biased=16),
        "usual": Size(
            lag=6,
            windows=((1, 1), (1, 3), (1, 5), (1, 6), (1, 7), (1, 8), (1, 12), (3, 6), (3, 9), (6, 12)),
            updates=1500,
            seeds=8,
            signal=65_536,
            biased=48,
        ),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"learned": draw_learned, "bias": draw_bias},
)
