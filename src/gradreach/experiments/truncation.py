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

from gradreach.experiments.claim import Claim, at_most, equal
from gradreach.experiments.drawing import BLUE, CYCLE, GREEN, ORANGE, SKY, VERMILION, axes
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.intervals import interval
from gradreach.experiments.lab import Lab
from gradreach.nn import RNN
from gradreach.recurrence.reach import reach
from gradreach.remedies.bptt import bptt
from gradreach.remedies.clip import Clip
from gradreach.remedies.tbptt import tbptt
from gradreach.remedies.truncation import truncation_bias
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

    Of the signal: its steps; the relative distance of bptt's gradient from full BPTT's, and seconds of either; the
    share wrong in the first and last eighth of a pass, and wrong regimes at the end of so many fresh sequences.
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
    exact_seconds: tuple[float, float]
    first: float
    last: float
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


def _stream(model: Recurrent, batch: Batch, k1: int, k2: int) -> list[float]:
    """The model trained by one update a window; the share of wrong answers in each, before it."""
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=RATE)
    clip, wrong = Clip(optimizer, CLIP), []
    for window in tbptt(*batch, k1=k1, k2=k2, step=model.carry, dim=1):
        said = model.head(window.output)
        if not bool((window.y != UNSCORED).any()):
            continue
        optimizer.zero_grad()
        cross_entropy(said, window.y).backward()
        clip()
        optimizer.step()
        wrong.append(float((said.argmax(-1) != window.y).double().mean()))
    return wrong


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


def whole(T: int) -> tuple[float, tuple[float, float]]:
    """How far the gradient of bptt is from that of full BPTT, relative, in float64; seconds of either."""
    torch.manual_seed(0)
    layer, x = RNN(1, H, dtype=torch.float64), torch.randn(T, 1, 1, dtype=torch.float64)
    gradients, seconds = [], []
    for run in (layer, lambda x: bptt(x, step=layer)):
        begun = time.perf_counter()
        loss = run(x)[0].square().sum()
        gradients.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(layer.parameters()))]))
        seconds.append(round(time.perf_counter() - begun, 3))
    full, checkpointed = gradients
    return float((full - checkpointed).norm() / full.norm()), (seconds[0], seconds[1])


