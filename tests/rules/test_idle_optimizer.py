"""GR306 of an optimizer none of whose parameters ever has a gradient."""

from __future__ import annotations

from dataclasses import replace

from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import at, chain, record, steps
from tests.records.speaking import unmoved
from tests.rules.judging import codes, findings, the

IDLE = OptimizerSteps(1, (), (), 0.0, idle=6)


def test_it_is_an_error_where_nothing_else_steps() -> None:
    found = the(record(steps(), at(*chain(2), stepped=IDLE)), "GR306")
    assert (found.severity, found.evidence["parameters"]) == ("error", 6)
    assert [remedy.id for remedy in found.remedies] == ["same-weights"]


def test_beside_one_that_trains_it_is_a_warning() -> None:
    beside = replace(IDLE, steps=2, held=("model.0.weight",), rate=0.1)
    assert the(record(steps(), at(*chain(2), stepped=beside)), "GR306").severity == "warning"


def test_one_that_has_a_gradient_now_and_then_and_few_looks_are_quiet() -> None:
    looks = at(*chain(2), stepped=IDLE)
    trains = replace(IDLE, idle=0, held=("model.0.weight",))
    assert "GR306" not in codes(record(steps(), (*looks[:3], replace(looks[3], stepped=trains))))
    assert "GR306" not in codes(record(steps(), looks[:2]))


def test_a_model_that_ran_without_a_gradient_is_told_in_its_place() -> None:
    lost = at(*chain(2), stepped=IDLE, without_gradient=("model.0.weight", "model.0.bias"))
    told = [each for each in findings(record(steps(), lost)) if each.code == "GR306"]
    assert told
    assert all(remedy.id != "same-weights" for each in told for remedy in each.remedies)


def test_beside_weights_that_no_optimizer_was_given_it_is_told_with_these() -> None:
    stale = record(steps(), unmoved(IDLE))
    assert "GR306" not in codes(stale)
    found = the(stale, "GR309")
    assert found.severity == "error"
    assert "one steps 6 other parameters, none of which ever has a gradient" in found.because
    assert [remedy.id for remedy in found.remedies] == ["hand-over", "same-weights", "freeze"]


def test_weights_that_no_optimizer_was_given_are_told_without_one_that_is_idle() -> None:
    other = replace(IDLE, idle=0, held=("model.other.weight",), rate=0.1)
    assert [remedy.id for remedy in the(record(steps(), unmoved(other)), "GR309").remedies] == ["hand-over", "freeze"]
