import math
from functools import cache

import pytest
import torch
from msgspec.structs import replace

from gradreach.experiments.deep_stack import (
    KINDS,
    Kind,
    Net,
    Result,
    Size,
    claims,
    layers,
    linears,
    measure,
    model,
    train_one,
    weight_gradients,
)
from gradreach.experiments.lab import Lab
from gradreach.tasks.deep import deep

from .falsified import newly_failing


@cache
def small() -> Result:
    return measure(Size(depth=10, depths=(), updates=100, seeds=1), Lab(quiet=True))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_starts_as_it_says(kind: Kind) -> None:
    torch.manual_seed(0)
    weights = torch.cat([each.weight.detach().flatten() for each in linears(model(deep(), kind, 20))])
    variance = {"logistic, weights N(0, 1)": 1.0, "ReLU, He’s start": 2 / 64}.get(kind, 1 / (3 * 64))
    assert float(weights.var()) == pytest.approx(variance, rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_weights_are_those_of_backward(kind: Kind) -> None:
    torch.manual_seed(0)
    task = deep()
    net, batch = model(task, kind, 4), task.train(16, torch.Generator().manual_seed(0))
    logs = weight_gradients(net, batch, task.loss)
    task.loss(net(batch.x), batch.y).backward()
    theirs = [float(each.weight.grad.norm().log10()) for each in linears(net)]
    assert logs == pytest.approx(theirs, abs=1e-4)
    seen = layers(net, batch, task.loss)
    assert len(seen.gradient) == (0 if "residual" in kind else 6)
    assert len(seen.saturated) == (0 if "ReLU" in kind else 4)


def test_the_gradient_by_layer_is_autograds() -> None:
    torch.manual_seed(0)
    task = deep()
    net, batch = model(task, "logistic", 3), task.train(8, torch.Generator().manual_seed(0))
    x = batch.x.requires_grad_()
    (delta,) = torch.autograd.grad(task.loss(net(x), batch.y), x)
    theirs = math.log10(float(delta.double().norm(dim=1).mean()))
    assert layers(net, batch, task.loss).gradient[0] == pytest.approx(theirs, abs=1e-3)


@pytest.mark.parametrize("kind", ["logistic", "ReLU, He’s start"])
def test_no_first_layer_moves_further_than_adam_can_move_it(kind: Kind) -> None:
    found = train_one(100, Net(kind, depth=4, seed=0))
    assert 0 < found.moved[0] <= found.movable


def test_false_measurements_are_refused() -> None:
    true = small()

    def failing(kind: Kind, **change: object) -> str:
        deep = [replace(each, **change) if each.kind == kind else each for each in true.deep]
        (says,) = newly_failing(claims, true, replace(true, deep=deep))
        return says

    of = {each.kind: each for each in true.deep}
    assert "Test error" in failing("logistic", error=0.5)
    assert "training loss" in failing("logistic", loss=2.0)
    assert "movement" in failing("logistic", moved=[0.5] * 11)
    assert "Largest test error" in failing("ReLU, He’s start", error=0.9)
    start = of["logistic"].start
    assert "γ‖W‖" in failing("logistic", start=replace(start, excess=0.01))
    assert "mean σ′" in failing("logistic", start=replace(start, saturated=[0.5] * 10))
    steep = [gradient - 0.1 * (10 - n) for n, gradient in enumerate(start.gradient)]
    assert "logistic: factor" in failing("logistic", start=replace(start, gradient=steep))
