"""Compiled code is seen as the eager code is, and is run, compiled and left as if nobody watched."""

from __future__ import annotations

import gc
import random
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounterWithBackend

import gradreach
from gradreach.record.look import Look
from gradreach.watch.compiled.draws import Draws
from tests.watch.conftest import Watched

STEPS = 3

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
"""Dynamo itself asks for it, of what it is given."""


class Language(nn.Module):
    """An LSTM between an embedding and two linear layers."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.rnn = nn.LSTM(5, 6, batch_first=True)
        self.middle = nn.Linear(6, 6)
        self.head = nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.middle(self.rnn(self.embedding(x))[0])))


class Stepwise(nn.Module):
    """A cell that a loop calls."""

    def __init__(self, cell: nn.Module) -> None:
        super().__init__()
        self.cell = cell
        self.embedding = nn.Embedding(7, 5)
        self.head = nn.Linear(6, 7)

    def forward(self, x: Tensor) -> Tensor:
        h, states = torch.zeros(len(x), 6), []
        for t in range(x.shape[1]):
            h = self.cell(self.embedding(x[:, t]), h)
            states.append(h)
        return self.head(torch.stack(states, 1))


class OwnCell(nn.Module):
    """h ← tanh(V x + W h), as a script may write it."""

    def __init__(self) -> None:
        super().__init__()
        self.v, self.w = nn.Linear(5, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.v(x) + self.w(h))


def _whole(model: nn.Module, backend: Any) -> nn.Module:
    return torch.compile(model, backend=backend)


def _by_method(model: nn.Module, backend: Any) -> nn.Module:
    model.compile(backend=backend)
    return model


def _forward(model: nn.Module, backend: Any) -> nn.Module:
    model.forward = torch.compile(model.forward, backend=backend)
    return model


def _middle(model: nn.Module, backend: Any) -> nn.Module:
    model.middle = torch.compile(model.middle, backend=backend)
    return model


def _cell(model: nn.Module, backend: Any) -> nn.Module:
    model.cell = torch.compile(model.cell, backend=backend)
    return model


def _cell_by_method(model: nn.Module, backend: Any) -> nn.Module:
    model.cell.compile(backend=backend)
    return model


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module, Any], nn.Module]]] = {
    "whole": (Language, _whole),
    "by method": (Language, _by_method),
    "forward": (Language, _forward),
    "one layer": (Language, _middle),
    "stock cell": (lambda: Stepwise(nn.GRUCell(5, 6)), _cell),
    "stock cell by method": (lambda: Stepwise(nn.GRUCell(5, 6)), _cell_by_method),
    "own cell": (lambda: Stepwise(OwnCell()), _cell),
    "loop": (lambda: Stepwise(nn.GRUCell(5, 6)), _whole),
}


def _training(make: Callable[[], nn.Module], compiled: Callable[[nn.Module, Any], nn.Module] | None) -> Any:
    torch.manual_seed(0)
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    net = make()
    model = net if compiled is None else compiled(net, counter)
    optimizer, criterion = torch.optim.Adam(net.parameters(), 1e-2), nn.CrossEntropyLoss()
    losses = []
    for _ in range(STEPS):
        x = torch.randint(0, 7, (4, 6))
        loss = criterion(model(x).flatten(0, 1), x.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return counter.frame_count, losses, [p.detach().clone() for p in net.parameters()], torch.get_rng_state()


@pytest.mark.parametrize("name", CASES)
def test_it_is_seen_as_the_eager_code_is(name: str, watched: Watched) -> None:
    make, compiled = CASES[name]
    _, eager = watched(lambda: _training(make, None))
    _, seen = watched(lambda: _training(make, compiled))
    assert seen.notes == ()
    assert len(seen.looks) == STEPS
    for ours, theirs in zip(seen.looks, eager.looks, strict=True):
        _assert_alike(ours, theirs)


@pytest.mark.parametrize("name", ["whole", "by method", "forward"])
def test_what_the_loss_is_asked_of_the_model_is_answered_as_in_eager_code(name: str, watched: Watched) -> None:
    make, compiled = CASES[name]
    (_, eager), (_, seen) = watched(lambda: _training(make, None)), watched(lambda: _training(make, compiled))
    for ours, theirs in zip(seen.looks, eager.looks, strict=True):
        for asked in ("copied_targets", "target_orders", "readings", "mixed_by_views", "softmaxes", "counted_rows"):
            assert getattr(ours, asked) == getattr(theirs, asked), asked
    assert any(look.copied_targets or look.readings for look in seen.looks)


def _assert_alike(ours: Look, theirs: Look) -> None:
    assert [look.module for look in ours.time] == [look.module for look in theirs.time] != []
    for one, other in zip(ours.time, theirs.time, strict=True):
        T = other.T  # of a loop of the script's own the last state is known where a pass begins at it
        assert one.exact
        assert one.adjoint[:T] == pytest.approx(other.adjoint, rel=1e-4)
        assert one.lag_share == pytest.approx(other.lag_share, abs=1e-4)
        assert one.T > T or one.reach == pytest.approx(other.reach, rel=1e-4)
    assert [(d.module, d.kind, d.calls) for d in ours.depth] == [(d.module, d.kind, d.calls) for d in theirs.depth]
    for one, other in zip(ours.depth, theirs.depth, strict=True):
        for figure in ("activation_rms", "grad_rms", "weight_grad_norm", "update_ratio"):
            mine, its = getattr(one, figure), getattr(other, figure)
            assert mine == (None if its is None else pytest.approx(its, rel=1e-3)), (one.module, figure)
    assert [(loss.kind, loss.module) for loss in ours.losses] == [(loss.kind, loss.module) for loss in theirs.losses]
    assert ours.given == theirs.given
    assert (ours.stepped is None) == (theirs.stepped is None)


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_it_runs_and_is_compiled_as_if_nobody_watched(name: str, every: int, watched: Watched) -> None:
    make, compiled = CASES[name]
    plain = _training(make, compiled)
    before = torch._dynamo.utils.counters["frames"].copy(), torch._dynamo.utils.counters["graph_break"].copy()
    plain = _training(make, compiled)
    counted = torch._dynamo.utils.counters["frames"].copy(), torch._dynamo.utils.counters["graph_break"].copy()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*hooks.*")
        seen, _ = watched(lambda: _training(make, compiled), every)
    after = torch._dynamo.utils.counters["frames"].copy(), torch._dynamo.utils.counters["graph_break"].copy()
    assert [now - then for now, then in zip(after, counted, strict=True)] == [
        now - then for now, then in zip(counted, before, strict=True)
    ]
    assert seen[:2] == plain[:2]
    assert all(torch.equal(a, b) for a, b in zip(seen[2], plain[2], strict=True))
    assert torch.equal(seen[3], plain[3])


def test_a_function_with_the_loss_in_it(watched: Watched) -> None:
    """The graph of the loss is the shadow's own then, and every lens may ask it again."""

    def train(backend: str | None) -> nn.Module:
        torch.manual_seed(0)
        torch._dynamo.reset()
        net, criterion = Language(), nn.CrossEntropyLoss()

        def loss_of(x: Tensor, target: Tensor) -> Tensor:
            return criterion(net(x).flatten(0, 1), target.flatten())

        step = loss_of if backend is None else torch.compile(loss_of, backend=backend)
        for _ in range(STEPS):
            x = torch.randint(0, 7, (4, 6))
            step(x, target=x).backward()
        return net

    (_, eager), (_, seen) = watched(lambda: train(None)), watched(lambda: train("aot_eager"))
    assert seen.models == eager.models == {"net": "Language"}
    for ours, theirs in zip(seen.looks, eager.looks, strict=True):
        assert [(t.module, t.reach) for t in ours.time] == [
            (t.module, pytest.approx(t.reach, rel=1e-4)) for t in theirs.time
        ]
        assert [(loss.kind, loss.module) for loss in ours.losses] == [("cross entropy", "net.head")]
        assert ours.copied_targets == theirs.copied_targets
        assert ours.copied_targets is not None


