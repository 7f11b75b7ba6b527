from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch.optim import optimizer as optimizers

from gradreach.record.schema import Record
from gradreach.record.sinks.memory import MemorySink
from gradreach.record.sinks.recorder import Recorder
from gradreach.watch.budget import Budget
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.session import Session

Watched = Callable[..., tuple[Any, Record]]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _no_hook_stays() -> Iterator[None]:
    """Whatever a test does, no optimizer is listened to afterwards."""
    before = len(optimizers._global_optimizer_pre_hooks)
    yield
    assert len(optimizers._global_optimizer_pre_hooks) == before


@pytest.fixture
def watched() -> Watched:
    """Runs a function under watch, as `gradreach run` watches a script; returns its result and the record."""

    def run(train: Callable[[], Any], every: int | None = 1, guard: bool = False) -> tuple[Any, Record]:
        start = describe_run("test", ())
        sink = MemorySink(start)
        session = Session(Recorder(start, [sink]), Budget(0.02, every), guard=guard)
        try:
            result = train()
        finally:
            session.close()
        return result, sink.record

    return run
