"""Loops that people write around a guard: several optimizers, models that grow, weights that are spoilt already."""

from collections.abc import Callable
from math import inf, nan

import pytest
import torch
from torch import Tensor, nn
from torch.optim import lr_scheduler

from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.events import GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))


def loss_of(model: nn.Module, step: int) -> Tensor:
    x = torch.randn(16, 4, generator=torch.Generator().manual_seed(step))
    return (model(x) - x.sum(1, keepdim=True)).square().mean()


def guarded(steps: int, **arguments: object) -> tuple[nn.Sequential, torch.optim.Optimizer, Guard]:
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    guard = Guard(model, optimizer, snapshots=GuardSnapshots(every=5), **arguments)  # type: ignore[arg-type]
    for step in range(steps):
        guard.step(loss_of(model, step))
    return model, optimizer, guard


@pytest.mark.parametrize(("fault", "scale"), [(1.0, 1024.0), (nan, 1024.0), (inf, 512.0)])
@pytest.mark.parametrize("bad_first", [True, False])
def test_two_optimizers_share_a_scaler(fault: float, scale: float, bad_first: bool) -> None:
    """A NaN in the one's loss, or an overflow in its gradient, leaves the other's update as it is without a scaler."""
    one, other, plain = nn.Linear(4, 1), nn.Linear(4, 1), nn.Linear(4, 1)
    plain.load_state_dict(one.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    runs = []
    for model in (one, other):
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        runs.append((model, optimizer, Guard(model, optimizer, clip=None, scaler=scaler)))
    losses = {}
    for model, _, _ in runs:
        losses[model] = loss_of(model, 0) * (nan if model is other and fault != fault else 1.0)
        scaler.scale(losses[model]).backward()
    if fault == inf:
        assert other.weight.grad is not None
        other.weight.grad[0, 0] = inf
    for model, optimizer, guard in reversed(runs) if bad_first else runs:
        if guard.before_step(losses[model]):
            scaler.step(optimizer)
    scaler.update()
    loss_of(plain, 0).backward()
    torch.optim.SGD(plain.parameters(), 0.1).step()
    assert torch.allclose(one.weight, plain.weight)
    assert scaler.get_scale() == scale
    assert runs[1][2].skipped == (fault != 1.0)


def test_the_scale_falls_in_a_loop_that_updates_after_sound_steps_alone() -> None:
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
    guard = Guard(model, optimizer, scaler=scaler)
    for step in range(20):
        loss = loss_of(model, step)
        scaler.scale(loss).backward()
        assert model.weight.grad is not None
        if scaler.get_scale() > 2.0**10:
            model.weight.grad.fill_(inf)
        if guard.before_step(loss):
            scaler.step(optimizer)
            scaler.update()
    assert scaler.get_scale() == 2.0**10
    assert guard.counts["good"] > 5


def grown(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    model.append(nn.Linear(1, 1))
    optimizer.add_param_group({"params": model[3].parameters()})


def outside(model: nn.Sequential, optimizer: torch.optim.Optimizer) -> None:
    optimizer.add_param_group({"params": nn.Linear(1, 1).parameters()})


def in_the_model_alone(model: nn.Sequential, _: torch.optim.Optimizer) -> None:
    model.append(nn.Linear(1, 1))


@pytest.mark.parametrize(("change", "rollbacks"), [(grown, 1), (outside, 1), (in_the_model_alone, 0)])
def test_parameters_that_come_later(change: Callable[..., None], rollbacks: int) -> None:
    """They begin a new snapshot: at once where the optimizer has them, else at the latest where one is asked for."""
    model, optimizer, guard = guarded(7)
    change(model, optimizer)
    guard.step(loss_of(model, 7))
    for step in range(3):
        guard.step(loss_of(model, step) * nan)
    assert guard.counts["skipped"] == 3
    assert guard.counts["rolled_back"] == rollbacks
    for step in range(12):
        guard.step(loss_of(model, step))
    for step in range(3):
        guard.step(loss_of(model, step) * nan)
    assert guard.counts["rolled_back"] == rollbacks + 1


def until_it_gives_up(step: Callable[[int], object]) -> None:
    for number in range(100):
        step(number)


def test_a_model_that_is_not_finite_from_the_start_is_said_and_given_up() -> None:
    model = network()
    with torch.no_grad():
        model[0].weight[0, 0] = nan
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2), policy=GuardPolicy(limit=6))
    with pytest.raises(GaveUp, match=r"at step 5: .*model.0.weight held values .* not finite .*nothing to undo"):
        until_it_gives_up(lambda step: guard.step(loss_of(model, step)))
    assert guard.counts["rolled_back"] == 0
    assert "model.0.weight held values that are not finite when the guard began" in guard.events[0].why


def test_giving_up_after_sound_steps_names_no_bad_one() -> None:
    model, _, guard = guarded(0)

    def spoil_and_step(step: int) -> None:
        if step % 5 == 3:
            model[0].weight.data[0, 0] = inf  # tanh saturates: loss and gradient stay finite
        guard.step(loss_of(model, step))

    with pytest.raises(GaveUp) as error:
        until_it_gives_up(spoil_and_step)
    assert "since step" not in str(error.value)
    assert guard.counts["rolled_back"] == 3


def test_weights_are_looked_at_between_snapshots_and_the_step_counts_as_skipped() -> None:
    model = network()
    guard = Guard(model, torch.optim.Adam(model.parameters(), 1e-2), snapshots=GuardSnapshots(every=1000))
    for step in range(40):
        assert not guard.skipped
        if step == 25:
            model[0].weight.data[0, 0] = inf
        guard.step(loss_of(model, step))
    assert guard.skipped
    assert [(event.step, event.what) for event in guard.events] == [(39, "rolled back")]
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_a_schedule_in_keep_does_not_undo_a_lowered_rate() -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
    guard = Guard(
        model, optimizer, policy=GuardPolicy(lower_lr=0.5), snapshots=GuardSnapshots(keep={"epochs": schedule})
    )
    guard.step(loss_of(model, 0))
    for _ in range(3):
        guard.step(loss_of(model, 0) * nan)
    assert guard.counts["rolled_back"] == 1
    optimizer.step()
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_its_clip_can_be_read() -> None:
    _, _, guard = guarded(5, clip=0.5)
    assert guard.clip is not None
    assert len(guard.clip.curve.norm) == 5
    model = network()
    clip = Clip(model, 1.0)
    assert Guard(model, torch.optim.SGD(model.parameters(), 0.1), clip).clip is clip
    assert Guard(model, torch.optim.SGD(model.parameters(), 0.1), None).clip is None
