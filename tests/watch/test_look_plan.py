from __future__ import annotations

from itertools import cycle, islice

from hypothesis import given
from hypothesis import strategies as st

from gradreach.watch.look_plan import FIRST, LookPlan, next_look


def _looks(lines: list[int]) -> list[tuple[int, int]]:
    """The looks of a run whose passes come from these lines: the pass's number, and its line."""
    plan = LookPlan()
    looks = []
    for number, line in enumerate(lines):
        if looked := plan.is_due():
            looks.append((number, line))
        plan.passed(line, looked=looked)
    return looks


@given(last=st.integers(FIRST[-1], 10**7))
def test_the_next_look_comes_within_a_quarter_and_within_a_hundredth_late_in_a_run(last: int) -> None:
    after = next_look(last)
    assert last < after <= last * 1.25
    assert after - last <= max(1000, last / 100)


@given(steps=st.integers(38, 5000))
def test_one_line_is_looked_at_in_the_last_fifth(steps: int) -> None:
    looks = _looks([0] * steps)
    assert [number for number, _ in looks[:4]] == list(FIRST)
    assert looks[-1][0] >= 0.8 * (steps - 1)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_every_line_of_a_period_is_looked_at_late_in_the_run(period: list[int]) -> None:
    lines = list(islice(cycle(period), 600))
    looks = _looks(lines)
    for line in set(period):
        assert max(number for number, looked in looks if looked == line) >= 0.75 * len(lines)
    assert len(looks) <= 40 * len(set(period))


@given(st.lists(st.integers(0, 1), min_size=400, max_size=400))
def test_lines_in_no_order_are_looked_at_all_the_same_and_not_too_often(lines: list[int]) -> None:
    looks = _looks(lines)
    assert looks[-1][0] >= 0.6 * len(lines)
    assert len(looks) <= 80


def test_every_nth_pass_whatever_its_line() -> None:
    plan = LookPlan(5)
    seen = []
    for number in range(23):
        if looked := plan.is_due():
            seen.append(number)
        plan.passed(number % 3, looked=looked)
    assert seen == [0, 5, 10, 15, 20]
