"""Leaf modules in execution order: sizes of outputs and gradients, slopes, weights and updates as torch has them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.depth import DepthLook
from tests.watch import loops
from tests.watch.conftest import Watched


def _depth(record: Record, step: int = 0) -> dict[str, DepthLook]:
    return {look.module: look for look in record.looks[step].depth}


def _rms(tensor: Tensor) -> float:
    return float(tensor.detach().square().mean().sqrt())


def test_outputs_gradients_weights_and_updates(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    x = torch.randn(5, 4)
    hidden = net[0](x)
    act = net[1](hidden)
    out = net[2](act)
    wanted = torch.autograd.grad(out.square().sum(), [hidden, act, out, net[0].weight, net[0].bias])
    before = [p.detach().clone() for p in net[0].parameters()]

    def train() -> None:
        optimizer = torch.optim.SGD(net.parameters(), 0.01)
        for _ in range(2):
            optimizer.zero_grad()
            net(x).square().sum().backward()
            optimizer.step()

    _, record = watched(train)
    seen = _depth(record)
    assert [look.order for look in record.looks[0].depth] == [0, 1, 2]
    for name, value, gradient in zip(("net.0", "net.1", "net.2"), (hidden, act, out), wanted[:3], strict=True):
        assert seen[name].activation_rms == pytest.approx(_rms(value), rel=1e-5)
        assert seen[name].grad_rms == pytest.approx(_rms(gradient), rel=1e-5)
    size = torch.stack([p.norm() for p in before]).norm()
    change = torch.stack([g.norm() for g in wanted[3:]]).norm() * 0.01
    assert seen["net.0"].weight_norm == pytest.approx(float(size), rel=1e-5)
    assert seen["net.0"].weight_grad_norm == pytest.approx(float(change) * 100, rel=1e-5)
    assert seen["net.0"].update_ratio == pytest.approx(float(change / size), rel=1e-3)
    assert seen["net.0"].kind == "Linear"
    assert seen["net.0"].parameters == 40


@pytest.mark.parametrize("as_module", [True, False])
def test_slopes_of_activations_called_either_way(as_module: bool, watched: Watched) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.third = (nn.Linear(4, 4) for _ in range(3))
            self.tanh, self.relu, self.sigmoid = nn.Tanh(), nn.ReLU(), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            if as_module:
                return self.sigmoid(self.third(self.relu(self.second(self.tanh(self.first(x))))))
            return torch.sigmoid(self.third(torch.relu(self.second(torch.tanh(self.first(x))))))

    net = Net()
    with torch.no_grad():
        for layer in (net.first, net.second, net.third):
            layer.weight.zero_()
        net.first.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 9.0]))
        net.second.bias.copy_(torch.tensor([-1.0, -1.0, 1.0, -1.0]))
        net.third.bias.copy_(torch.tensor([-9.0, 9.0, 0.0, 0.0]))
    _, record = watched(lambda: net(torch.randn(6, 4)).sum().backward())
    seen = _depth(record)
    names = ("net.tanh", "net.relu", "net.sigmoid") if as_module else ("net.first", "net.second", "net.third")
    tanh, relu, sigmoid = (seen[name] for name in names)
    assert (tanh.activation, tanh.saturated) == ("tanh", 0.25)
    assert (relu.activation, relu.dead, relu.units, relu.rows) == ("relu", 0.75, 4, 6)
    assert (sigmoid.activation, sigmoid.saturated) == ("sigmoid", 0.5)


def test_a_unit_that_fires_in_any_call_is_alive(watched: Watched) -> None:
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        net[0].bias.zero_()
    _, record = watched(lambda: (net(torch.ones(3, 1)) + net(-torch.ones(3, 1))).sum().backward())
    assert _depth(record)["net.1"].dead == 0.0
    assert _depth(record)["net.1"].calls == 2


def test_parameters_without_gradient_are_named(watched: Watched) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.unused, self.frozen = (nn.Linear(2, 2) for _ in range(3))
            self.frozen.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            return self.used(self.frozen(x))

    net = Net()
    _, record = watched(lambda: net(torch.ones(1, 2)).sum().backward())
    assert record.looks[0].without_gradient == ("net.unused.weight", "net.unused.bias")


def test_skip_connections_are_told_from_a_recurrences_sums(watched: Watched) -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inside = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))

        def forward(self, x: Tensor) -> Tensor:
            return x + self.inside(x)

    residual = nn.Sequential(nn.Linear(8, 8), Residual(), Residual())
    _, record = watched(lambda: residual(torch.randn(2, 8)).sum().backward())
    assert record.looks[0].skip_connections
    for train in (loops.by_hand, loops.custom_loop, loops.accumulation):
        _, record = watched(train)
        assert not record.looks[0].skip_connections, train


def test_names_are_those_of_the_script(watched: Watched) -> None:
    class Trainer:
        def __init__(self) -> None:
            self.policy = nn.Linear(2, 2)
            self.wrapped = torch.nn.DataParallel(nn.Sequential(nn.Linear(2, 2)))

        def run(self) -> None:
            (self.policy(torch.ones(1, 2)) + self.wrapped(torch.ones(1, 2))).sum().backward()

    _, record = watched(Trainer().run)
    assert set(record.models) == {"policy", "wrapped"}
    assert set(_depth(record)) == {"policy", "wrapped.0"}
    _, record = watched(loops.gan)
    assert set(record.models) == {"generator", "critic"}


def test_every_place_that_calls_backward_is_told_apart(watched: Watched) -> None:
    _, record = watched(loops.gan, 1)
    assert len(record.sites) == 3
    assert [look.site for look in record.looks] == [0, 1, 2] * loops.STEPS
    critics = [2 * n for n in range(loops.STEPS)]  # a critic's step is two passes, of two lines
    assert [look.step for look in record.looks] == [step for n in critics for step in (n, n, n + 1)]
    assert all("loops.py:" in site for site in record.sites)
    assert {step.site for step in record.steps} == {0, 2}


def test_losses_and_transforms_are_no_layers(watched: Watched) -> None:
    net, transform, criterion = nn.Linear(2, 2), nn.Dropout(0.1), nn.MSELoss()
    _, record = watched(lambda: criterion(net(transform(torch.ones(3, 2))), torch.ones(3, 2)).backward())
    assert set(record.models) == {"net"}
    assert set(_depth(record)) == {"net"}


def test_an_update_seen_only_after_other_places_called_backward(watched: Watched) -> None:
    """Two losses before one optimizer step: the first look waits for its own next turn."""
    net = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)

    def train() -> None:
        for _ in range(3):
            optimizer.zero_grad()
            net(torch.ones(1, 2)).sum().backward()
            net(torch.zeros(1, 2)).sum().backward()
            optimizer.step()

    _, record = watched(train, 2)
    first: Look = record.looks[0]
    assert first.update is not None
    assert first.update > 0


def test_a_model_that_only_passes_the_gradient_on_is_no_part_of_the_step(watched: Watched) -> None:
    """A GAN's critic holds left-over gradients in the generator's step; neither norm nor weights' figures take them."""
    _, record = watched(loops.gan, 1)
    last: Look = record.looks[-4]  # the generator's last step whose update was seen
    seen = {look.module: look for look in last.depth}
    assert seen["generator.0"].weight_grad_norm
    assert seen["generator.0"].update_ratio
    assert seen["critic.0"].grad_rms
    assert seen["critic.0"].weight_grad_norm is None
    assert seen["critic.0"].update_ratio is None
    sizes = [seen[f"generator.{i}"].weight_grad_norm or 0.0 for i in (0, 2)]
    assert record.steps[last.step].norm == pytest.approx(sum(size**2 for size in sizes) ** 0.5, rel=1e-5)
    assert not any(look.module.startswith("generator") for look in record.looks[-2].depth)


