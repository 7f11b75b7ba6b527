"""The deep stack: a gradient that passes L logistic layers shrinks by 0.25 and the weights' own factor at each.

∂L/∂h_{l−1} = W_lᵀ diag(σ′(a_l)) ∂L/∂h_l, σ′ ≤ 1/4: the first layers of a deep logistic stack get nothing and learn
nothing, and what they hand on is as good as constant. Slopes of 1 (ReLU) with weights that keep the size (He et al.
2015), or a path past each layer (He et al. 2016), cure it. Real digits, Adam, the same rate for all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import TYPE_CHECKING, Literal

import torch
from msgspec import Struct
from msgspec.structs import asdict
from torch import nn

from gradreach.engine.depth import depth_spectrum
from gradreach.experiments.claim import ROUNDOFF, Claim, at_most
from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, PURPLE, VERMILION, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.lab import Lab
from gradreach.observing import diagnose
from gradreach.remedies.layers import Residual
from gradreach.tasks.deep import HELD_OUT, deep, digits_data
from gradreach.tasks.models import stack
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Batch, Measure, Task
from gradreach.tasks.training import train

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Kind = Literal["logistic", "logistic, weights N(0, 1)", "logistic, residual", "ReLU", "ReLU, He’s start"]
KINDS: tuple[Kind, ...] = (
    "logistic",
    "logistic, weights N(0, 1)",
    "logistic, residual",
    "ReLU",
    "ReLU, He’s start",
)
WIDTH, BATCH, RATE, EPSILON = 64, 64, 1e-3, 1e-8
"""Units of a layer; the training, with Adam's own ε."""


@dataclass(frozen=True)
class Size:
    """The deepest stack, the others, updates, and seeds."""

    depth: int
    depths: tuple[int, ...]
    updates: int
    seeds: int


class Net(Struct, frozen=True):
    """One stack, from its seed."""

    kind: Kind
    depth: int
    seed: int


class Layers(Struct, frozen=True):
    """What is seen of every layer on one training batch, the first layer first. `saturated` is a share of units.

    The others come from `gradreach.depth_spectrum`, which follows no residual, and are then empty or 0: log10 of
    ‖∂L/∂h_l‖ for l = 0 … L and the logits, the mean of σ′ of every layer, log10 of the bound of ‖∂logits/∂h_0‖, and the
    largest log10 of norm / bound at any l.
    """

    saturated: list[float]
    gradient: list[float] = []
    slope: list[float] = []
    bound: float = 0.0
    excess: float = 0.0


class Training(Net, frozen=True):
    """One stack before and after its training.

    `weight_gradient` is log10 of ‖∂L/∂W_l‖ at the first step, None for 0; `moved`, how far W_l is from its start in the
    end, relative to its norm there; the readout is last in both. `movable` is how far Adam could have moved the first
    layer with the largest entry of its gradient that ever came. `loss` is the mean over all training pictures, `spread`
    the largest difference between two pictures in one logit, `error` the share of wrong test pictures.
    """

    start: Layers
    end: Layers
    weight_gradient: list[float | None]
    moved: list[float]
    movable: float
    loss: float
    spread: float
    error: float
    updates: int


class Point(Net, frozen=True):
    """The test error of one stack."""

    error: float


class Result(Struct, frozen=True):
    """The deepest stacks in full, the error of all, and the shares of the classes in both parts of the data."""

    deep: list[Training]
    points: list[Point]
    train_shares: list[float]
    test_shares: list[float]


def model(task: Task, kind: Kind, depth: int) -> nn.Sequential:
    """Make a stack of that kind, with torch's own start, weights U(±1/√n), where nothing else is said."""
    activation = "relu" if kind.startswith("ReLU") else "sigmoid"
    net = stack(task, depth, WIDTH, activation, residual="residual" in kind)
    for linear in linears(net):
        if kind == "ReLU, He’s start":
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
        elif kind == "logistic, weights N(0, 1)":
            nn.init.normal_(linear.weight)
    return net


