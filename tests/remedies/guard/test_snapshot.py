import pytest
import torch
from torch import nn

from gradreach.remedies.guard.buffers import Buffers
from gradreach.remedies.guard.run_state import RunState
from gradreach.remedies.guard.snapshot import Snapshots
from gradreach.remedies.guard.verdict import GuardState


def weight_and_snapshots(every: int) -> tuple[nn.Linear, Snapshots]:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    snapshots = Snapshots(RunState({"model": model}, torch.optim.SGD(model.parameters(), 0.1)), every)
    snapshots.take(GuardState(step=0), proved=True)
    return model, snapshots


@pytest.mark.parametrize("every", [1, 3, 20, 30])
def test_goes_back_to_the_last_that_has_proved_itself(every: int) -> None:
    """The weight is the number of good steps; after n of them the good snapshot is the last at least `proof` old."""
    model, snapshots = weight_and_snapshots(every)
    proof, expected, taken = min(every, 20), 0, []
    for step in range(1, 100):
        with torch.no_grad():
            model.weight.fill_(float(step))
        if snapshots.count():
            expected = taken[-1]
        if snapshots.due:
            snapshots.take(GuardState(step=step))
            taken.append(step)
        assert snapshots.good is not None
        assert snapshots.good.step == expected
        assert not taken or step - expected < every + proof
    assert snapshots.changed()
    assert snapshots.go_back(generators=False).step == expected
    assert float(model.weight.detach()) == expected
    assert not snapshots.changed()


def test_after_a_rollback_no_snapshot_on_trial_is_left() -> None:
    _, snapshots = weight_and_snapshots(4)
    snapshots.take(GuardState(step=4))
    snapshots.go_back(generators=False)
    assert not any(snapshots.count() for _ in range(50))
    assert snapshots.due


def test_buffers_whose_kernel_counts_no_version() -> None:
    """batch_norm writes running statistics without moving their version."""
    norm = nn.BatchNorm1d(3)
    buffers = Buffers([norm])
    buffers.keep()
    norm(torch.randn(8, 3))
    good = [b.clone() for b in norm.buffers()]
    buffers.keep()
    norm(torch.full((8, 3), float("nan")))
    assert bool(norm.running_mean.isnan().any())
    buffers.restore()
    assert all(torch.equal(a, b) for a, b in zip(good, norm.buffers(), strict=True))


def test_large_buffers_are_copied_where_they_changed() -> None:
    layer = nn.Module()
    layer.register_buffer("table", torch.zeros(300, 300))
    buffers = Buffers([layer])
    buffers.keep()
    held = layer.table
    layer.table.add_(1.0)
    buffers.keep()
    layer.table.mul_(float("nan"))
    buffers.restore()
    assert layer.table is held
    assert torch.equal(layer.table, torch.ones(300, 300))


def test_nan_where_there_was_nan_is_no_change() -> None:
    model, snapshots = weight_and_snapshots(5)
    with torch.no_grad():
        model.weight.fill_(float("nan"))
    assert snapshots.changed()
    snapshots.take(GuardState(step=1), proved=True)
    assert not snapshots.changed()


def test_a_parameter_added_since_does_not_fit() -> None:
    model, snapshots = weight_and_snapshots(5)
    assert snapshots.fit()
    model.extra = nn.Parameter(torch.ones(1))
    assert not snapshots.fit()
