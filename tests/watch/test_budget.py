"""The budget is kept on a clock of our own making: seconds are told, never taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.watch.budget import WARM_UP, Budget


def _run(budget: Budget, steps: int, plain: float, norm: float, look: float) -> list[int]:
    """Steps of `plain` seconds; a measured one costs `norm` more, a watched one `look`. Returns the watched steps."""
    watched = []
    at = 0
    watching = budget.may_look()
    while at < steps:
        if watching:
            watched.append(at)
            budget.look(0, plain + look, plain + look, look)
            at += 1
        else:
            many = min(budget.norm_every, steps - at)
            budget.plain(0, many, many * plain + norm, norm)
            at += many
        watching = budget.may_look()
    return watched


@pytest.mark.slow(8, "plays a hundred long runs")
@given(
    plain=st.floats(1e-4, 10.0),
    norm=st.floats(1e-5, 1e-3),
    look=st.floats(1.0, 20.0),
    share=st.sampled_from([0.005, 0.02, 0.1]),
)
def test_overhead_stays_within_the_budget_past_the_warm_up(
    plain: float, norm: float, look: float, share: float
) -> None:
    budget = Budget(share)
    _run(budget, 6000, plain, norm, look * plain)
    slack = 1.0 + (97 + 25) / 6000 + (norm / (97 * plain * share) if norm > 97 * plain * share else 0.0)
    assert budget.measured() <= share * slack


def test_the_first_look_comes_at_once_and_three_more_in_the_warm_up() -> None:
    assert _run(Budget(0.02), WARM_UP, 1.0, 1e-4, 0.01) == [0, 2, 10, 30]


def test_a_dear_look_waits_for_a_longer_run() -> None:
    """After n looks of c seconds another one comes when (n + 1.3) c fits into a quarter of the time, or 0.5 s."""
    assert _run(Budget(0.02), WARM_UP, 1.0, 1e-4, 6.0) == [0]
    assert _run(Budget(0.02), WARM_UP, 1.0, 1e-4, 1.0) == [0, 9, 12, 30]
    assert _run(Budget(0.02), WARM_UP, 1e-2, 1e-5, 0.1) == [0, 2, 10, 30]


def test_what_a_replay_needs_is_kept_of_every_step_where_steps_are_long_enough() -> None:
    for seconds, kept in ((1e-3, False), (10e-3, True)):
        budget = Budget(0.02)
        assert not budget.may_keep()
        for _ in range(3):
            budget.plain(0, 1, seconds, 1e-4, 1e-5)
        assert budget.may_keep() == kept


def test_looks_go_on_as_long_as_there_is_credit() -> None:
    watched = _run(Budget(0.02), 4000, 0.01, 1e-5, 0.02)
    late = [step for step in watched if step > 3000]
    assert len(late) >= 5


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
