"""Whether gradients of several passes are summed for one update."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.summed_passes import SummedPasses
from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import at, record, steps

STEPPED = OptimizerSteps(1, ("model.0.weight",), (), 0.1)
STAYED = OptimizerSteps(0, (), (), 0.0, left=("model.0.weight",))
DISCARDED = OptimizerSteps(0, (), (), 0.0, is_discarded=True)


def summed(*looks: tuple[OptimizerSteps | None, int]) -> SummedPasses | None:
    seen = [look for i, (stepped, count) in enumerate(looks) for look in at(stepped=stepped, count=count, start=50 * i)]
    return Facts(record(steps(), seen)).seen.summed_passes


def test_updates_that_follow_few_passes() -> None:
    assert summed((STAYED, 7), (STEPPED, 1)) == SummedPasses(1, 8)
    assert summed((STAYED, 3), (STEPPED, 3)) == SummedPasses(3, 6)


def test_an_update_for_each_pass() -> None:
    assert summed((STEPPED, 8)) is None
    assert summed((STEPPED, 6), (STAYED, 2)) is None, "a step that was skipped"


def test_what_is_not_known() -> None:
    assert summed((STAYED, 8)) is None, "nothing steps that torch tells of"
    assert summed((STAYED, 3), (STEPPED, 1)) is None, "too few"
    assert summed((None, 8)) is None


def test_gradients_that_are_thrown_away_are_not_summed() -> None:
    assert summed((DISCARDED, 6), (STEPPED, 2)) is None
