"""Clipping calls that limit nothing, told from those that may, by the place where they stand."""

from __future__ import annotations

from dataclasses import replace

from gradreach.facts.facts import Facts
from gradreach.facts.idle_clip import heeded, idle_clip
from gradreach.record.schema import Step
from tests.records.parts import record, steps


def called(late: bool, seen: float | None, count: int = 30, first_late: bool = False) -> tuple[Step, ...]:
    """Steps of norm 2 under a threshold of 1, whose clipping call saw a norm; of the first the place is not known."""
    made = steps(count, norm=lambda _: 2.0, threshold=1.0, clip="norm", pre_clip=seen)
    return tuple(replace(step, late=late and (first_late or step.step > 0)) for step in made)


def test_a_call_after_the_update_is_idle_whatever_it_sees() -> None:
    blind, seeing = idle_clip(called(True, 0.0)), idle_clip(called(True, 2.0))
    assert blind is not None
    assert seeing is not None
    assert (blind.place, seeing.place, blind.threshold, blind.norm, blind.over) == ("cleared", "updated", 1.0, 2.0, 1.0)
    assert seeing.calls == 29


def test_a_call_that_sees_none_of_the_gradient_there_is_is_idle() -> None:
    found = idle_clip(called(False, 0.0))
    assert found is not None
    assert found.place == "elsewhere"
    unmeasured = [replace(step, norm=None) for step in called(False, 0.0)]
    assert idle_clip(unmeasured) is None, "a gradient of 0 may be all there is"


def test_a_call_in_its_place_is_none() -> None:
    assert idle_clip(called(False, 2.0)) is None
    assert idle_clip(called(True, 2.0, count=9)) is None, "too few"
    mixed = [*called(False, 2.0, 30), *called(True, 2.0, 30)]
    assert idle_clip(mixed) is None


def test_what_limits_nothing_counts_as_no_clipping_anywhere() -> None:
    facts = Facts(record(called(True, 2.0)))
    assert not any(step.clip or step.threshold or step.late for step in facts.steps)
    assert (facts.clipping.threshold, facts.clipping.rate, facts.clipping.idle) == (None, None, True)
    assert facts.norm_median == 2.0
    one = called(True, 2.0)[1]
    assert [step.clip for step in heeded([*called(False, 2.0, 20), one])] == ["norm"] * 20 + [""]


def test_a_limit_on_each_value_may_be_idle_too() -> None:
    by_value = [replace(step, clip="value") for step in called(True, None)]
    found = idle_clip(by_value)
    assert found is not None
    assert (found.kind, found.place) == ("value", "updated")
    assert idle_clip([replace(step, late=False) for step in by_value]) is None
