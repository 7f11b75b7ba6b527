import logging
from collections.abc import Callable, Iterator
from math import isfinite
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots

NAN = float("nan")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, 1))


def batch(step: int, factor: float = 1.0) -> tuple[Tensor, Tensor]:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    return factor * x, x.sum(1, keepdim=True)


def loss_of(model: nn.Module, step: int, factor: float = 1.0) -> Tensor:
    x, y = batch(step, factor)
    return (model(x) - y).square().mean()


def all_tensors(model: nn.Module, optimizer: torch.optim.Optimizer) -> Iterator[Tensor]:
    yield from (t.detach().clone() for t in model.state_dict().values())
    for state in optimizer.state_dict()["state"].values():
        yield from (t.clone() for t in state.values() if isinstance(t, Tensor))


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def until_it_gives_up(guard: Guard, loss: Callable[[], Tensor]) -> None:
    for _ in range(100):
        guard.step(loss())


def trained(steps: int, **arguments: Any) -> tuple[nn.Module, torch.optim.Optimizer, Guard]:
    """A guarded run of so many sound steps."""
    model = network()
    optimizer = arguments.pop("optimizer", lambda p: torch.optim.Adam(p, 1e-2))(model.parameters())
    guard = Guard(model, optimizer, **arguments)
    for step in range(steps):
        guard.step(loss_of(model, step))
    return model, optimizer, guard


def test_a_sound_run_is_the_run_without_a_guard() -> None:
    model, optimizer, guard = trained(60, clip=None, snapshots=GuardSnapshots(every=10))
    drawn = torch.rand(1)
    other = network()
    by_hand = torch.optim.Adam(other.parameters(), 1e-2)
    for step in range(60):
        loss_of(other, step).backward()
        by_hand.step()
        by_hand.zero_grad()
    assert same(list(all_tensors(model, optimizer)), list(all_tensors(other, by_hand)))
    assert torch.equal(drawn, torch.rand(1))
    assert guard.counts["good"] == 60
    assert guard.events == []
    assert all(p.grad is None for p in model.parameters())


def test_clips_as_its_clip_does() -> None:
    model, _, guard = trained(0, clip=0.5)
    loss_of(model, 0, 100.0).backward()
    norm = nn.utils.get_total_norm([p.grad for p in model.parameters()])
    assert guard.before_step()
    assert float(nn.utils.get_total_norm([p.grad for p in model.parameters()])) == pytest.approx(0.5)
    assert float(norm) > 0.5


@pytest.mark.parametrize("own_loop", [False, True])
@pytest.mark.parametrize("factor", [NAN, float("inf")])
def test_a_bad_batch_leaves_no_trace(factor: float, own_loop: bool) -> None:
    model, optimizer, guard = trained(30)
    before = list(all_tensors(model, optimizer))
    loss = loss_of(model, 30, factor)
    if own_loop:
        loss.backward()
        assert not guard.before_step(loss)
        optimizer.step()  # finds nothing to do
    else:
        assert not isfinite(guard.step(loss))
    assert guard.skipped
    assert same(before, list(all_tensors(model, optimizer)))
    assert all(p.grad is None for p in model.parameters())
    guard.step(loss_of(model, 31))
    assert not guard.skipped
    assert guard.counts == {"steps": 32, "good": 31, "accepted": 0, "skipped": 1, "overflowed": 0, "rolled_back": 0}
    assert [(e.step, e.what) for e in guard.events] == [(30, "skipped")]


def test_without_the_guard_one_bad_batch_is_the_end() -> None:
    model, optimizer, _ = trained(30)
    loss_of(model, 30, NAN).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    assert all(bool(p.isnan().any()) for p in model.parameters())


def test_says_what_it_does(caplog: pytest.LogCaptureFixture) -> None:
    model, _, guard = trained(30)
    with caplog.at_level(logging.WARNING, "gradreach"):
        guard.step(loss_of(model, 30) * 1e6)
    (record,) = caplog.records
    assert "step 30 skipped: the gradient's norm is" in record.getMessage()
    assert "the highest of the last 30 good steps was" in record.getMessage()


def test_goes_back_after_patience_and_on_from_there() -> None:
    every = GuardSnapshots(every=25)  # snapshots: of step 25, proved at 45; of step 50, on trial
    model, optimizer, guard = trained(50, snapshots=every)
    for step in range(3):
        guard.step(loss_of(model, 100 + step, NAN))
    assert [event.what for event in guard.events] == ["skipped"] * 3 + ["rolled back"]
    assert "the snapshot after 25 steps" in guard.events[-1].why
    for step in range(10):
        guard.step(loss_of(model, 200 + step))
    twin, by_hand, other = trained(25, snapshots=every)  # dropout included, as if nothing had come after step 25
    for step in range(10):
        other.step(loss_of(twin, 200 + step))
    assert same(list(all_tensors(model, optimizer)), list(all_tensors(twin, by_hand)))


