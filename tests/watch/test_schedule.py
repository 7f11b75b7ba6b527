"""Which steps have their norm taken, where several ranks hold parts of it and each has a clock of its own."""

from __future__ import annotations

import pytest

from gradreach.watch.budget import Budget
from gradreach.watch.schedule import COMMON_PERIODS, Schedule


def steps_of_norms(norm_every: int, passes: int, steps: int) -> set[int]:
    """The steps of so many, from 0, that are measured by a rank whose budget takes each so-manieth norm."""
    schedule = Schedule(Budget(0.02))
    schedule.is_shared = True
    schedule.budget.norm_every = norm_every
    count, found = 0, set[int]()
    for step in range(steps):
        for part in range(passes):
            count += 1
            if schedule.measures(count, goes_on=part > 0):
                found.add(step)
                schedule.due = schedule._next_norm(count, passes)
    return found


@pytest.mark.parametrize("passes", [1, 4])
def test_the_steps_of_the_slowest_rank_are_measured_by_all(passes: int) -> None:
    per_rank = [steps_of_norms(every, passes, 200) for every in (1, 2, 3, 5, 7, 11, 17, 23)]
    common = set.intersection(*per_rank)
    assert common == min(per_rank, key=len)
    assert len(common) == 200 / COMMON_PERIODS[-1]
    assert per_rank[0] == set(range(200))