LOG: list[int] = []


class Busy(nn.Module):
    """Whatever a forward pass may leave behind."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm, self.drop = nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)
        self.register_buffer("mean", torch.zeros(3))
        self.calls, self.seen, self.last, self.by_name = 0, [], None, {}

    @torch.compiler.disable
    def drawn(self) -> float:
        return np.random.rand()

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.append(self.calls)
        self.by_name["last"] = self.calls
        h = self.drop(self.norm(self.layer(x))) * self.drawn()
        if self.last is not None:
            h = h + self.last.detach()
        self.mean.mul_(0.9).add_(h.detach().mean(0), alpha=0.1)
        self.last = h
        LOG.append(self.calls)
        print("forward", self.calls)
        return h


@pytest.mark.parametrize("compiled", [_whole, _by_method, _forward])
def test_what_the_forward_pass_leaves_behind_is_left_once(
    compiled: Callable[[nn.Module, Any], nn.Module], watched: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    def train() -> tuple[Any, ...]:
        torch.manual_seed(0)
        np.random.seed(0)
        torch._dynamo.reset()
        LOG.clear()
        net = Busy()
        model = compiled(net, "eager")
        for _ in range(STEPS):
            model(torch.ones(4, 3)).square().mean().backward()
        said = capsys.readouterr().out
        state = [value.clone() for value in net.state_dict().values()]
        draws = (np.random.rand(), torch.rand(1).item())
        return net.calls, list(net.seen), dict(net.by_name), list(LOG), said, draws, [*state, net.last.detach()]

    plain = train()
    seen, record = watched(train)
    assert record.looks
    assert seen[:-1] == plain[:-1]
    assert all(torch.equal(a, b) for a, b in zip(seen[-1], plain[-1], strict=True))


def test_every_generator_is_put_back_where_it_stood() -> None:
    """Python's own by itself: what checks the types of these tests draws from it."""
    before = Draws.now()
    first = random.random(), np.random.rand(), torch.rand(1).item()
    before.restore()
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == first


