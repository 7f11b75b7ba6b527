"""GR707: recurrent layers that the loss reads after their first step alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradreach.facts.facts import Facts
from gradreach.facts.time import share_reached
from gradreach.record.kinds import LOOP
from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import TimeLook
from gradreach.record.seen.zero_gradient import ZeroGradient
from gradreach.report.report import Report
from tests.records.parts import at, first_step, flat, record, steps, time_look, zero_gradient
from tests.rules.judging import codes, findings, not_judged, the

LATER = time_look(T=20)
REVERSE = first_step(direction="reverse")
TO_ITS_END = replace(LATER, direction="reverse", local_error=LATER.local_error[::-1])
RECURRENT = zero_gradient("model.rnn.weight_hh_l0", why="unknown", module="model.rnn", operation="mkldnn_rnn_layer")


def answer(made: Record) -> str:
    return next(each.answer for each in Report.of(made).answers if "vanishing" in each.question)


def test_the_first_step_alone() -> None:
    found = the(record(steps(), at(first_step(), zero_gradient=(RECURRENT,))), "GR707")
    assert (found.severity, found.where["module"], found.evidence["T"]) == ("warning", "model.rnn", 20)
    assert found.because == (
        "the loss reads `model.rnn` (LSTM) after the first of 20 steps alone: what it is given at the other 19 never "
        "reaches the loss through it. Its recurrent weights, which have work from the second step on, get a gradient "
        "of 0."
    )
    assert [each.do.splitlines()[:2][1][:15] for each in found.remedies] == ["state = h_n[-1]"]


def test_it_is_an_error_where_the_loss_does_not_fall() -> None:
    assert the(record(steps(400, loss=flat), at(first_step())), "GR707").severity == "error"
    beside = at(time_look("model.other"), first_step())
    assert the(record(steps(400, loss=flat), beside), "GR707").severity == "warning"


def test_its_recurrent_weights_are_no_zero_gradient_of_their_own() -> None:
    def told(group: ZeroGradient, *layers: TimeLook) -> bool:
        return "GR307" in codes(record(steps(), at(*layers, zero_gradient=(group,), count=8)))

    assert not told(RECURRENT, first_step())
    assert told(RECURRENT, LATER, REVERSE)
    assert told(replace(RECURRENT, parameters=(*RECURRENT.parameters, "model.rnn.weight_ih_l0")), first_step())
    assert not told(replace(RECURRENT, parameters=("model.rnn.weight_hh_l0_reverse",)), LATER, REVERSE)
    assert not told(replace(RECURRENT, parameters=("model.cell.weight_hh",)), first_step("model.cell", kind="GRUCell"))


def test_a_stack_is_told_once_by_its_top() -> None:
    layers = at(first_step(), first_step(layer=1))
    assert [f.where["module"] for f in findings(record(steps(), layers)) if f.code == "GR707"] == ["model.rnn"]
    modules = at(first_step("model.low"), first_step("model.top"))
    found = the(record(steps(), modules), "GR707")
    assert found.where["module"] == "model.top"
    assert found.because.endswith("So it is in `model.low`, which ran before it.")


def test_below_a_top_that_is_read_first_both_directions_are_only_what_it_makes_of_them() -> None:
    low = (first_step("model.low"), replace(first_step("model.low"), direction="reverse"))
    assert the(record(steps(), at(*low, first_step("model.top"))), "GR707").where["module"] == "model.top"


@pytest.mark.parametrize(
    ("looks", "direction", "place"),
    [((LATER, REVERSE), "reverse", "last"), ((first_step(), TO_ITS_END), "forward", "first")],
)
def test_one_direction_of_two_is_information(looks: Any, direction: str, place: str) -> None:
    found = the(record(steps(400, loss=flat), at(*looks)), "GR707")
    assert (found.severity, found.where["direction"]) == ("info", direction)
    assert f"it begins at the {place} of the 20 steps, and is read there" in found.because
    assert "h_n[-2], h_n[-1]" in found.remedies[0].do


def test_the_only_direction_that_is_read_is_read_as_a_whole() -> None:
    unread = replace(LATER, local_error=(0.0,) * 20)
    found = the(record(steps(), at(unread, REVERSE)), "GR707")
    assert found.severity == "warning"
    assert found.because.startswith("the loss reads the reverse direction of `model.rnn` (LSTM) after the first")
    both = the(record(steps(), at(first_step(), REVERSE)), "GR707")
    assert both.because.startswith("the loss reads both directions of `model.rnn` (LSTM) after the first")
    assert "torch.cat" in both.remedies[0].do


def test_of_a_stack_whose_lower_state_is_read_at_its_end_the_top_alone_is_told() -> None:
    found = the(record(steps(), at(LATER, first_step(layer=1))), "GR707")
    assert (found.severity, found.where["layer"]) == ("info", 1)
    assert "h_n[-2]" not in found.remedies[0].do


@pytest.mark.parametrize(
    "seen",
    [
        LATER,
        TO_ITS_END,
        replace(LATER, local_error=(1e-2,) * 20),
        replace(LATER, local_error=(1e-2, *[1e-9] * 19)),
        replace(LATER, local_error=(0.0,) * 20),
        first_step(T=1),
        first_step(kind=LOOP),
        replace(REVERSE, local_error=TO_ITS_END.local_error),
    ],
    ids=["last", "reverse to its end", "all", "attention", "not read", "one step", "loop", "reverse at its last"],
)
def test_other_readings_are_healthy(seen: Any) -> None:
    assert "GR707" not in codes(record(steps(), at(seen)))


def test_it_takes_every_look_and_three_of_them() -> None:
    assert "GR707" not in codes(record(steps(), (*at(first_step()), *at(LATER, start=90, count=1))))
    assert "GR707" not in codes(record(steps(), at(first_step(), LATER)))
    assert "GR707" not in codes(record(steps(), at(first_step(), count=2)))
    elsewhere = tuple(replace(look, site=1) for look in at(LATER, start=5))
    assert "GR707" not in codes(record(steps(), (*at(first_step()), *elsewhere)))
    assert "GR707" in not_judged(record(steps(), at(time_look(), count=2)))
    unread = replace(LATER, local_error=(0.0,) * 20)
    assert "GR707" in codes(record(steps(), (*at(first_step()), *at(unread, start=90))))


def test_the_question_for_the_vanishing_gradient_is_answered_by_what_is_read() -> None:
    assert answer(record(steps(), at(first_step()))) == (
        "No, nothing goes back: the loss reads `model.rnn layer 0` after the first of its 20 steps alone."
    )
    assert answer(record(steps(), at(time_look(T=20, factor=0.99), REVERSE))).startswith(
        "No: 1 % or more of the gradient of `model.rnn layer 0` gets 19 of 19 steps back"
    )


def test_where_nothing_is_to_be_reached_all_is() -> None:
    assert share_reached(first_step()) == 1.0
    shown = Facts(record(steps(), at(time_look(T=20, factor=0.5), REVERSE))).seen.shortest
    assert shown is not None
    assert shown.layer.direction == "forward"
