"""`gradreach run --guard`: scripts that know nothing of it are kept from ruin; what it did stands in the record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.optimizer import _global_optimizer_pre_hooks

from gradreach.remedies.guard.events import GaveUp
from gradreach.watch.session import Session

from .conftest import Watched

NAN = float("nan")
Spoil = Callable[[int, Tensor], Tensor]


def as_it_is(_: int, x: Tensor) -> Tensor:
    return x


def spoilt_at(*bad: int, by: float = NAN) -> Spoil:
    return lambda step, x: x * by if step in bad else x


class Net(nn.Sequential):
    def __init__(self) -> None:
        torch.manual_seed(0)
        super().__init__(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))


def train(
    spoil: Spoil = as_it_is,
    steps: int = 60,
    optimizer: Callable[..., torch.optim.Optimizer] = torch.optim.Adam,
    clip: float | None = None,
    update: Callable[[torch.optim.Optimizer, Callable[[], Tensor]], Any] | None = None,
) -> nn.Module:
    """A regression, in the plain loop that scripts have."""
    model = Net()
    opt = optimizer(model.parameters(), lr=1e-2)
    for step in range(steps):
        x = torch.randn(32, 8)
        y = x.sum(dim=1, keepdim=True)
        x = spoil(step, x)

        def closure(x: Tensor = x, y: Tensor = y) -> Tensor:
            opt.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        if update is not None:
            update(opt, closure)
            continue
        closure()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        opt.step()
    return model


def finite(model: nn.Module) -> bool:
    return all(bool(t.isfinite().all()) for t in model.state_dict().values())


def test_a_bad_batch_ruins_the_weights_without_and_is_skipped_with_the_guard(watched: Watched) -> None:
    ruined, _ = watched(lambda: train(spoilt_at(30)))
    assert not finite(ruined)
    saved, record = watched(lambda: train(spoilt_at(30)), guard=True)
    assert finite(saved)
    assert record.guarded is not None
    assert [(deed.step, deed.what) for deed in record.guarded.deeds] == [(30, "skipped")]
    assert (record.guarded.optimizers, record.guarded.updates) == (1, 59)


def test_healthy_training_is_bit_for_bit_the_same_where_nothing_is_clipped(watched: Watched) -> None:
    plain, record = watched(train)
    assert record.guarded is None
    guarded, record = watched(train, guard=True)
    assert record.guarded is not None
    assert (record.guarded.clipped, record.guarded.deeds) == (0, ())
    for one, other in zip(plain.state_dict().values(), guarded.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_weights_that_were_spoilt_from_outside_go_back(watched: Watched) -> None:
    def script() -> nn.Module:
        model = Net()
        opt = torch.optim.SGD(model.parameters(), lr=1e-2)
        for step in range(60):
            if step == 40:
                with torch.no_grad():
                    model[0].weight[0, 0] = float("inf")
            opt.zero_grad()
            x = torch.randn(32, 8)
            nn.functional.mse_loss(model(x), x.sum(dim=1, keepdim=True)).backward()
            opt.step()
        return model

    model, record = watched(script, guard=True)
    assert finite(model)
    assert record.guarded is not None
    assert [deed.what for deed in record.guarded.deeds] == ["skipped"] * 3 + ["rolled back"]


def test_a_script_that_clips_keeps_its_own_threshold(watched: Watched) -> None:
    _, record = watched(lambda: train(clip=0.5), guard=True)
    assert record.guarded is not None
    assert (record.guarded.optimizers, record.guarded.threshold) == (1, None)
    assert {step.threshold for step in record.steps} == {0.5}


def test_the_threshold_of_its_own_stands_in_the_record(watched: Watched) -> None:
    _, record = watched(lambda: train(spoilt_at(50, by=1e3)), guard=True)
    assert record.guarded is not None
    assert record.guarded.threshold is not None
    assert all(step.clip == "norm" for step in record.steps[30:49])


def test_a_closure_is_looked_at_as_it_ends(watched: Watched) -> None:
    saved, record = watched(lambda: train(spoilt_at(30), update=lambda opt, f: opt.step(f)), guard=True)
    assert finite(saved)
    assert record.guarded is not None
    assert [(deed.step, deed.what) for deed in record.guarded.deeds] == [(30, "skipped")]


def test_a_loss_scaler_keeps_its_business(watched: Watched) -> None:
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**14)

    def update(opt: torch.optim.Optimizer, closure: Callable[[], Tensor]) -> None:
        backward = Tensor.backward
        Tensor.backward = lambda loss: backward(scaler.scale(loss))  # type: ignore[method-assign, assignment]
        try:
            closure()
        finally:
            Tensor.backward = backward  # type: ignore[method-assign]
        scaler.step(opt)
        scaler.update()

    saved, record = watched(lambda: train(spoilt_at(30), update=update), guard=True)
    assert finite(saved)
    assert record.guarded is not None
    assert [(deed.step, deed.what) for deed in record.guarded.deeds] == [(30, "skipped")]


def test_a_loss_scale_that_is_too_high_is_the_scalers_own_business(watched: Watched) -> None:
    def script() -> nn.Module:
        model, scaler = Net(), torch.amp.GradScaler("cpu", init_scale=2.0**127)
        opt = torch.optim.SGD(model.parameters(), lr=1e-2)
        for _ in range(40):
            opt.zero_grad()
            x = torch.randn(32, 8)
            scaler.scale(nn.functional.mse_loss(model(x), 100 * x.sum(dim=1, keepdim=True))).backward()
            scaler.step(opt)
            scaler.update()
        return model

    model, record = watched(script, guard=True)
    assert finite(model)
    assert record.guarded is not None
    assert record.guarded.deeds == ()
    assert record.guarded.updates < 40


@pytest.mark.slow(3, "trains by L-BFGS")
def test_an_optimizer_that_needs_its_closure_many_times_is_left_alone(watched: Watched) -> None:
    script = lambda: train(optimizer=torch.optim.LBFGS, steps=5, update=lambda opt, f: opt.step(f))  # noqa: E731
    plain, _ = watched(script)
    guarded, record = watched(script, guard=True)
    assert record.guarded is not None
    assert [deed.what for deed in record.guarded.deeds] == ["left alone"]
    assert "LBFGS" in record.guarded.deeds[0].why
    for one, other in zip(plain.state_dict().values(), guarded.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_two_optimizers_have_a_guard_each(watched: Watched) -> None:
    def script() -> tuple[nn.Module, nn.Module]:
        models = Net(), Net()
        opts = [torch.optim.Adam(model.parameters(), lr=1e-2) for model in models]
        for step in range(40):
            for turn, (model, opt) in enumerate(zip(models, opts, strict=True)):
                opt.zero_grad()
                x = torch.randn(16, 8) * (NAN if (step, turn) == (20, 1) else 1.0)
                model(x).square().mean().backward()
                opt.step()
        return models

    models, record = watched(script, guard=True)
    assert all(map(finite, models))
    assert record.guarded is not None
    assert (record.guarded.optimizers, record.guarded.updates) == (2, 79)
    assert [(deed.step, deed.what) for deed in record.guarded.deeds] == [(41, "skipped")]


def test_a_schedule_of_the_scripts_own_is_not_turned_back(watched: Watched) -> None:
    rates: list[float] = []

    def script() -> None:
        model = Net()
        opt = torch.optim.SGD(model.parameters(), lr=1e-2)
        schedule = torch.optim.lr_scheduler.ExponentialLR(opt, 0.99)
        for step in range(60):
            if step == 40:
                with torch.no_grad():
                    model[0].weight.fill_(NAN)
            opt.zero_grad()
            model(torch.randn(32, 8)).square().mean().backward()
            opt.step()
            schedule.step()
            rates.append(opt.param_groups[0]["lr"])

    _, record = watched(script, guard=True)
    assert record.guarded is not None
    assert "rolled back" in {deed.what for deed in record.guarded.deeds}
    assert rates == pytest.approx([1e-2 * 0.99 ** (n + 1) for n in range(60)])


def test_it_gives_up_with_a_sentence_that_says_what_to_do(watched: Watched) -> None:
    with pytest.raises(GaveUp, match="learning rate"):
        watched(lambda: train(lambda step, x: x * NAN if step >= 20 else x, steps=400), guard=True)


def test_no_hook_stays_behind(watched: Watched) -> None:
    before = dict(_global_optimizer_pre_hooks)
    watched(train, guard=True)
    assert dict(_global_optimizer_pre_hooks) == before
    step = torch.amp.GradScaler.step
    watched(train, guard=True)
    assert torch.amp.GradScaler.step is step
    assert Session.__name__ not in repr(step)


def test_weights_that_are_not_finite_at_the_end_are_told(watched: Watched) -> None:
    def script() -> nn.Module:
        model = train(steps=30)
        with torch.no_grad():
            model[0].weight[0, 0] = float("inf")
        return model

    kept, record = watched(script, guard=True)
    assert not finite(kept)
    assert any("not finite" in note and "0.weight" in note for note in record.notes)


class Own(torch.optim.Optimizer):
    """An optimizer of a script's own: no rate in its groups, and a step with more than a closure."""

    def __init__(self, parameters: Any, **_: Any) -> None:
        super().__init__(parameters, {})

    def step(self, closure: Callable[[], Tensor] | None = None, *, size: float = 0.0) -> None:
        if closure is not None:
            closure()
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                if p.grad is not None:
                    p -= size * p.grad


