"""Processes that the program starts by multiprocessing: each that trains is watched, and runs as it would without."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest

from gradreach.record.store import CHILDREN, children, rank_file, ranks, read
from tests import forked

TRAINING = """
import multiprocessing, os, sys
import torch

def train(seed, fails=False):
    torch.manual_seed(seed)
    model = torch.nn.RNN(3, 8)
    for step in range(6):
        loss = model(torch.randn(5, 2, 3))[0].square().mean()
        loss.backward()
        if fails and step == 4:
            raise ValueError("as it would")
    os.write(1, f"{float(loss.detach()):.17g} {torch.rand(1).item()}\\n".encode())

if __name__ == "__main__":
    context = multiprocessing.get_context(sys.argv[1])
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    return tmp_path / "script.py"


def watched_and_not(script: Path, does: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run it both ways, see that it did the same, and return the watched one."""
    script.write_text(TRAINING + textwrap.indent(textwrap.dedent(does), "    "))
    plain = forked.run(script, *args, cwd=script.parent)
    seen = forked.run("-m", "gradreach", "run", "--out", "out", script, *args, cwd=script.parent)
    assert (seen.returncode, sorted(seen.stdout.split("\n"))) == (plain.returncode, sorted(plain.stdout.split("\n")))
    assert seen.stderr.startswith(plain.stderr.replace("\r", "")) or not plain.stderr
    return seen


ONE = """
    child = context.Process(target=train, args=(1,))
    child.start()
    child.join()
    print(child.exitcode)
"""


def test_a_forked_child_that_trains_is_reported_on(script: Path) -> None:
    seen = watched_and_not(script, ONE, "fork")
    record = read(script.parent / "out")
    assert [step.step for step in record.steps] == list(range(6))
    assert record.outcome.how == "finished"
    assert record.looks[0].time[0].module == "model"
    assert "6 steps" in seen.stderr


@pytest.mark.slow(8, "starts processes that import torch")
def test_a_spawned_child_that_trains_is_reported_on(script: Path) -> None:
    watched_and_not(script, ONE, "spawn")
    assert len(read(script.parent / "out").steps) == 6


def test_each_child_that_trains_by_itself_has_its_record(script: Path) -> None:
    seen = watched_and_not(
        script,
        """
        workers = [context.Process(target=train, args=(seed, seed == 2)) for seed in (1, 2)]
        for each in workers:
            each.start()
            each.join()
        """,
        "fork",
    )
    out = script.parent / "out"
    first, (second,) = read(out), children(out)
    assert (first.outcome.how, read(second).outcome.how) == ("finished", "raised")
    assert f"gradreach report out/{CHILDREN}/{second.name}" in seen.stderr


def test_a_program_that_trains_itself_keeps_its_record(script: Path) -> None:
    watched_and_not(script, "train(0)\n" + textwrap.dedent(ONE), "fork")
    out = script.parent / "out"
    assert read(out).run.pid != read(children(out)[0]).run.pid


def test_workers_that_load_data_are_none(script: Path) -> None:
    watched_and_not(
        script,
        """
        data = torch.utils.data.DataLoader(torch.ones(6, 4), num_workers=2, multiprocessing_context=context)
        model = torch.nn.Linear(4, 1)
        for x in data:
            model(x).mean().backward()
        """,
        "fork",
    )
    assert not (script.parent / "out" / CHILDREN).exists()
    assert len(read(script.parent / "out").steps) == 6


def test_no_child_is_watched_where_that_is_asked_for(script: Path) -> None:
    script.write_text(TRAINING + textwrap.indent(textwrap.dedent(ONE), "    "))
    forked.run("-m", "gradreach", "run", "--no-children", "--out", "out", script, "fork", cwd=script.parent)
    assert not (script.parent / "out" / CHILDREN).exists()


TOGETHER = """
import os, sys, torch

def main(rank, meeting):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 1))
    for step in range(5):
        loss = model(torch.full((2, 4), rank + 1.0)).square().mean()
        loss.backward()
    torch.distributed.destroy_process_group()

if __name__ == "__main__":
    torch.multiprocessing.spawn(main, (sys.argv[1],), nprocs=2)
"""


@pytest.mark.slow(12, "starts two processes that import torch and meet")
def test_children_that_train_together_are_ranks_of_one_report(script: Path) -> None:
    script.write_text(TOGETHER)
    meeting = script.parent / "meeting"
    seen = forked.run("-m", "gradreach", "run", "--out", "out", script, meeting, cwd=script.parent)
    out = script.parent / "out"
    assert seen.returncode == 0, seen.stderr
    assert ranks(out) == (0, 1)
    one, other = (read(rank_file(out, rank)) for rank in (0, 1))
    assert (one.run.rank, other.run.rank, one.run.world_size) == (0, 1, 2)
    assert [step.norm for step in one.steps] == [step.norm for step in other.steps]
    assert [step.loss for step in one.steps] != [step.loss for step in other.steps]