def linears(net: nn.Module) -> list[nn.Linear]:
    """Return the Linear layers of a net, in order."""
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def layers(net: nn.Module, batch: Batch, loss: Measure) -> Layers:
    """Look at a net on one batch, as gradreach sees it."""
    looks = diagnose(net, [batch], loss).record.looks[0].depth
    saturated = [round(look.saturated, 4) for look in looks if look.kind == "Sigmoid" and look.saturated is not None]
    if any(isinstance(module, Residual) for module in net.children()):
        return Layers(saturated)
    said = net(batch.x).detach().requires_grad_()
    (error,) = torch.autograd.grad(loss(said, batch.y), said)
    found = depth_spectrum(net, batch.x, error)
    bound = [each for each in found.log10_bound if each is not None]
    return Layers(
        saturated,
        [round(each, 4) for each in found.log10_gradient],
        [round(each.slope_mean, 6) for each in found.layers[:-1]],
        bound[0],
        max(a - b for a, b in zip(found.log10_norm, bound, strict=True)),
    )


def weight_gradients(net: nn.Module, batch: Batch, loss: Measure) -> list[float | None]:
    """Return log10 of ‖∂L/∂W_l‖ of every layer, None for 0."""
    weights = [linear.weight for linear in linears(net)]
    norms = [float(each.double().norm()) for each in torch.autograd.grad(loss(net(batch.x), batch.y), weights)]
    return [round(math.log10(norm), 4) if norm else None for norm in norms]


def train_one(updates: int, net: Net) -> Training:
    """Look at a stack, train it, look again."""
    recipe = Recipe(deep(), partial(model, kind=net.kind, depth=net.depth), BATCH, RATE, "adam", None, net.seed)
    first, data, loss, _ = recipe.build()
    batch = next(iter(data))
    largest = 0.0

    def seen(now: nn.Module) -> None:
        nonlocal largest
        gradient = linears(now)[0].weight.grad
        largest = max(largest, 0.0 if gradient is None else float(gradient.abs().max()))

    training = train(recipe, updates, every=100, after_backward=seen)
    before, after = ([each.weight.detach() for each in linears(m)] for m in (first, training.model))
    known = digits_data().train
    with torch.no_grad():
        said = training.model(known.x)
    return Training(
        **asdict(net),
        start=layers(first, batch, loss),
        end=layers(training.model, batch, loss),
        weight_gradient=weight_gradients(first, batch, loss),
        moved=[float(f"{float((b - a).norm() / a.norm()):.4g}") for a, b in zip(before, after, strict=True)],
        movable=2 * training.steps * RATE * largest / EPSILON * math.sqrt(before[0].numel()) / float(before[0].norm()),
        loss=float(loss(said, known.y)),
        spread=float((said.amax(0) - said.amin(0)).max()),
        error=training.errors[-1][1],
        updates=training.steps,
    )


def measure(size: Size, lab: Lab) -> Result:
    """Train every kind at every depth, over the seeds."""
    nets = [
        Net(kind, depth, seed) for depth in (*size.depths, size.depth) for kind in KINDS for seed in range(size.seeds)
    ]
    every = lab.spread(partial(train_one, size.updates), nets, "stacks")
    return Result(
        where(every, depth=size.depth),
        [Point(each.kind, each.depth, each.seed, each.error) for each in every],
        *[(part.y.bincount(minlength=10).double() / len(part.y)).tolist() for part in digits_data()],
    )


