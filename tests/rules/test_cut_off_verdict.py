"""GR617: a model that is judged by another one that is given its output without a graph."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import at, record, steps
from tests.records.speaking import cut_off
from tests.rules.judging import codes, not_judged, the


def test_the_source_the_judge_and_the_remedy_are_named() -> None:
    found = the(record(steps(), cut_off()), "GR617")
    assert (found.severity, found.where["module"], found.evidence["judge"]) == ("warning", "gen", "critic")
    assert found.because.startswith("`gen` learns nothing from `critic`")
    assert [(each.id, each.do.split("(")[0]) for each in found.remedies] == [("uncut-output", "critic")]


def test_a_judge_that_the_step_moves_is_silent() -> None:
    both = OptimizerSteps(1, ("gen.out.weight", "critic.out.weight"), (), 1e-3)
    looks = tuple(replace(look, stepped=both) for look in cut_off())
    assert "GR617" not in codes(record(steps(), looks))


def test_a_judge_that_no_other_line_trains_is_silent() -> None:
    looks = tuple(look for look in cut_off() if look.site == 0)
    assert "GR617" not in codes(record(steps(), looks))


def test_one_look_that_hands_it_over_whole_is_silent() -> None:
    first, *rest = cut_off()
    assert "GR617" not in codes(record(steps(), (replace(first, cut_outputs=()), *rest)))


def test_a_judge_without_a_gradient_is_silent() -> None:
    looks = tuple(replace(look, depth=look.depth[:1]) if look.site == 0 else look for look in cut_off())
    assert "GR617" not in codes(record(steps(), looks))


def test_few_looks_are_not_judged() -> None:
    assert "GR617" in not_judged(record(steps(), at(count=3)))