def test_gates_saturate_by_design_and_are_not_counted(watched: Watched) -> None:
    class Gelu(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return 0.5 * x * (1.0 + torch.tanh(0.8 * (x + 0.04 * x.pow(3))))

    net = nn.Sequential(nn.Linear(2, 2), Gelu(), nn.Linear(2, 2))
    silu = nn.Linear(2, 2)
    x = torch.full((3, 2), 50.0)
    _, record = watched(lambda: (net(x).sum() + (silu(x) * torch.sigmoid(silu(x))).sum()).backward())
    assert all(look.saturated is None for look in record.looks[0].depth)


def test_an_update_is_that_of_one_step_though_norms_are_taken_seldom(watched: Watched) -> None:
    net = nn.Linear(4, 1)

    def train() -> None:
        optimizer = torch.optim.SGD(net.parameters(), 0.1)
        for _ in range(40):
            optimizer.zero_grad()
            net(torch.ones(1, 4)).sum().backward()  # the gradient is 1 everywhere: ‖Δw‖ = 0.1 √5 at every step
            optimizer.step()

    _, record = watched(train, None)
    assert len(record.looks) >= 3
    assert [look.update for look in record.looks[:-1]] == pytest.approx([0.1 * 5**0.5] * (len(record.looks) - 1))


def test_one_line_that_trains_several_models_in_turn(watched: Watched) -> None:
    """Norms are of the model that is trained now, not of gradients that another one kept."""

    def train() -> list[float]:
        norms = []
        for scale in (1.0, 7.0):
            net = nn.Linear(4, 1)
            keep.append(net)
            for step in range(6):
                net.zero_grad()
                (net(torch.ones(1, 4)) * scale * (step + 1)).sum().backward()
                norms.append(scale * (step + 1) * 5**0.5)
        return norms

    keep: list[nn.Module] = []
    norms, record = watched(train, 100)
    measured = {step.step: step.norm for step in record.steps}
    assert [measured[n] for n in (*range(6), *range(8, 12))] == pytest.approx([*norms[:6], *norms[8:]])


def test_a_wrapper_made_at_every_call_is_no_new_model(watched: Watched) -> None:
    class Wrapper(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x)

    net = nn.Linear(2, 1)

    def train() -> None:
        for _ in range(4):
            (net(torch.ones(1, 2)) + Wrapper(net)(torch.ones(1, 2))).sum().backward()

    _, record = watched(train)
    assert set(record.models) == {"net"}