CURES: tuple[Kind, ...] = ("logistic, residual", "ReLU, He’s start")


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim the bound, the decay beside its two factors, what does not move, what that costs, and what cures it."""
    of = {kind: where(result.deep, kind=kind) for kind in KINDS}
    plain, L = of["logistic"], result.deep[0].depth
    still = max(plain, key=lambda each: each.moved[0] - each.movable)
    lowest = min(plain, key=lambda each: each.loss)
    least = -sum(share * math.log(share) for share in result.train_shares if share) - 2 * lowest.spread
    constant = 1 - max(result.test_shares), 1 - min(result.test_shares)
    furthest = max(plain, key=lambda each: abs(each.error - sum(constant) / 2))
    return (
        at_most(
            "Largest log₁₀ of ‖∂h_L/∂h_l‖₂ / Π γ‖W‖₂ at any l, before and after training",
            max(look.excess for each in result.deep for look in (each.start, each.end) if look.gradient),
            L * (WIDTH + 2) ** 2 * ROUNDOFF / math.log(10),
            "the bound; L (n + 2)² u for rounding",
            "decades",
        ),
        *[_decay(kind, of[kind]) for kind in ("logistic", "ReLU", "ReLU, He’s start")],
        _saturation(result),
        at_most(
            f"Relative movement of the first of {L} logistic layers in {still.updates} updates",
            still.moved[0],
            still.movable,
            "updates × rate × largest gradient / Adam’s ε, on every weight; twice, since float32 rounds",
        ),
        Claim(
            f"Lowest training loss of {L} logistic layers",
            math.log(10),
            lowest.loss,
            least,
            None,
            "ln 10 for even classes; entropy of the classes, less twice what the pictures still change in a logit",
            "nats",
        ),
        Claim(
            f"Test error of {L} logistic layers, the seed furthest from chance",
            0.9,
            furthest.error,
            constant[0] - 1e-9,
            constant[1] + 1e-9,
            "an answer that is the same for every picture, whichever it is",
            "share wrong",
        ),
        *[
            Claim(
                f"Largest test error of {L} layers, {kind}",
                None,
                max(each.error for each in of[kind]),
                None,
                constant[0] - 1 / HELD_OUT,
                "less than any answer that ignores the picture",
                "share wrong",
            )
            for kind in CURES
        ],
    )


def _decay(kind: Kind, nets: list[Training]) -> Claim:
    """Claim the gradient's factor per layer between h_L and h_0, over layers and seeds."""
    L = nets[0].depth
    result = fmean((each.start.gradient[0] - each.start.gradient[L]) / L for each in nets)
    relu = kind != "logistic"
    # σ′ is about the same for all units, ReLU's is 0 or 1: its root mean square is the root of its mean
    slope = fmean(math.log10(s) / (2 if relu else 1) for each in nets for s in each.start.slope)
    own = math.sqrt(2) if kind == "ReLU, He’s start" else math.sqrt(1 / 3)
    # of ‖Wᵀv‖² over n units, and of the share of ‖v‖² that a random half keeps, relative
    variance = (5 if relu else 2) / WIDTH
    off = 4 * math.sqrt(variance / 4 / (L * len(nets))) + variance / 4
    predicted = 10**slope * own
    return Claim(
        f"{kind}: factor of ‖∂L/∂h‖ per layer at the first step, L = {L}",
        predicted,
        10**result,
        predicted * math.exp(-off),
        predicted * math.exp(off),
        f"√(n var W) = {own:.3f} × root mean square of σ′; ± 4 s.d. over {L * len(nets)} layers, and bias",
    )


def _saturation(result: Result) -> Claim:
    """Claim that a saturated unit has at most 5 % of the largest slope."""
    pairs = [
        (slope / (0.25 * (1 - 0.95 * share)), share)
        for each in result.deep
        for look in (each.start, each.end)
        if look.slope and look.saturated
        for slope, share in zip(look.slope, look.saturated, strict=True)
    ]
    return at_most(
        f"Largest mean σ′ of a layer / ¼ (1 − 0.95 s), s its saturated share, up to {max(s for _, s in pairs):.0%}",
        max(ratio for ratio, _ in pairs),
        1 + 1e-3,
        "saturated is a slope under 5 % of ¼; 1e-3, the digits kept of s",
    )