def signal(steps: int) -> tuple[float, float, int]:
    """One pass over a sensor's signal: share wrong in the first and the last eighth; wrong regimes at the end of fresh
    sequences, out of PROBED."""
    task = sensor(length=steps)
    torch.manual_seed(0)
    model = recurrent(task, "gru", H)
    shares = _stream(model, task.train(N, torch.Generator().manual_seed(0)), *WINDOW)
    few = max(1, len(shares) // 8)
    x, y = task.test(PROBED, torch.Generator().manual_seed(1))
    with torch.no_grad():
        wrong = int((model(x)[:, -1].argmax(-1) != y[:, -1]).sum())
    return mean(shares[:few]), mean(shares[-few:]), wrong


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
    ((first, last, wrong_regimes),) = lab.spread(signal, [size.signal], "sensor")
    off, seconds = whole(size.signal)
    return Measured(
        costs,
        actual,
        reached,
        measured,
        size.lag,
        windows[0].errors,
        windows[1:],
        size.signal,
        off,
        seconds,
        first,
        last,
        wrong_regimes,
        PROBED,
    )


def claims(measured: Measured) -> tuple[Claim, ...]:
    """Cost, bias, what is trained, what is carried."""
    biased = max(abs(a - b) for a, b in zip(measured.actual, measured.reached, strict=True))
    asked = max(abs(measured.actual[k - 1] - b) for k, b in measured.measured)
    T, rounding = len(measured.actual), len(measured.actual) ** 2 * 8 * 2**-52
    cost_by = {(cost.k1, cost.k2): cost for cost in measured.costs}
    return (
        *(
            equal(
                f"Steps run a step of the sequence, k1 = {cost.k1}, k2 = {cost.k2}",
                predicted_work(cost),
                cost.ran / cost.steps,
                0.0,
                "k2/k1, less what the first windows have not behind them; a count",
            )
            for cost in measured.costs
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
            f"Relative distance of gr.bptt's gradient from full BPTT's, {measured.signal} steps",
            measured.exact,
            measured.signal * H * 2**-52,
            "rounding: T H ε",
        ),
        *_learned(measured),
        *_carried(measured),
    )


def predicted_work(cost: Cost) -> float:
    """Steps run a step of the sequence where k1 divides k2 and the sequence: k2/k1 once k2 steps have gone by."""
    return sum(min(stop, cost.k2) for stop in range(cost.k1, cost.steps + 1, cost.k1)) / cost.steps


def weights_saved() -> int:
    """Bytes of the weights of the layer whose cost is measured."""
    return sum(weight.nbytes for weight in RNN(4, H).parameters())


def _learned(measured: Measured) -> tuple[Claim, ...]:
    from scipy.stats import fisher_exact  # type: ignore[import-untyped]

    n, solved = measured.lag, echo().solved or 0.0
    counts = []
    for beyond in (True, False):
        errors = [e for window in measured.windows if (window.k2 > n) == beyond for e in window.errors]
        counts.append((sum(e <= solved for e in errors), sum(e > solved for e in errors)))
    (learned, not_learned), (none, all_short) = counts
    return (
        at_most(
            f"Were the window without effect: chance that echo at lag {n} is learned in {learned} of "
            f"{learned + not_learned} trainings with k2 > n and in {none} of {none + all_short} with k2 ≤ n",
            float(fisher_exact(counts, alternative="greater").pvalue),
            0.05,
            "Fisher's exact test at 5 %",
        ),
    )


def _carried(measured: Measured) -> tuple[Claim, ...]:
    short = [window for window in measured.windows if window.k2 <= measured.lag]
    return (
        *(
            at_most(
                f"Error of a linear probe of the state on lag {window.k2}, trained with k2 = {window.k2}",
                interval(window.wrong[window.k2], window.probed)[1],
                0.5,
                f"chance; the upper end of the exact 95 % interval of {window.probed} states, each of its own sequence",
            )
            for window in short
        ),
        at_most(
            f"Error on the regime at the end of fresh sequences after one pass over {measured.signal} steps",
            interval(measured.regimes_wrong, measured.regimes)[1],
            sensor().chance,
            f"chance; the upper end of the exact 95 % interval of {measured.regimes} sequences; k1, k2 = {WINDOW}",
        ),
    )


def draw_learned(measured: Measured) -> Figure:
    """Error on echo over the window, and the probes' errors over the lag."""
    figure, (learned, carried) = axes(2, width=9, height=3.6)
    n = measured.lag
    for k1, colour in zip(sorted({window.k1 for window in measured.windows}), (BLUE, ORANGE, GREEN), strict=False):
        alike = [window for window in measured.windows if window.k1 == k1]
        for window in alike:
            learned.plot([window.k2] * len(window.errors), window.errors, "o", color=colour, alpha=0.5)
        means = [mean(window.errors) for window in alike]
        learned.plot([w.k2 for w in alike], means, color=colour, label=f"k1 = {k1}: each seed, and their mean")
    learned.axhline(mean(measured.readout), color=VERMILION, ls=":", label="only the readout trained")
    learned.axvline(n, color="gray", ls="--", label=f"lag n = {n}")
    learned.set(xlabel="window k2, steps", ylabel="share wrong", title="What is learned", ylim=(-0.02, 0.8))
    learned.legend(fontsize="small", loc="upper right")
    _draw_probes(carried, measured)
    return figure


def _draw_probes(carried: Axes, measured: Measured) -> None:
    shown = [window for window in measured.windows if window.k1 == 1]
    for window, colour in zip(shown, CYCLE, strict=False):
        share = [wrong / window.probed for wrong in window.wrong]
        carried.plot(share, color=colour, label=f"trained with k2 = {window.k2}")
        carried.plot(window.k2, share[window.k2], "o", color=colour)
    carried.axhline(0.5, color="gray", ls=":", label="chance")
    carried.set(
        xlabel="lag ℓ, steps", ylabel="share wrong of a linear probe", title="What the state carries", ylim=(-0.02, 0.8)
    )
    carried.legend(fontsize="small", loc="upper left")


def draw_bias(measured: Measured) -> Figure:
    """b(k), and the work and the memory of a window."""
    figure, (bias, work) = axes(2, width=9, height=3.6)
    last = len(measured.actual) - 2  # h_0 = 0, so that lag T − 1 adds nothing to ∂L/∂W_hh
    bias.semilogy(range(1, last + 1), measured.actual[:last], color=SKY, lw=4, label="error of tbptt's gradient")
    bias.semilogy(range(1, last + 1), measured.reached[:last], color=BLUE, lw=1, label="b(k) of gr.reach")
    asked = [(k, b) for k, b in measured.measured if k <= last]
    bias.semilogy(*zip(*asked, strict=True), "o", color=ORANGE, label="b(k) of gr.truncation_bias")
    bias.set(xlabel="window k2 = k, steps", ylabel="relative error, no unit", title="What truncation loses")
    bias.legend(fontsize="small")
    alike = [cost for cost in measured.costs if cost.k1 == 16]
    work.plot([cost.k2 for cost in alike], [cost.ran / cost.steps for cost in alike], "o-", label="steps run, a step")
    base = alike[0].saved
    work.plot([cost.k2 for cost in alike], [cost.saved / base for cost in alike], "s--", label="bytes, over k2 = 16")
    work.set(xlabel="window k2, steps", ylabel="ratio, no unit", title="What a window costs, k1 = 16")
    work.legend(fontsize="small")
    return figure


EXPERIMENT = Experiment(
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
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"learned": draw_learned, "bias": draw_bias},
)
