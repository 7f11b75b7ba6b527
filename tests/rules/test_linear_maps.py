"""GR206: linear layers in a row, and when that is worth a warning."""

from __future__ import annotations

from dataclasses import replace

from tests.records.parts import falling, flat, record, steps
from tests.records.speaking import in_a_row
from tests.rules.judging import codes, not_judged, the


def test_a_model_of_nothing_else_that_learns_nothing_is_warned_of() -> None:
    found = the(record(steps(loss=flat), in_a_row()), "GR206")
    assert (found.severity, found.where["module"]) == ("warning", "model.0")
    assert found.because == (
        "`model.0` and `model.2` are linear and follow one another with nothing between them that is not: together "
        "they can do no more than one layer from 8 to 3 could. `model` has no other weights, so that all it learns is "
        "a linear map of what `model.0` takes in. The loss does not fall."
    )
    assert found.remedies[0].do.startswith("nn.ReLU()  # between model[0] and model[2]")


def test_one_that_learns_may_be_meant_so() -> None:
    assert the(record(steps(loss=falling), in_a_row()), "GR206").severity == "info"


def test_layers_within_a_model_that_learns_nothing_are_not_to_blame_for_it() -> None:
    found = the(record(steps(loss=flat), in_a_row(is_whole=False)), "GR206")
    assert found.severity == "info"
    assert "no other weights" not in found.because


def test_what_another_look_sees_otherwise_is_not_told() -> None:
    first, *others = in_a_row(count=5)
    assert "GR206" not in codes(record(steps(loss=flat), (replace(first, linear_maps=()), *others)))


def test_two_lines_that_train_it_tell_it_once() -> None:
    looks = in_a_row(count=8)
    looks = tuple(replace(look, site=i % 2) for i, look in enumerate(looks))
    assert codes(record(steps(loss=flat), looks)).count("GR206") == 1


def test_it_is_not_judged_by_two_looks() -> None:
    assert "GR206" in not_judged(record(steps(loss=flat), in_a_row(count=2)))
