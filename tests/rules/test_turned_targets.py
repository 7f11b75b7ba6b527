"""GR712: targets in another order than the outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.records.parts import at, falling, flat, record, steps
from tests.records.speaking import SPEAKING, TURNED
from tests.rules.judging import codes, the

LOOKS = at(target_orders=(TURNED,))


def test_both_orders_are_told() -> None:
    found = the(SPEAKING["GR712"], "GR712")
    assert (found.severity, found.where["module"]) == ("error", "model.embed")
    assert "of the ids (10, 24) that `model.embed` is given. The rows of the output go through axis 0" in found.because
    assert "(0.4 deviations), and in the other order they do (52 deviations), on 4 looks." in found.because
    assert [remedy.id for remedy in found.remedies] == ["turn-targets"]


def test_outputs_may_be_what_lies_the_other_way_round() -> None:
    looks = at(target_orders=(replace(TURNED, is_along_ids=False),))
    assert "go through axis 1 of them first" in the(record(steps(loss=flat), looks), "GR712").because


def test_a_loss_that_falls_all_the_same_is_a_warning() -> None:
    assert the(record(steps(loss=falling), LOOKS), "GR712").severity == "warning"


@pytest.mark.parametrize("more", [{"given": 20.0}, {"given": 3.0}, {"given": -5.0}, {"turned": 5.9}])
def test_targets_that_fit_as_they_stand_or_in_no_order(more: dict[str, Any]) -> None:
    assert "GR712" not in codes(record(steps(loss=flat), at(target_orders=(replace(TURNED, **more),))))


def test_targets_that_fit_the_ids_of_another_embedding_as_they_stand() -> None:
    other = replace(TURNED, module="model.tags", given=30.0, turned=0.0)
    assert "GR712" not in codes(record(steps(loss=flat), at(target_orders=(TURNED, other))))


def test_it_takes_several_looks() -> None:
    assert "GR712" not in codes(record(steps(loss=flat), LOOKS[:2]))
    mixed = (*LOOKS, *at(target_orders=(replace(TURNED, turned=0.0),), start=60, count=5))
    assert "GR712" not in codes(record(steps(loss=flat), mixed))
