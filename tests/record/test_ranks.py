"""Records of several ranks, of which each has measured its part of sharded gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gradreach.record.entries import Sharding
from gradreach.record.schema import Step
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file, read
from tests.records.parts import run


def write(folder: Path, rank: int, parts: dict[int, float | None], over: tuple[int, ...] = (0, 1)) -> None:
    sink = SqliteSink(rank_file(folder, rank), replace(run(), rank=rank, world_size=len(over)))
    sink.write(Sharding(over))
    for step, part in parts.items():
        sink.write(Step(step, 0.1 * step, 0, loss=1.0, part=part))
    sink.close()


def test_the_global_norm_is_that_of_all_parts_on_steps_that_every_rank_measured(tmp_path: Path) -> None:
    write(tmp_path, 0, {0: 3.0, 1: 5.0, 2: 6.0, 3: float("nan")})
    write(tmp_path, 1, {0: 4.0, 1: None, 3: 1.0})
    norms = [step.norm for step in read(tmp_path).steps]
    assert norms[:3] == [5.0, None, None]
    assert norms[3] == pytest.approx(float("nan"), nan_ok=True)
    assert [step.norm for step in read(rank_file(tmp_path, 1)).steps][:2] == [5.0, None]


def test_without_another_rank_s_recording_the_norm_is_unknown_and_the_record_says_so(tmp_path: Path) -> None:
    write(tmp_path, 0, {0: 3.0})
    record = read(tmp_path)
    assert [step.norm for step in record.steps] == [None]
    assert "of rank 1 there is no recording" in record.notes[-1]


def test_ranks_of_another_mesh_are_not_asked(tmp_path: Path) -> None:
    for rank, part in enumerate((3.0, 4.0, 12.0)):
        write(tmp_path, rank, {0: part}, over=(2,) if rank == 2 else (0, 1))
    assert [read(rank_file(tmp_path, rank)).steps[0].norm for rank in range(3)] == [5.0, 5.0, 12.0]
