"""What subnormal numbers cost: the turns in which a piece of work is timed, and the mode that each thread keeps."""

from __future__ import annotations

import threading

import pytest
import torch

from gradreach.engine.flush_cost import FlushTurns, in_turns, subnormal_product
from gradreach.engine.subnormals import are_subnormal, flushes, set_flushing, subnormal_shares
from gradreach.engine.threads import on_every_thread


class Machine:
    """A clock, and a piece of work that takes a second with subnormal numbers flushed and `slower` times that else."""

    def __init__(self, slower: float) -> None:
        self.now = 0.0
        self.slower = slower
        self.modes: list[bool] = []

    def clock(self) -> float:
        return self.now

    def work(self) -> None:
        self.modes.append(flushes())
        self.now += 1.0 if flushes() else self.slower


def modes() -> dict[int, bool]:
    """Of each thread that torch computes with, whether it takes subnormal numbers for 0."""
    seen: dict[int, bool] = {}
    on_every_thread(lambda: seen.update({threading.get_ident(): flushes()}))
    return seen


def test_each_turn_has_the_work_done_both_ways_and_the_first_way_changes() -> None:
    machine = Machine(4.0)
    took = in_turns(machine.work, most=4, seconds=100.0, clock=machine.clock)
    assert took == FlushTurns((4.0,) * 4, (1.0,) * 4)
    assert machine.modes == [False, *(False, True), *(True, False), *(False, True), *(True, False)]
    assert not flushes()


def test_no_turn_begins_that_would_end_too_late() -> None:
    machine = Machine(4.0)
    took = in_turns(machine.work, most=9, seconds=30.0, clock=machine.clock)
    assert len(took.kept) == len(took.flushed) == 5
    assert machine.now <= 30.0
    assert in_turns(machine.work, seconds=3.0, clock=machine.clock) == FlushTurns((), ())


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_what_the_work_raises_is_raised_and_each_thread_keeps_its_mode(threads: int, at: int) -> None:
    calls = 0

    def fails() -> None:
        nonlocal calls
        calls += 1
        torch.ones(2**16).mul(0.5)
        if calls == at:
            raise KeyError(at)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        was = modes()
        with pytest.raises(KeyError):
            in_turns(fails)
        assert modes() == was
        assert len(was) == threads
        assert not any(was.values())
    finally:
        torch.set_num_threads(before)


def test_the_product_meets_subnormal_numbers_alone() -> None:
    product = subnormal_product()
    assert isinstance(product, torch.Tensor)
    assert bool(are_subnormal(product).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("flushing", [False, True])
def test_subnormal_entries_are_told_from_the_bits_in_either_mode(dtype: torch.dtype, flushing: bool) -> None:
    tiny, least = torch.finfo(dtype).tiny, torch.finfo(dtype).tiny * torch.finfo(dtype).eps
    values = torch.tensor([0.0, -0.0, tiny, -tiny, least, -least, 1.0, float("inf"), float("nan")], dtype=torch.float64)
    made = values.to(dtype)
    try:
        assert set_flushing(flushing)
        assert are_subnormal(made).tolist() == [False] * 4 + [True] * 2 + [False] * 3
        assert subnormal_shares([made, made[4:6], made[:4], made[:0]]) == pytest.approx([2 / 9, 1.0, 0.0, 0.0])
    finally:
        set_flushing(False)


def test_of_other_dtypes_none_is() -> None:
    least = torch.finfo(torch.float16).tiny / 2
    assert (
        subnormal_shares([torch.full((3,), least, dtype=torch.float16), torch.ones(2, dtype=torch.int64)]) == [0.0] * 2
    )


def test_a_large_tensor_is_told_by_a_sample() -> None:
    made = torch.ones(1000, 100)
    made[:250] = 1e-40
    assert subnormal_shares([made, made.t()]) == pytest.approx([0.25, 0.25], abs=0.01)
