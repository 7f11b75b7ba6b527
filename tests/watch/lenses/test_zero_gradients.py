"""Gradients of exactly 0: which parameters get them, at which operation they arise, why, and at which price."""

from __future__ import annotations

import contextlib
import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gradreach.record.schema import Record
from gradreach.record.seen.zero_gradient import ZeroGradient
from gradreach.watch.lenses import zero_gradients
from gradreach.watch.lenses.stopped_gradient import operation_of
from tests.watch.conftest import Watched

STEPS = 3


class Around(nn.Module):
    """A function of one's own between two layers."""

    def __init__(self, function: Callable[[Tensor], Tensor], width: int = 5) -> None:
        super().__init__()
        self.before, self.after, self.function = nn.Linear(4, 5), nn.Linear(width, 1), function

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.function(self.before(x)))


def train(model: nn.Module, x: Tensor, loss: Callable[[Tensor], Tensor] | None = None) -> Callable[[], None]:
    def run() -> None:
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        for _ in range(STEPS):
            optimizer.zero_grad()
            out = model(x)
            (out.square().mean() if loss is None else loss(out)).backward()
            optimizer.step()

    return run


def last(record: Record) -> dict[str, ZeroGradient]:
    """What the last look says of each parameter that got 0."""
    return {name: group for group in record.looks[-1].zero_gradient for name in group.parameters}


CUTS = [
    (torch.sign, "sign", "flat"),
    (torch.round, "round", "flat"),
    (lambda x: torch.div(x, 0.5, rounding_mode="floor"), "div", "flat"),
    (lambda x: functional.relu(x - 1e3), "relu", "off"),
    (lambda x: (x + 1e3).clamp(0.0, 1.0), "clamp", "off"),
    (lambda x: functional.hardtanh(x + 1e3), "hardtanh", "off"),
    (lambda x: torch.sigmoid(x + 1e3), "sigmoid", "saturated"),
    (lambda x: torch.tanh(x + 1e3), "tanh", "saturated"),
    (lambda x: x * 0.0, "mul", "factor"),
    (lambda x: x * torch.zeros(5), "mul", "factor"),
    (lambda x: torch.stack([x, 0.0 * x + 1.0])[1].detach() + torch.stack([x, x.detach()])[1], "stack", "unused"),
]


@pytest.mark.parametrize(("function", "operation", "why"), CUTS, ids=lambda value: value if str(value) == value else "")
def test_the_operation_and_its_reason(
    function: Callable[[Tensor], Tensor], operation: str, why: str, watched: Watched
) -> None:
    torch.manual_seed(0)
    model = Around(function)
    _, record = watched(train(model, torch.randn(6, 4)))
    assert [look.zero_gradient[0].why for look in record.looks[:1]] == ["untraced"]
    found = last(record)
    assert set(found) - {"model.after.weight"} == {"model.before.weight", "model.before.bias"}
    group = found["model.before.weight"]
    assert (group.operation, group.why, group.module, group.kind) == (operation, why, "model", "Around")
    assert group.behind == "model.before"
    assert (group.elements, group.of) == (25, 31)
    assert (group.share == 1.0) == (operation == "relu")


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (lambda x: x[:, :1].softmax(1), "softmax"),
        (lambda x: x[:, :1].log_softmax(-1), "log_softmax"),
        (lambda x: functional.layer_norm(x[:, :1], (1,)), "native_layer_norm"),
    ],
)
def test_a_normalisation_over_one_value(function: Callable[[Tensor], Tensor], operation: str, watched: Watched) -> None:
    torch.manual_seed(0)
    _, record = watched(train(Around(function, width=1), torch.randn(6, 4)))
    assert {(each.operation, each.why) for each in last(record).values()} >= {(operation, "single")}