NOT_AT_ALL = 1e-9


COLOURS = dict(zip(KINDS, (BLUE, PURPLE, GREEN, ORANGE, VERMILION), strict=True))


def draw(result: Result) -> Figure:
    """Draw the gradient at the first step and the movement after the last, layer by layer."""
    figure, (gradient, moved) = axes(2, width=9, height=4.6)
    L = result.deep[0].depth
    at = list(range(1, L + 1))
    for kind in KINDS:
        nets = where(result.deep, kind=kind)
        _band(
            gradient,
            at,
            [[10 ** (e if e is not None else -40) for e in each.weight_gradient[:L]] for each in nets],
            kind,
        )
        _band(moved, at, [[max(e, NOT_AT_ALL) for e in each.moved[:L]] for each in nets], kind)
    last = fmean(
        e for each in result.deep if each.kind == "logistic" for e in each.weight_gradient[L - 1 : L] if e is not None
    )
    gradient.plot(at, [10**last * 0.25 ** (L - each) for each in at], ":", color="gray", label="0.25 a layer")
    describe(gradient, "The gradient at the first step", "layer, from the input", "‖∂L/∂W_l‖, nats", yscale="log")
    describe(
        moved,
        "How far training moved it (0 drawn at 10⁻⁹)",
        "layer, from the input",
        "‖ΔW_l‖ / ‖W_l‖, no unit",
        yscale="log",
    )
    _keys(figure, gradient)
    return figure


def draw_error(result: Result) -> Figure:
    """Draw the error over the depth, and saturated units layer by layer."""
    figure, (error, saturated) = axes(2, width=9, height=4.4)
    depths = sorted({each.depth for each in result.points})
    for kind in KINDS:
        seeds = sorted({each.seed for each in result.points})
        at = {(each.depth, each.seed): each.error for each in result.points if each.kind == kind}
        _band(error, depths, [[at[depth, seed] for depth in depths] for seed in seeds], kind, "o-")
    error.axhline(1 - max(result.test_shares), color="gray", ls=":", label="best answer without looking")
    describe(error, "What is learned", "layers", "test error, share wrong", ylim=(0, 1))
    for kind in KINDS[:3]:
        nets = where(result.deep, kind=kind)
        order = list(range(1, len(nets[0].start.saturated) + 1))
        _band(saturated, order, [each.start.saturated for each in nets], kind, "--")
        _band(saturated, order, [each.end.saturated for each in nets], kind)
    for line, name in (("--", "before training"), ("-", "after training")):
        saturated.plot([], [], line, color="gray", label=name)
    saturated.legend(handles=saturated.lines[-2:], fontsize="small", loc="upper left")
    describe(saturated, "Saturation", "layer, from the input", "saturated units, share", ylim=(-0.02, 1))
    _keys(figure, error)
    return figure


def _keys(figure: Figure, panel: Axes) -> None:
    """Name the kinds under both panels, whose layers are counted in whole numbers."""
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    for each in figure.axes:
        each.locator_params(axis="x", integer=True)


def _band(panel: Axes, x: list[int], seeds: list[list[float]], kind: Kind, line: str = "-") -> None:
    """Draw the median over seeds, and a band from the least to the most."""
    each = torch.tensor(seeds, dtype=torch.float64)
    panel.plot(x, each.quantile(0.5, dim=0), line, color=COLOURS[kind], ms=4, label=kind)
    panel.fill_between(x, each.amin(0), each.amax(0), color=COLOURS[kind], alpha=0.2, lw=0)


EXPERIMENT = Experiment(
    name="deep-stack",
    lesson=6,
    title="The deep stack",
    sizes={
        "quick": Size(depth=14, depths=(1,), updates=200, seeds=1),
        "usual": Size(depth=20, depths=(1, 2, 3, 5, 8, 12), updates=600, seeds=5),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"deep-stack": draw, "deep-stack-error": draw_error},
)