def test_first_rollback_restores_the_generators_a_second_one_does_not() -> None:
    model, _, guard = trained(1, snapshots=GuardSnapshots(every=100))

    def drawn_after_a_rollback() -> tuple[float, float]:
        torch.manual_seed(11)
        np.random.seed(11)
        guard.step(loss_of(model, 1))
        before = guard.counts["rolled_back"]
        while guard.counts["rolled_back"] == before:
            guard.step(loss_of(model, 1, NAN))
        return float(torch.rand(1)), float(np.random.rand())

    first, second = drawn_after_a_rollback(), drawn_after_a_rollback()
    np.random.seed(11)
    onward = float(np.random.rand())
    assert first[0] != second[0]
    assert first[1] != onward
    assert second[1] == onward


def test_gives_up_with_the_sentence_that_says_what_to_do() -> None:
    model, _, guard = trained(40, snapshots=GuardSnapshots(every=10), policy=GuardPolicy(limit=12))
    with pytest.raises(GaveUp, match=r"gave up at step 54: the loss is nan; no step since step 40 was sound") as error:
        until_it_gives_up(guard, lambda: loss_of(model, 0, NAN))
    assert "lower the learning rate" in str(error.value)
    assert guard.counts["skipped"] == 3 + 12
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_lasting_new_level_is_accepted_and_never_given_up_on() -> None:
    model, _, guard = trained(
        40,
        snapshots=GuardSnapshots(every=10),
        policy=GuardPolicy(limit=12),
        optimizer=lambda p: torch.optim.SGD(p, 1e-12),
    )
    for step in range(100):
        guard.step(1e8 * loss_of(model, step))
    assert [e.what for e in guard.events].count("accepted") == 1
    assert guard.counts["skipped"] == 3 + 11
    assert guard.counts["good"] == 40 + 100 - 14


def test_an_inf_weight_that_no_loss_shows_is_found_at_the_next_snapshot() -> None:
    torch.manual_seed(0)
    gate = nn.GRU(2, 3)
    guard = Guard(gate, torch.optim.SGD(gate.parameters(), 1e-2), snapshots=GuardSnapshots(every=10))
    for step in range(25):
        if step == 15:
            gate.weight_ih_l0.data[0, 0] = float("inf")  # a gate that is open or closed: the loss stays finite
        guard.step(gate(torch.randn(4, 2, 2, generator=torch.Generator().manual_seed(step)))[0].square().mean())
    assert guard.counts["rolled_back"] == 1
    assert guard.counts["skipped"] == 0
    assert "model.weight_ih_l0 holds values that are not finite" in guard.events[-1].why
    assert all(bool(p.isfinite().all()) for p in gate.parameters())


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, 1e-2, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, 1e-2),
    "Adam fused": lambda p: torch.optim.Adam(p, 1e-2, fused=True),
    "Adam foreach": lambda p: torch.optim.Adam(p, 1e-2, foreach=True, amsgrad=True),
    "AdamW, lr a tensor": lambda p: torch.optim.AdamW(p, torch.tensor(1e-2), foreach=False),
    "Adagrad": lambda p: torch.optim.Adagrad(p, 1e-2),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 1e-3, momentum=0.5, centered=True),
    "Adadelta": torch.optim.Adadelta,
    "NAdam": lambda p: torch.optim.NAdam(p, 1e-3),
    "Rprop": lambda p: torch.optim.Rprop(p, 1e-3),
    "ASGD": lambda p: torch.optim.ASGD(p, 1e-3),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_state_is_restored_exactly_and_in_place(name: str) -> None:
    model, optimizer, guard = trained(30, snapshots=GuardSnapshots(every=10), optimizer=OPTIMIZERS[name])
    reference, by_hand, _ = trained(20, snapshots=GuardSnapshots(every=10), optimizer=OPTIMIZERS[name])
    held = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor)]
    optimizer.param_groups[0]["lr"] = optimizer.param_groups[0]["lr"] * 0.5
    while guard.counts["rolled_back"] == 0:
        guard.step(loss_of(model, 0, NAN))
    assert same(list(all_tensors(model, optimizer)), list(all_tensors(reference, by_hand)))
    now = [t for state in optimizer.state.values() for t in state.values() if isinstance(t, Tensor)]
    assert all(a is b for a, b in zip(held, now, strict=True))
    ours, theirs = optimizer.state_dict()["param_groups"], by_hand.state_dict()["param_groups"]
    assert {k: v for k, v in ours[0].items() if k != "lr"} == {k: v for k, v in theirs[0].items() if k != "lr"}
    assert float(ours[0]["lr"]) == float(theirs[0]["lr"])