def test_weights_of_zero_and_what_goes_into_them(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1))
    for parameter in (*net[2].parameters(), *net[4].parameters()):
        nn.init.zeros_(parameter)
    _, record = watched(train(net, torch.randn(6, 4), lambda out: (out - 1.0).square().mean()))
    found = last(record)
    assert set(found) == {f"model.{name}" for name in ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight")}
    assert {found[f"model.{name}"].why for name in ("0.weight", "0.bias", "2.weight", "2.bias")} == {"weights"}
    assert (found["model.0.weight"].module, found["model.4.weight"].why) == ("model.4", "input")


def test_an_upper_layer_that_nobody_reads(watched: Watched) -> None:
    torch.manual_seed(0)

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.GRU(4, 8, num_layers=2), nn.Linear(8, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.rnn(x)[1][0])

    _, record = watched(train(Reader(), torch.randn(5, 3, 4)))
    found = last(record)
    assert all(name.startswith("model.rnn.") and "_l1" in name for name in found)
    assert len(found) == 4
    assert {each.why for each in found.values()} == {"unused"}


def test_a_second_derivative_of_straight_pieces(watched: Watched) -> None:
    torch.manual_seed(0)
    nets = {kind: nn.Sequential(nn.Linear(1, 8), kind(), nn.Linear(8, 8), kind(), nn.Linear(8, 1)) for kind in KINDS}

    def run(net: nn.Module) -> None:
        for _ in range(STEPS):
            x = torch.rand(6, 1).requires_grad_()
            u = net(x)
            (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
            (bend,) = torch.autograd.grad(slope.sum(), x, create_graph=True)
            ((bend - 1.0).square().mean() + u.square().mean()).backward()

    for kind, net in nets.items():
        _, record = watched(lambda net=net: run(net))
        whys = {group.why for look in record.looks for group in look.zero_gradient}
        assert whys == ({"derivative"} if kind is nn.ReLU else set())


KINDS = (nn.ReLU, nn.Tanh)


def test_a_gradient_penalty_is_none_of_it(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))

    def run() -> None:
        for _ in range(STEPS):
            x = torch.randn(6, 2).requires_grad_()
            (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
            (net(x).mean() + (slope.norm(dim=1) - 1.0).square().mean()).backward()

    _, record = watched(run)
    assert not any(look.zero_gradient for look in record.looks)


def test_a_healthy_graph_is_not_hooked_into(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only after a look that saw zeros is the graph followed; what it costs else is one norm a gradient."""
    torch.manual_seed(0)
    hooked: list[int] = []
    monkeypatch.setattr(zero_gradients, "explained_later", lambda _: hooked.append(1))
    net = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    watched(train(net, torch.randn(6, 4)))
    assert not hooked


def test_nothing_of_the_graph_outlives_the_look_even_where_backward_raises(watched: Watched) -> None:
    torch.manual_seed(0)
    model, refs = Around(torch.sign), []

    def run() -> None:
        x = torch.randn(6, 4)
        for step in range(4):
            out = model(x)
            refs.append(weakref.ref(out))
            loss = out.square().mean()
            if step == 2:
                out.register_hook(lambda _: 1 / 0)
            with contextlib.suppress(ZeroDivisionError):
                loss.backward()
            del out, loss

    watched(run)
    gc.collect()
    assert not [ref for ref in refs if ref() is not None]


def test_what_was_gathered_before_does_not_hide_zeros_of_this_pass(watched: Watched) -> None:
    """Traced looks ask the pass itself, whatever .grad holds from micro-batches before."""
    torch.manual_seed(0)
    model = Around(torch.sign)

    def run() -> None:
        for step in range(4):
            model(torch.randn(6, 4)).square().mean().backward()
            if step == 1:
                model.before.weight.grad = torch.ones(5, 4)

    _, record = watched(run)
    assert "model.before.weight" in last(record)


@pytest.mark.parametrize(
    ("node", "operation"),
    [
        ("SignBackward0", "sign"),
        ("NllLossBackward0", "nll_loss"),
        ("torch::autograd::AccumulateGrad", "accumulate_grad"),
        ("ThresholdBackwardBackward0", "threshold_backward"),
    ],
)
def test_the_name_of_an_operation(node: str, operation: str) -> None:
    assert operation_of(node) == operation
