"""Deep stacks, looked at before and after their training."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from msgspec import Struct
from torch import nn

from gradreach.engine.depth import depth_spectrum
from gradreach.experiments.lab import Lab
from gradreach.observing import diagnose
from gradreach.remedies.layers import Residual
from gradreach.tasks.deep import deep, digits_data
from gradreach.tasks.models import stack
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Batch, Measure, Task
from gradreach.tasks.training import train

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


@dataclass(frozen=True)
class Net:
    """One stack to be trained."""

    kind: Kind
    depth: int
    updates: int
    seed: int


class Layers(Struct, frozen=True):
    """Of every layer, the first first, on one training batch. `saturated` is a share of units.

    The others come from `gradreach.depth_spectrum`, which follows no residual, and are then empty or 0: log10 of
    ‖∂L/∂h_l‖ for l = 0 … L and the logits, the mean of σ′ of every layer, log10 of the bound of ‖∂logits/∂h_0‖, and the
    largest log10 of norm / bound at any l.
    """

    saturated: list[float]
    gradient: list[float] = []
    slope: list[float] = []
    bound: float = 0.0
    excess: float = 0.0


class Trained(Struct, frozen=True):
    """One stack before and after its training.

    `weight_gradient` is log10 of ‖∂L/∂W_l‖ at the first step, None for 0; `moved`, how far W_l is from its start in the
    end, relative to its norm there; the readout is last in both. `movable` is how far Adam could have moved the first
    layer with the largest entry of its gradient that ever came. `loss` is the mean over all training pictures, `spread`
    the largest difference between two pictures in one logit, `error` the share of wrong test pictures.
    """

    kind: Kind
    depth: int
    seed: int
    start: Layers
    end: Layers
    weight_gradient: list[float | None]
    moved: list[float]
    movable: float
    loss: float
    spread: float
    error: float
    updates: int


class Point(Struct, frozen=True):
    """The test error of one stack."""

    kind: Kind
    depth: int
    seed: int
    error: float


class Measured(Struct, frozen=True):
    """The deepest stacks in full, the error of all, and the shares of the classes in both parts of the data."""

    deep: list[Trained]
    points: list[Point]
    train_shares: list[float]
    test_shares: list[float]


def model(task: Task, kind: Kind, depth: int) -> nn.Sequential:
    """A stack of that kind; torch's own start where nothing else is said, weights U(±1/√n)."""
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
    """Its Linear layers, in order."""
    return [module for module in net.modules() if isinstance(module, nn.Linear)]


def layers(net: nn.Module, batch: Batch, loss: Measure) -> Layers:
    """What gradreach sees of it on one batch."""
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
    """log10 of ‖∂L/∂W_l‖ of every layer, None for 0."""
    weights = [linear.weight for linear in linears(net)]
    norms = [float(each.double().norm()) for each in torch.autograd.grad(loss(net(batch.x), batch.y), weights)]
    return [round(math.log10(norm), 4) if norm else None for norm in norms]


def trained(net: Net) -> Trained:
    """Look, train, look again."""
    recipe = Recipe(deep(), partial(model, kind=net.kind, depth=net.depth), BATCH, RATE, "adam", None, net.seed)
    first, data, loss, _ = recipe.build()
    batch = next(iter(data))
    largest = 0.0

    def seen(now: nn.Module) -> None:
        nonlocal largest
        gradient = linears(now)[0].weight.grad
        largest = max(largest, 0.0 if gradient is None else float(gradient.abs().max()))

    training = train(recipe, net.updates, every=100, after_backward=seen)
    before, after = ([each.weight.detach() for each in linears(m)] for m in (first, training.model))
    known = digits_data().train
    with torch.no_grad():
        said = training.model(known.x)
    return Trained(
        kind=net.kind,
        depth=net.depth,
        seed=net.seed,
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


def measure(size: Size, lab: Lab) -> Measured:
    """Every kind at every depth, over the seeds."""
    nets = [
        Net(kind, depth, size.updates, seed)
        for depth in (*size.depths, size.depth)
        for kind in KINDS
        for seed in range(size.seeds)
    ]
    every = lab.spread(trained, nets, "stacks")
    return Measured(
        [each for each in every if each.depth == size.depth],
        [Point(each.kind, each.depth, each.seed, each.error) for each in every],
        *[(part.y.bincount(minlength=10).double() / len(part.y)).tolist() for part in digits_data()],
    )