def test_state_made_after_the_snapshot_is_removed() -> None:
    model = network()
    for parameter in model[0].parameters():
        parameter.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    guard = Guard(model, optimizer, snapshots=GuardSnapshots(every=5))
    for step in range(12):
        guard.step(loss_of(model, step))
    frozen = [p.clone() for p in model[0].parameters()]
    for parameter in model[0].parameters():
        parameter.requires_grad_(True)
    guard.step(loss_of(model, 12))
    assert model[0].weight in optimizer.state
    while guard.counts["rolled_back"] == 0:
        guard.step(loss_of(model, 0, NAN))
    assert model[0].weight not in optimizer.state
    assert same(frozen, [p.detach() for p in model[0].parameters()])
    assert model[0].weight.requires_grad


def test_shared_parameters_and_objects_of_the_user() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    average = torch.optim.swa_utils.AveragedModel(model)
    optimizer.register_step_post_hook(lambda *_: average.update_parameters(model))
    draw = torch.Generator().manual_seed(3)
    guard = Guard(model, optimizer, snapshots=GuardSnapshots(every=5, keep={"ema": average, "draw": draw}))
    for _ in range(5):
        guard.step(model(torch.randn(8, 4, generator=draw)).square().mean())
    then = [t.clone() for t in average.state_dict().values()], draw.get_state()
    for _ in range(6):
        guard.step(model(torch.randn(8, 4, generator=draw)).square().mean())
    while guard.counts["rolled_back"] == 0:
        guard.step(model(torch.randn(8, 4, generator=draw)).square().mean() * NAN)
    assert same(then[0], list(average.state_dict().values()))
    assert torch.equal(then[1], draw.get_state())
    assert model[2].weight is model[0].weight


def test_own_buffers_that_are_replaced_in_forward_are_put_back() -> None:
    class Running(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))
            self.register_buffer("mean", None, persistent=False)

        def forward(self, x: Tensor) -> Tensor:
            self.mean = x.detach() if self.mean is None else 0.9 * self.mean + 0.1 * x.detach()
            return (self.weight * x).square().sum()

    model = Running()
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2), snapshots=GuardSnapshots(every=2))
    guard.step(model(torch.full((3,), NAN)))
    assert model.mean is None
    for _ in range(6):
        guard.step(model(torch.ones(3)))
    good = model.mean.clone()
    guard.step(model(torch.full((3,), NAN)))
    assert torch.equal(model.mean, good)
    for _ in range(2):
        guard.step(model(torch.full((3,), NAN)))
    assert guard.counts["rolled_back"] == 1
    assert bool(model.mean.isfinite().all())


SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "StepLR": lambda o: lr_scheduler.StepLR(o, 7, 0.9),
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda step: 1 / (1 + step)),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 100, eta_min=1e-4),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=100),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 1e-3, 1e-2, cycle_momentum=False),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [5, 15, 60], 0.5),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.CosineAnnealingLR(o, 100)], [5]
    ),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.LinearLR(o, 0.1, total_iters=5), lr_scheduler.ExponentialLR(o, 0.99)]
    ),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 30),
}


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("factor", [1.0, 0.5])
def test_a_lowered_learning_rate_is_not_undone_by_the_schedule(name: str, factor: float) -> None:
    def rates(bad: int) -> list[float]:
        model = network()
        optimizer = torch.optim.SGD(model.parameters(), 1e-3)
        scheduler = SCHEDULES[name](optimizer)
        guard = Guard(
            model,
            optimizer,
            scheduler=scheduler,
            policy=GuardPolicy(lower_lr=factor),
            snapshots=GuardSnapshots(every=20),
        )
        for step in range(40):
            guard.step(loss_of(model, step))
        for _ in range(bad):
            guard.step(loss_of(model, 0, NAN))
        assert guard.counts["rolled_back"] == (bad > 0)
        after = []
        for step in range(20 if bad == 0 else 40):
            after.append(float(optimizer.param_groups[0]["lr"]))
            guard.step(loss_of(model, step))
        return after

    undisturbed, lowered = rates(0), rates(3)
    assert lowered[20:] == pytest.approx([factor * rate for rate in undisturbed], rel=1e-9)


def test_lowers_the_threshold() -> None:
    model, _, guard = trained(30, snapshots=GuardSnapshots(every=5), clip=1.0, policy=GuardPolicy(lower_threshold=0.5))
    while guard.counts["rolled_back"] == 0:
        guard.step(loss_of(model, 0, NAN))
    loss_of(model, 0, 100.0).backward()
    assert guard.before_step()
    assert float(nn.utils.get_total_norm([p.grad for p in model.parameters()])) == pytest.approx(0.5)


