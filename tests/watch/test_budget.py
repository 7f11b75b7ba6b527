"""The budget is kept on a clock of our own making: seconds are told, never taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.watch.budget import (
    FEWEST_LOOKS,
    LEAST_AT_THE_END,
    LEAST_SECONDS,
    MOST_AT_THE_END,
    NORM_AT_LEAST,
    NORMS_AT_FIRST,
    Budget,
)
from gradreach.watch.look_plan import LookPlan


def _run(budget: Budget, steps: int, plain: float, norm: float, look: float) -> list[int]:
    """Steps of `plain` seconds; a measured one costs `norm` more, a watched one `look`. Returns the watched steps."""
    plan = LookPlan(budget.every)
    watched: list[int] = []
    unmeasured = 0
    for at in range(steps):
        if looked := plan.is_due() and budget.may_look():
            watched.append(at)
            budget.look(0, plain + look, plain + look, look)
        elif at % budget.norm_every == 0:
            budget.plain(0, 1 + unmeasured, (1 + unmeasured) * plain + norm, norm)
            unmeasured = 0
        else:
            unmeasured += 1
        plan.passed(0, looked=looked)
    return watched


@pytest.mark.slow(8, "plays a hundred long runs")
@given(
    plain=st.floats(1e-4, 10.0),
    norm=st.floats(1e-5, 1e-3),
    look=st.floats(1.0, 20.0),
    share=st.sampled_from([0.005, 0.02, 0.1]),
)
def test_looks_and_norms_stay_within_what_they_may_take(plain: float, norm: float, look: float, share: float) -> None:
    budget = Budget(share)
    steps = 6000
    looks = len(_run(budget, steps, plain, norm, look * plain)) * look * plain
    advance = max(LEAST_SECONDS, FEWEST_LOOKS * look * plain)
    assert looks <= max(advance, share * (steps * plain + budget._spent)) + 1.3 * look * plain
    norms = (budget._spent - looks) / (steps * plain)
    assert norms <= 1.1 * max(0.4 * share, norm / plain / NORM_AT_LEAST) + norm / plain * NORMS_AT_FIRST / steps


def test_cheap_looks_come_as_planned_on_fast_and_slow_machines_alike() -> None:
    watched = [_run(Budget(0.02), 600, plain, plain / 20, 4 * plain) for plain in (1e-3, 5e-3, 2e-2)]
    assert watched[0] == watched[1] == watched[2]
    assert watched[0][:6] == [0, 2, 10, 30, 37, 46]
    assert watched[0][-1] >= 0.8 * 600


def test_dear_looks_wait_once_they_took_more_than_their_advance() -> None:
    watched = _run(Budget(0.02), 600, 1.0, 1e-3, 4.0)
    assert watched[:FEWEST_LOOKS] == [0, 2, 10, 30]
    assert len(watched) == FEWEST_LOOKS, "they took more than 0.02 of 600 s"


@pytest.mark.parametrize("plain", [1e-2, 1e-1, 1.0])
def test_the_budget_holds_from_the_first_step_on(plain: float) -> None:
    """Of the whole run, its first steps included, once it has paid for the advance; a look takes as long as a step."""
    budget = Budget(0.02)
    steps = int(1.2 * max(LEAST_SECONDS, FEWEST_LOOKS * plain) / 0.02 / plain)
    watched = _run(budget, steps, plain, plain / 500, plain)
    assert budget.whole() <= 0.02
    assert len(watched) >= FEWEST_LOOKS


def test_what_is_asked_at_the_end_takes_its_share_of_a_run_too() -> None:
    budget = Budget(0.02)
    for steps, allowed in ((10, LEAST_AT_THE_END), (1000, 20.2), (10_000, MOST_AT_THE_END)):
        budget.plain(0, steps, float(steps), 0.0)
        assert budget.at_the_end() == pytest.approx(allowed)


def test_a_crowded_machine_is_looked_at_on_the_same_steps() -> None:
    """Eight processes to a core: each look takes eight times as long, and the process works in an eighth of it."""
    alone, crowded = Budget(0.02), Budget(0.02)
    for _ in range(12):
        alone.look(0, 1.0, 1.0, 0.7)
        crowded.look(0, 8.0, 8.0, 5.6, at_work=1 / 8)
        assert alone.may_look() == crowded.may_look()
    assert crowded.whole() == pytest.approx(alone.whole()), "what is told of is the time that was waited"


@pytest.mark.parametrize("steps", [10, 50, 333, 1000, 4000, 30_000])
def test_a_long_run_has_a_look_in_its_last_fifth(steps: int) -> None:
    watched = _run(Budget(0.02), steps, 1.5e-3, 5e-5, 3e-3)
    assert watched[-1] >= 0.8 * (steps - 1) or steps < 38


def test_each_step_has_its_norm_at_first_and_few_where_steps_are_short() -> None:
    budget = Budget(0.02)
    _run(budget, NORMS_AT_FIRST, 1e-3, 2e-4, 1e-3)
    assert budget.norm_every == 1
    _run(budget, 3000, 1e-3, 2e-4, 1e-3)
    assert budget.norm_every == NORM_AT_LEAST


def test_every_watches_each_nth_step() -> None:
    assert _run(Budget(0.02, every=5), 23, 1.0, 1e-4, 50.0) == [0, 5, 10, 15, 20]


def test_a_look_costs_what_it_takes_longer_than_ordinary_steps() -> None:
    budget = Budget(0.02)
    for _ in range(5):
        budget.plain(0, 1, 1.0, 0.001)
    assert budget.look(0, 3.0, 3.0, 0.5) == pytest.approx(2.0, abs=0.01)
    assert budget.look(0, 1.1, 1.1, 0.5) == pytest.approx(0.5)


def test_a_pause_before_a_look_is_not_the_looks() -> None:
    budget = Budget(0.02)
    for _ in range(5):
        budget.plain(0, 1, 1.0, 0.001)
    assert budget.look(0, 60.0, 1.1, 0.2) == pytest.approx(0.2)


@pytest.mark.parametrize("share", [0.0, -1.0, 1.5, float("nan")])
def test_a_share_outside_its_range(share: float) -> None:
    with pytest.raises(ValueError, match="budget must be a share"):
        Budget(share)


def test_a_number_of_steps_under_one() -> None:
    with pytest.raises(ValueError, match="every must be"):
        Budget(0.02, 0)