def test_whatever_else_a_step_is_given_reaches_it(watched: Watched) -> None:
    update = lambda opt, f: opt.step(closure=f, size=0.01)  # noqa: E731
    script = lambda: train(spoilt_at(30), optimizer=Own, update=update)  # noqa: E731
    saved, record = watched(script, guard=True)
    assert finite(saved)
    assert not torch.equal(saved[3].weight, Net()[3].weight)
    assert record.guarded is not None
    assert [(deed.step, deed.what) for deed in record.guarded.deeds] == [(30, "skipped")]


def test_a_rate_that_is_a_tensor_is_not_turned_back_either(watched: Watched) -> None:
    rates: list[float] = []

    def script() -> None:
        model = Net()
        opt = torch.optim.Adam(model.parameters(), lr=torch.tensor(1e-2), foreach=False)
        for step in range(60):
            if step == 40:
                with torch.no_grad():
                    model[0].weight.fill_(NAN)
            opt.zero_grad()
            model(torch.randn(32, 8)).square().mean().backward()
            opt.step()
            opt.param_groups[0]["lr"].mul_(0.99)
            rates.append(float(opt.param_groups[0]["lr"]))

    _, record = watched(script, guard=True)
    assert record.guarded is not None
    assert "rolled back" in {deed.what for deed in record.guarded.deeds}
    assert rates == pytest.approx([1e-2 * 0.99 ** (n + 1) for n in range(60)], rel=1e-5)