class Scaled:
    """A run under a GradScaler on the CPU; one whose gradient overflows at a scale above `most`."""

    def __init__(self, **arguments: Any) -> None:
        self.model = network()
        self.optimizer = torch.optim.SGD(self.model.parameters(), 1e-2)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=10)
        self.guard = Guard(self.model, self.optimizer, scaler=self.scaler, **arguments)

    def overflow(self, loss: Tensor) -> Tensor:
        """Finite forward, not finite backward."""
        loss.register_hook(lambda grad: grad * float("inf"))
        return loss


def test_a_scaler_takes_the_same_steps_as_without() -> None:
    run = Scaled(clip=None)
    for step in range(15):
        run.guard.step(loss_of(run.model, step))
    plain, _, _ = trained(15, clip=None, optimizer=lambda p: torch.optim.SGD(p, 1e-2))
    assert all(torch.allclose(a, b) for a, b in zip(run.model.parameters(), plain.parameters(), strict=True))
    assert run.scaler.get_scale() == 2048.0


def test_the_scalers_own_overflow_is_its_business_until_the_scale_cannot_fall() -> None:
    run = Scaled(policy=GuardPolicy(limit=5))
    for step in range(10):
        run.guard.step(run.overflow(loss_of(run.model, step)))
    assert run.guard.counts["overflowed"] == 10
    assert run.guard.counts["skipped"] == 0
    assert run.scaler.get_scale() == 1.0
    assert run.guard.skipped
    with pytest.raises(GaveUp):
        until_it_gives_up(run.guard, lambda: run.overflow(loss_of(run.model, 0)))


@pytest.mark.parametrize("unconditional", [True, False])
def test_a_loop_with_its_own_scaler_calls(unconditional: bool) -> None:
    run = Scaled()
    taken = 0
    for step in range(12):
        loss = loss_of(run.model, step, NAN if step in (3, 4) else 1.0)
        run.scaler.scale(loss).backward()
        if step == 6:
            run.scaler.unscale_(run.optimizer)
        if run.guard.before_step(loss) or unconditional:
            taken += 1
            run.scaler.step(run.optimizer)
            run.scaler.update()
        run.optimizer.zero_grad()
    assert run.guard.counts["skipped"] == 2
    assert taken == (12 if unconditional else 10)
    assert all(bool(p.isfinite().all()) for p in run.model.parameters())
    assert run.scaler.get_scale() == 2048.0  # a bad batch is not the scale's fault


def test_gradient_accumulation_in_ones_own_loop() -> None:
    model, optimizer, guard = trained(0, snapshots=GuardSnapshots(every=3))
    for step in range(12):
        for part in range(3):
            factor = NAN if (step, part) == (7, 1) else 1.0
            (loss_of(model, 10 * step + part, factor) / 3).backward()
        if guard.before_step():
            optimizer.step()
        optimizer.zero_grad()
    assert guard.counts["good"] == 11
    assert guard.counts["skipped"] == 1
    assert all(bool(t.isfinite().all()) for t in all_tensors(model, optimizer))


def test_weights_loaded_after_the_guard_was_made_are_what_it_goes_back_to() -> None:
    model = network()
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2))
    with torch.no_grad():
        model[0].weight.fill_(0.25)
    for step in range(4):
        guard.step(loss_of(model, step))
    while guard.counts["rolled_back"] == 0:
        guard.step(loss_of(model, 0, NAN))
    assert torch.equal(model[0].weight, torch.full_like(model[0].weight, 0.25))


def test_its_own_state() -> None:
    model, optimizer, guard = trained(30)
    guard.step(loss_of(model, 0, NAN))
    state = guard.state_dict()
    other = Guard(model, optimizer)
    other.load_state_dict(state)
    assert other.counts == guard.counts
    assert other.steps == 31
    other.step(loss_of(model, 0) * 1e6)  # the window came along
    assert other.events[-1].what == "skipped"


def test_errors() -> None:
    """Arguments of a wrong type are in guarding/test_arguments.py: beartype sees them first here."""
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    with pytest.raises(TypeError, match="optimizer: LBFGS steps by a closure"):
        Guard(model, torch.optim.LBFGS(model.parameters()))
    with pytest.raises(ValueError, match="optimizer: holds none of the model's parameters"):
        Guard(network(), optimizer)
    with pytest.raises(ValueError, match="patience: expected at least 1, got 0"):
        Guard(model, optimizer, policy=GuardPolicy(patience=0))
    with pytest.raises(ValueError, match=r"loss: expected a tensor of one element, got shape \(3,\)"):
        Guard(model, optimizer).step(torch.ones(3))
    with pytest.raises(ValueError, match="folder: expected the folder of the snapshots"):
        Guard(model, optimizer).resume()
