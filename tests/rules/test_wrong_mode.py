"""The rule on training and evaluation mode."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradreach.record.schema import Record
from gradreach.record.seen.loop import Mode
from tests.records.parts import at, record, steps
from tests.records.speaking import SPEAKING
from tests.rules.judging import codes, not_judged, the

TRAINING = Mode("model", norms=True, training=True, evaluates=False, momentum=0.1)
EVALUATING = replace(TRAINING, training=False, evaluates=True)


def turned(first: Mode, then: Mode, after: int = 4) -> Record:
    return record(steps(), (*at(modes=(first,), count=3), *at(modes=(then,), start=60, count=after)))


def test_a_model_that_a_validation_left_in_evaluation_mode() -> None:
    found = the(turned(TRAINING, EVALUATING), "GR311")
    assert (found.severity, found.where["module"], found.remedies[0].id) == ("warning", "model", "train-again")
    assert "its batch norms no longer go by the batch" in found.because
    assert "dropouts drop nothing" in the(SPEAKING["GR311"], "GR311").because


def test_batch_norms_frozen_by_themselves_are_healthy() -> None:
    assert "GR311" not in codes(turned(TRAINING, replace(EVALUATING, evaluates=False)))
    assert "GR311" not in codes(record(steps(), at(modes=(EVALUATING,)))), "with statistics of their own"
    assert "GR311" not in codes(turned(EVALUATING, TRAINING))
    assert "GR311" not in codes(turned(TRAINING, EVALUATING, after=2))


def test_another_model_may_be_in_evaluation_mode() -> None:
    other = replace(EVALUATING, model="teacher", blank=False)
    looks = (*at(modes=(TRAINING, other), count=3), *at(modes=(TRAINING, other), start=60, count=4))
    assert "GR311" not in codes(record(steps(), looks))


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"training": False, "evaluates": True, "blank": True}, "train-again"),
        ({"momentum": 0.0, "blank": True}, "follow-batches"),
    ],
)
def test_batch_norms_that_keep_what_they_began_with(more: dict[str, Any], remedy: str) -> None:
    found = the(record(steps(), at(modes=(replace(TRAINING, **more, modules=5),))), "GR311")
    assert (found.remedies[0].id, found.evidence["norms"]) == (remedy, 5)
    healthy = at(modes=(TRAINING,), start=60, count=1)
    assert "GR311" not in codes(record(steps(), (*at(modes=(replace(TRAINING, **more),)), *healthy)))


@pytest.mark.parametrize("more", [{"blank": True}, {"momentum": 0.0}, {"momentum": None, "blank": True}])
def test_statistics_that_move_are_healthy(more: dict[str, Any]) -> None:
    assert "GR311" not in codes(record(steps(), at(modes=(replace(TRAINING, **more),))))


def test_without_such_modules_nothing_is_judged() -> None:
    assert "GR311" in not_judged(record(steps(), at()))
