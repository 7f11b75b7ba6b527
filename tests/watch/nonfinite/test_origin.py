"""The first non-finite value is named: step, place, operation, time step; and looking for it changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from gradreach.record.schema import NonFinite
from tests.watch.conftest import Watched

BAD_STEP = 7


class _Net(nn.Module):
    def __init__(self, middle: nn.Module) -> None:
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.middle = middle
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(torch.tanh(self.first(x))))


class _Log(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.log(x + 1.5 if self.training else x - 1.5)


class _Root(nn.Module):
    """√x at exactly 0 has a finite value and no finite slope."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sqrt(torch.relu(x) if self.training else torch.zeros_like(x) * x)


def _train(model: nn.Module, spoil: Callable[[int, Tensor], Tensor] = lambda _, x: x) -> None:
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    for step in range(BAD_STEP + 3):
        x = spoil(step, torch.randn(5, 4))
        loss = cross_entropy(model(x), torch.randint(3, (5,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def _found(watched: Watched, train: Callable[[], None], every: int | None = None) -> NonFinite:
    torch.manual_seed(0)
    _, record = watched(train, every)
    assert record.notes == ()
    (found,) = record.nonfinite
    assert found.replayed
    return found


def test_in_the_data(watched: Watched) -> None:
    def spoil(step: int, x: Tensor) -> Tensor:
        return x.index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(float("nan"))) if step == BAD_STEP else x

    model = _Net(nn.Identity())
    found = _found(watched, lambda: _train(model, spoil))
    assert (found.step, found.phase, found.value) == (BAD_STEP, "input", "nan")
    assert "index (2, 1)" in found.detail


def test_in_a_modules_forward_pass(watched: Watched) -> None:
    model = _Net(_Log())

    def spoil(step: int, x: Tensor) -> Tensor:
        model.middle.train(step != BAD_STEP)
        return x

    found = _found(watched, lambda: _train(model, spoil))
    assert (found.step, found.phase, found.value) == (BAD_STEP, "forward", "nan")
    assert found.module == "model.middle"
    assert found.operation == "log"


def test_on_the_way_back(watched: Watched) -> None:
    model = _Net(_Root())

    def spoil(step: int, x: Tensor) -> Tensor:
        model.middle.train(False)
        return x

    found = _found(watched, lambda: _train(model, spoil))
    assert (found.step, found.phase) == (0, "backward")
    assert found.module == "model.middle"
    assert found.operation == "sqrt"


def test_on_the_way_back_after_ordinary_steps(watched: Watched) -> None:
    class Norm(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x.square().sum(1, keepdim=True).sqrt()

    model = _Net(Norm())

    def spoil(step: int, x: Tensor) -> Tensor:
        with torch.no_grad():
            if step == BAD_STEP:
                model.first.weight.zero_()
                model.first.bias.zero_()
        return x

    found = _found(watched, lambda: _train(model, spoil))
    assert (found.step, found.phase, found.module) == (BAD_STEP, "backward", "model.middle")


def test_in_the_loss(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        for step in range(BAD_STEP + 2):
            y = model(torch.randn(5, 4))
            loss = (torch.log(y.square() if step < BAD_STEP else -y.square())).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    found = _found(watched, train)
    assert (found.step, found.phase, found.value) == (BAD_STEP, "loss", "nan")
    assert found.operation == "log"


def test_in_the_losss_gradient(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        for step in range(BAD_STEP + 2):
            y = model(torch.randn(5, 4))
            loss = (y * (0.0 if step == BAD_STEP else 1.0)).abs().sqrt().sum()
            model.zero_grad()
            loss.backward()

    found = _found(watched, train)
    assert (found.step, found.phase) == (BAD_STEP, "backward")
    assert found.operation == "sqrt"


@pytest.mark.parametrize(("size", "at", "is_memory"), [(3e30, 0, True), (1e12, 0, False), (3e30, 3, False)])
def test_in_weights_that_were_never_initialised(size: float, at: int, is_memory: bool, watched: Watched) -> None:
    """Numbers that lay in memory, before the first update alone: later ones an update has made."""

    def train() -> None:
        model = _Net(nn.Linear(8, 8))
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        for step in range(at + 1):
            if step == at:
                model.middle.weight.data[1] = size
            loss = (model(torch.ones(5, 4)) * 1e3).pow(8 if step == at else 1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    found = _found(watched, train)
    assert found.step == at
    assert (found.cause == "initial weights") == is_memory
    if is_memory:
        assert (found.phase, found.operation) == ("forward", "model.middle.weight")
        assert found.argument == "values up to 3e+30"


def test_in_weights_that_an_update_spoiled(watched: Watched) -> None:
    def train() -> None:
        model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
        for step in range(BAD_STEP + 2):
            model.zero_grad()
            model(torch.randn(5, 4)).sum().backward()
            with torch.no_grad():
                model[1].weight.add_(float("inf") if step == BAD_STEP - 1 else 0.0)

    found = _found(watched, train)
    assert (found.step, found.phase, found.value) == (BAD_STEP, "parameters", "inf")
    assert found.module == "model.1"


def test_the_time_step_of_a_recurrent_layer(watched: Watched) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(2, 4, nonlinearity="relu")

        def forward(self, x: Tensor) -> Tensor:
            return self.rnn(x)[0]

    def train() -> None:
        model = Net()
        for step in range(BAD_STEP + 2):
            if step == BAD_STEP:
                with torch.no_grad():
                    model.rnn.weight_hh_l0.copy_(torch.eye(4) * 1e10)
                    model.rnn.bias_ih_l0.fill_(1.0)
            model.zero_grad()
            model(torch.rand(12, 3, 2)).mean().backward()

    found = _found(watched, train)
    assert (found.step, found.phase, found.module) == (BAD_STEP, "forward", "model.rnn")
    assert found.time_step == 4  # 1e10^4 passes the largest float32, 3.4e38
    assert (found.layer, found.direction) == (0, "forward")


def test_the_layer_and_direction_of_a_stack(watched: Watched) -> None:
    def train() -> None:
        model = nn.RNN(2, 4, 2, nonlinearity="relu", bidirectional=True)
        for step in range(BAD_STEP + 2):
            if step == BAD_STEP:
                with torch.no_grad():
                    model.weight_hh_l1_reverse.copy_(torch.eye(4) * 1e10)
                    model.bias_ih_l1_reverse.fill_(1.0)
            model.zero_grad()
            model(torch.rand(12, 3, 2))[0].mean().backward()

    found = _found(watched, train)
    assert (found.layer, found.direction) == (1, "reverse")
    assert found.time_step == 12 - 1 - 4


def test_the_time_step_of_a_loop(watched: Watched) -> None:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.grow = 1.0
            self.w = nn.Linear(4, 4)

        def forward(self, h: Tensor) -> Tensor:
            return self.w(h) * self.grow

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = Cell()

        def forward(self, h: Tensor) -> Tensor:
            for _ in range(6):
                h = self.cell(h)
            return h

    def train() -> None:
        model = Net()
        for step in range(BAD_STEP + 2):
            model.cell.grow = 1e13 if step == BAD_STEP else 1.0
            model.zero_grad()
            model(torch.ones(2, 4)).sum().backward()

    found = _found(watched, train)
    assert (found.step, found.phase, found.module) == (BAD_STEP, "forward", "model.cell")
    assert found.time_step in (2, 3)


def test_a_mask_of_minus_infinity_is_no_culprit(watched: Watched) -> None:
    class Masked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.full((8, 8), float("-inf")).triu(1)
            return 9 * torch.softmax(x @ x.t() @ torch.zeros(5, 8) + mask[:5], dim=-1)

    def train() -> None:
        model = _Net(Masked())

        def spoil(step: int, x: Tensor) -> Tensor:
            with torch.no_grad():
                if step == BAD_STEP:
                    model.last.weight.fill_(3e38)
            return x

        _train(model, spoil)

    found = _found(watched, train)
    assert (found.phase, found.module) == ("forward", "model.last")


def test_overflow_that_the_loss_scaler_skips_is_its_own_business(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=1e38)
        for _ in range(6):
            optimizer.zero_grad()
            scaler.scale((model(torch.randn(5, 4)) * 50).square().mean()).backward()
            scaler.step(optimizer)
            scaler.update()

    torch.manual_seed(0)
    _, record = watched(train, None)
    assert record.nonfinite
    assert all(found.scaled_away for found in record.nonfinite)


@pytest.mark.parametrize(("begin", "left"), [(2.0**100, 0.5), (2.0**40, 0.99)])
def test_a_scaler_that_begins_high_may_search_for_as_long_as_halving_takes(
    begin: float, left: float, watched: Watched
) -> None:
    def train() -> None:
        torch.manual_seed(0)
        model = nn.Linear(4, 3)
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        scaler = torch.amp.GradScaler("cpu", init_scale=begin, backoff_factor=left)
        for _ in range(150):
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16):
                out = model(torch.randn(5, 4))
            scaler.scale(out.float().square().mean()).backward()
            scaler.step(optimizer)
            scaler.update()

    _, record = watched(train, None)
    real = [found for found in record.nonfinite if not found.scaled_away]
    assert len(record.nonfinite) > 80
    assert [(found.step, found.cause) for found in real] == ([] if left == 0.5 else [(128, "loss scale")])


@pytest.mark.parametrize("every", [1, None])
def test_the_replay_leaves_no_trace(every: int | None, watched: Watched) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.calls = 0
            self.norm = nn.BatchNorm1d(4)
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(4, 1)

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            self.last = self.drop(self.norm(x))
            return self.head(self.last)

    def train() -> tuple[int, Tensor, Tensor, Tensor]:
        torch.manual_seed(5)
        model = Counting()
        for step in range(BAD_STEP + 2):
            model.zero_grad()
            y = model(torch.randn(6, 4))
            (y.sum() * (float("inf") if step == BAD_STEP else 1.0)).backward()
        return model.calls, model.norm.running_mean, model.last.detach(), torch.get_rng_state()

    plain = train()
    seen, record = watched(train, every)
    assert len(record.nonfinite) == 1
    assert plain[0] == seen[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1:], seen[1:], strict=True))


def test_a_norm_too_large_for_float32_is_no_non_finite_gradient(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(4, 1)
        (model(torch.ones(2, 4)).sum() * 1e25).backward()

    _, record = watched(train)
    assert record.nonfinite == ()
    assert record.steps[0].norm == pytest.approx(2e25 * 5**0.5, rel=1e-5)
