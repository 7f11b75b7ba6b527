"""Runs that are really killed and really started again, as processes of their own."""

import signal
import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn

from gradreach.remedies.guard import checkpoint
from gradreach.remedies.guard.guard import Guard
from gradreach.remedies.guard.options import GuardSnapshots
from tests import forked

SCRIPT = Path(__file__).with_name("restarting.py")


def script(folder: Path, steps: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forked.run(SCRIPT, folder, str(steps), *arguments)


def outcome(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.slow(3, "trains in processes of their own")
def test_after_a_rollback_the_run_is_bit_by_bit_the_one_restarted_from_the_snapshot(tmp_path: Path) -> None:
    """The fault strikes at 51 to 53; the snapshot of step 20 is the good one, that of step 40 is on trial."""
    rolled_back = script(tmp_path, 55, "--nan")
    assert "rolled back: to the snapshot after 20 steps" in rolled_back.stderr
    restarted = outcome(script(tmp_path, 55))
    assert restarted[0] == "20"
    assert outcome(rolled_back)[1] == restarted[1]


@pytest.mark.slow(3, "trains in processes of their own")
def test_a_kill_while_the_snapshot_is_written_loses_nothing(tmp_path: Path) -> None:
    undisturbed = outcome(script(tmp_path / "undisturbed", 90))
    killed = script(tmp_path / "run", 90, "--die-at", "40")
    assert killed.returncode == -signal.SIGKILL
    left = sorted(entry.name[:14] for entry in (tmp_path / "run").iterdir())
    assert left == [".rank0of1.writ", "step0000000020"]
    again = outcome(script(tmp_path / "run", 90))
    assert again == ["20", undisturbed[1]]


def run(folder: Path, steps: int, factor: float = 1.0) -> tuple[nn.Module, Guard]:
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2), snapshots=GuardSnapshots(5, folder))
    guard.resume()
    for _ in range(steps):
        guard.step(factor * model(torch.randn(8, 4)).square().mean())
    return model, guard


def test_a_torn_file_is_left_out_and_said(tmp_path: Path) -> None:
    _, guard = run(tmp_path, 30)
    newest = checkpoint.Checkpoints(tmp_path, 0, 1).newest()
    assert newest is not None
    newest.write_bytes(newest.read_bytes()[:100])
    _, guard = run(tmp_path, 0)
    assert guard.steps == 20
    assert [event.what for event in guard.events] == ["left out", "resumed"]


def test_a_folder_that_cannot_be_written_to_does_not_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.os, "fsync", full)
        model, guard = run(tmp_path, 40)
        assert [event.what for event in guard.events] == ["not written"]  # once
        assert "No space left on device" in guard.events[0].why
        before = model.weight.detach().clone()
        for _ in range(3):
            guard.step(model(torch.randn(8, 4)).sum() * float("nan"))
        assert guard.counts["rolled_back"] == 1
        assert not torch.equal(before, model.weight)
    for _ in range(15):
        guard.step(model(torch.randn(8, 4)).square().mean())
    assert checkpoint.Checkpoints(tmp_path, 0, 1).newest() is not None


def test_a_full_folder_is_not_begun_anew_by_mistake(tmp_path: Path) -> None:
    run(tmp_path, 30)
    model = nn.Linear(4, 1)
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2), snapshots=GuardSnapshots(folder=tmp_path))
    with pytest.raises(ValueError, match=r"folder: holds a snapshot, .*; call guard.resume\(\) first"):
        guard.step(model(torch.randn(8, 4)).square().mean())


def test_a_snapshot_of_another_model_changes_nothing(tmp_path: Path) -> None:
    run(tmp_path, 30)
    model = nn.Linear(4, 2)
    before = model.weight.detach().clone()
    guard = Guard(model, torch.optim.SGD(model.parameters(), 1e-2), snapshots=GuardSnapshots(folder=tmp_path))
    with pytest.raises(ValueError, match=r"does not fit: model 'model': 'weight' has the shape \(2, 4\), in the snap"):
        guard.resume()
    assert torch.equal(before, model.weight)
    assert guard.steps == 0


def test_what_could_not_be_read_back_is_refused_at_once(tmp_path: Path) -> None:
    class Loader:
        def state_dict(self) -> dict[str, object]:
            return {"where": Path("a type of one's own")}

        def load_state_dict(self, state: dict[str, object]) -> None: ...

    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), 1e-2)
    Guard(model, optimizer, snapshots=GuardSnapshots(keep={"data": Loader()}))
    with pytest.raises(TypeError, match=r"keep\['data'\]: its state_dict cannot be written to `folder` and read back"):
        Guard(model, optimizer, snapshots=GuardSnapshots(folder=tmp_path, keep={"data": Loader()}))
