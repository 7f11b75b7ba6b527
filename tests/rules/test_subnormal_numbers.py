"""GR320: subnormal numbers make the step slow, by an interval over the turns in which their cost was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.statistics import median_interval
from gradreach.facts.subnormals import seconds_of_step
from gradreach.record.look import Look
from gradreach.record.schema import Record, Step
from gradreach.record.seen.subnormal import Arithmetic, SubnormalLook, SubnormalPlace
from tests.records.parts import at, record, steps
from tests.records.speaking import SLOW_ADJOINT, SLOW_PRODUCT, SLOW_STATE, SPEAKING
from tests.rules.judging import codes, not_judged, passed, the


def seen(*places: SubnormalPlace, arithmetic: Arithmetic = "kept") -> Record:
    """A run of steps of 0.01 seconds with these places at its looks."""
    return record(steps(), at(subnormals=SubnormalLook(arithmetic, places)))


def test_the_gain_is_of_the_whole_step() -> None:
    found = the(seen(SLOW_ADJOINT), "GR320")
    assert found.evidence["seconds_of_step"] == pytest.approx(0.01)
    assert found.evidence["speedup"] == pytest.approx(0.01 / (0.01 - 0.006))
    assert found.evidence["measured"] is True
    assert found.where == {"module": "model.rnn", "kind": "LSTM", "site": "train.py:20"}
    assert "2.5 times as fast (2.5 to 2.5 by the turns): this CPU" in found.because
    assert [remedy.id for remedy in found.remedies] == ["flush-subnormals"]


def test_a_part_of_the_work_gives_an_estimate() -> None:
    found = the(seen(SLOW_PRODUCT), "GR320")
    assert found.evidence["speedup"] == pytest.approx(0.01 / (0.01 - 6 * 0.0009))
    assert found.evidence["measured"] is False
    assert "by the turns, an estimate)" in found.because
    assert "of which a step does 6 times as much" in found.because
    some_rows = the(seen(replace(SLOW_ADJOINT, kept=(0.002,) * 9, flushed=(0.001,) * 9, times=4.0)), "GR320")
    assert "on one row in 4; a step takes" in some_rows.because
    assert some_rows.evidence["measured"] is False


def test_the_state_of_an_optimizer_is_named_by_its_parameter() -> None:
    found = the(SPEAKING["GR320 of a state"], "GR320")
    assert found.where["parameter"] == "model.0.weight"
    assert "the state Adam.exp_avg of `model.0.weight`" in found.because
    assert found.evidence["share"] == SLOW_STATE.share


def test_the_place_that_costs_most_is_told() -> None:
    assert the(seen(SLOW_PRODUCT, SLOW_ADJOINT), "GR320").where["module"] == "model.rnn"


def test_the_interval_must_lie_above_and_not_a_turn_or_two() -> None:
    two_slow = (*SLOW_ADJOINT.kept[:2], *(0.002,) * 7)
    assert "GR320" in passed(seen(replace(SLOW_ADJOINT, kept=two_slow)))
    all_but_one = (*SLOW_ADJOINT.kept[:8], 0.002)
    assert codes(seen(replace(SLOW_ADJOINT, kept=all_but_one))) == ["GR320"]
    all_but_two = (*SLOW_ADJOINT.kept[:7], 0.002, 0.002)
    assert "GR320" in passed(seen(replace(SLOW_ADJOINT, kept=all_but_two)))


def test_a_place_that_is_a_small_part_of_the_step_is_no_finding() -> None:
    assert "GR320" in passed(seen(replace(SLOW_ADJOINT, kept=(0.0011,) * 9, flushed=(0.0001,) * 9)))
    assert codes(seen(replace(SLOW_ADJOINT, kept=(0.0022,) * 9, flushed=(0.0001,) * 9))) == ["GR320"]


def test_no_step_takes_less_than_the_work_itself() -> None:
    longer_than_the_step = replace(SLOW_ADJOINT, kept=(0.9,) * 9, flushed=(0.02,) * 9)
    assert "GR320" in passed(seen(longer_than_the_step))


@pytest.mark.parametrize("arithmetic", ["flushed", "kept at no cost"])
def test_where_they_cost_nothing_the_rule_passes(arithmetic: Arithmetic) -> None:
    assert "GR320" in passed(seen(replace(SLOW_ADJOINT, kept=(), flushed=()), arithmetic=arithmetic))


def test_a_script_that_flushes_from_some_step_on_has_seen_to_it() -> None:
    slow, then = (SubnormalLook(arithmetic, (SLOW_ADJOINT,)) for arithmetic in ("kept", "flushed"))
    assert "GR320" in passed(record(steps(), (*at(subnormals=slow), *at(subnormals=then, start=60))))


def test_where_the_cost_is_not_known_it_is_not_judged() -> None:
    assert "GR320" in not_judged(record(steps(), at()))
    assert "GR320" in not_judged(seen(arithmetic="cannot flush"))
    assert "GR320" in not_judged(seen(replace(SLOW_ADJOINT, kept=(), flushed=())))
    few = replace(SLOW_ADJOINT, kept=SLOW_ADJOINT.kept[:5], flushed=SLOW_ADJOINT.flushed[:5])
    assert "GR320" in not_judged(seen(few))
    assert "GR320" in not_judged(record((), at(subnormals=SubnormalLook("kept", (SLOW_ADJOINT,)))))
    assert "GR320" in passed(seen())


def test_a_step_takes_what_ordinary_steps_near_it_take() -> None:
    ordinary = [Step(i, 0.01 * i if i < 100 else 1.0 + 0.05 * (i - 100), 0) for i in range(200)]
    watched = [replace(step, watched=step.step in (10, 150)) for step in ordinary]
    late = [replace(step, seconds=step.seconds + 3.0 * (step.step > 150)) for step in watched]
    assert seconds_of_step(Look(10, 0, 0.0), late) == pytest.approx(0.01)
    assert seconds_of_step(Look(150, 0, 0.0), late) == pytest.approx(0.05)
    assert seconds_of_step(Look(150, 1, 0.0), late) is None
    every_fifth = [step for step in ordinary if step.step % 5 == 0]
    assert seconds_of_step(Look(20, 0, 0.0), every_fifth) == pytest.approx(0.01)


@pytest.mark.parametrize(("n", "left_out"), [(6, 0), (8, 0), (9, 1), (11, 1), (12, 2), (25, 7)])
def test_the_interval_of_a_median_is_that_of_the_sign_test(n: int, left_out: int) -> None:
    assert median_interval([float(i) for i in reversed(range(n))]) == (left_out, n - 1 - left_out)


@given(st.lists(st.floats(-1e6, 1e6), max_size=5))
def test_few_values_give_no_interval(values: list[float]) -> None:
    assert median_interval(values) is None