def test_nothing_is_kept_of_a_step(watched: Watched) -> None:
    def train() -> list[weakref.ref[Any]]:
        torch._dynamo.reset()
        net = Stepwise(OwnCell())
        model = _cell(net, "eager")
        kept = []
        for _ in range(STEPS):
            out = model(torch.randint(0, 7, (4, 6)))
            kept.append(weakref.ref(out))
            out.square().mean().backward()
            del out
        return kept

    gc.disable()
    try:
        kept, _ = watched(train)
        assert [each() for each in kept[:-1]] == [None] * (STEPS - 1)
    finally:
        gc.enable()


def test_where_a_nan_arose_is_found(watched: Watched) -> None:
    class Log(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(2, 2)

        def forward(self, x: Tensor) -> Tensor:
            return torch.log(self.first(x) - 100.0)

    def train() -> None:
        torch._dynamo.reset()
        net = Log()
        model = torch.compile(net, backend="aot_eager")
        model(torch.ones(2, 2)).sum().backward()

    found = watched(train, None)[1].nonfinite[0]
    assert (found.module, found.operation, found.replayed) == ("net", "log", True)
    assert "test_compiled.py" in found.source


def test_a_backward_pass_within_compiled_code_is_said(watched: Watched) -> None:
    def train() -> None:
        torch._dynamo.reset()
        net = nn.Linear(2, 1)

        def step(x: Tensor) -> None:
            net(x).sum().backward()

        step = torch.compile(step, backend="eager")
        for _ in range(STEPS):
            step(torch.ones(3, 2))

    record = watched(train)[1]
    assert len(record.steps) == STEPS
    assert any("the backward pass runs within it" in note for note in record.notes)


@pytest.mark.parametrize("by_method", [False, True])
def test_what_was_compiled_before_is_seen_as_well(by_method: bool) -> None:
    """As by `gr.observe`, which stands around the loop alone."""
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("aot_eager")
    net = Language()
    model = (_by_method if by_method else _whole)(net, counter)
    made = net._compiled_call_impl
    model(torch.randint(0, 7, (4, 6))).square().mean().backward()
    frames = counter.frame_count
    with gradreach.observe(model, every=1) as watch:
        for _ in range(STEPS):
            model(torch.randint(0, 7, (4, 6))).square().mean().backward()
    record = watch.record()
    assert [look.module.partition(".")[2] for look in record.looks[-1].time] == ["rnn"]
    assert counter.frame_count == frames
    assert net._compiled_call_impl is made


def test_everything_is_put_back(watched: Watched) -> None:
    from torch._dynamo.eval_frame import OptimizedModule

    before = OptimizedModule.__call__
    model, _ = watched(lambda: torch.compile(nn.Linear(2, 2), backend="eager"))
    assert OptimizedModule.__call__ is before
    assert model(torch.ones(1, 2)).shape == (1, 2)
