"""GR315: a call on the way to the loss whose result nothing reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.loop import DiscardedResult
from tests.records.parts import at, chain, record, steps
from tests.records.speaking import ADDED, DISCARDED
from tests.rules.judging import codes, findings, not_judged, the


def test_a_result_that_is_thrown_away_is_named_with_its_line() -> None:
    found = the(record(steps(), at(*chain(2), discarded=(DISCARDED,))), "GR315")
    assert (found.severity, found.where["module"], found.where["site"]) == ("warning", "model.positions", "train.py:12")
    assert found.because == (
        "`model.positions` (Positions) is called at train.py:12, and what it returns is thrown away: nothing of it "
        "reaches the loss. What it was given goes there all the same, in 4 looks."
    )
    assert found.remedies[0].do == "x = model.positions(x)"


def test_a_variable_that_nothing_reads_is_named() -> None:
    found = the(record(steps(), at(discarded=(replace(DISCARDED, name="h"),))), "GR315")
    assert "what it returns goes to `h`, which nothing reads: nothing of it reaches the loss." in found.because


def test_what_could_not_stand_in_its_inputs_place_is_information() -> None:
    assert the(record(steps(), at(discarded=(replace(DISCARDED, fits=False),))), "GR315").severity == "info"


def test_each_line_is_told_by_itself() -> None:
    calls = (DISCARDED, replace(DISCARDED, line="train.py:15"))
    assert len(findings(record(steps(), at(discarded=calls)))) == 2


def test_modules_at_one_line_are_told_together() -> None:
    calls = (DISCARDED, replace(DISCARDED, module="model.other"))
    found = the(record(steps(), at(discarded=calls)), "GR315")
    assert (found.where["module"], found.evidence["modules"]) == ("model.positions", 2)
    assert found.because.endswith("So it is with 1 other module at this line.")


@pytest.mark.parametrize(
    "call", [DISCARDED, DiscardedResult("model", "Net", "train.py:30")], ids=["the module", "around it"]
)
def test_weights_without_a_gradient_are_told_once(call: DiscardedResult) -> None:
    looks = at(*chain(2), discarded=(call,), without_gradient=("model.positions.weight",), count=8)
    assert "GR315" not in codes(record(steps(), looks))


def test_it_takes_three_looks() -> None:
    few = (*at(count=4), *at(discarded=(DISCARDED,), start=90, count=2))
    assert "GR315" not in codes(record(steps(), few))
    assert "GR315" in not_judged(record(steps(), at(discarded=(DISCARDED,), count=2)))


def test_an_operation_that_stands_alone_is_told_by_its_own_text() -> None:
    found = the(record(steps(), at(*chain(2), discarded_operations=(ADDED,))), "GR315")
    assert (found.severity, found.where["site"], found.evidence["variable"]) == ("warning", "model.py:23", "x")
    assert found.because == (
        "`x + self.pe[:, :x.size(1)]` at model.py:23 makes a new tensor, and nothing keeps it: what follows goes on "
        "with `x` as it was. So it was in 4 looks."
    )
    assert found.remedies[0].do == "x = x + self.pe[:, :x.size(1)]"


def test_what_works_on_a_part_of_something_is_told_without_a_variable() -> None:
    found = the(record(steps(), at(discarded_operations=(replace(ADDED, subject=""),))), "GR315")
    assert "nothing keeps it: nothing that follows has it." in found.because
    assert found.remedies[0].do == "y = x + self.pe[:, :x.size(1)]  # and go on with y"


@pytest.mark.parametrize("change", [{"fits": False}, {"is_idle": True}], ids=["another shape", "no way to the loss"])
def test_an_operation_that_may_be_there_for_something_else_is_information(change: dict[str, bool]) -> None:
    found = the(record(steps(), at(discarded_operations=(replace(ADDED, **change),))), "GR315")
    assert found.severity == "info"


def test_an_operation_takes_three_looks() -> None:
    few = (*at(count=4), *at(discarded_operations=(ADDED,), start=90, count=2))
    assert "GR315" not in codes(record(steps(), few))
