"""Weights of classes that follow their shares: GR608."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.schema import Record
from gradreach.record.seen.loss import LossLook, Spread
from tests.records.parts import at, record, steps
from tests.records.speaking import ERROR
from tests.rules.judging import codes, not_judged, the

CLASSES = replace(ERROR, kind="cross entropy")
BINARY = replace(ERROR, kind="binary cross entropy on logits", targets=Spread(0.0, 1.0, 0.05, 0.2))


def made(seen: LossLook, count: int = 4) -> Record:
    return record(steps(), at(losses=(seen,), count=count))


def test_weights_that_follow_the_shares_are_named_with_both_ends() -> None:
    found = the(made(replace(CLASSES, counts=(2, 90, 8), weights=(0.02, 0.9, 0.08))), "GR608")
    assert (found.severity, found.evidence["common"], found.evidence["rare"]) == ("warning", 1, 0)
    assert "class 1 is 90 % of the targets and counts 0.9" in found.because
    assert [remedy.id for remedy in found.remedies] == ["balanced-weights"]


def test_positives_over_negatives_are_named() -> None:
    found = the(made(replace(BINARY, weights=(1.0, 0.05))), "GR608")
    assert (found.evidence["common"], found.evidence["rare"]) == (0, 1)
    assert "pos_weight" in found.remedies[0].do


@pytest.mark.parametrize(
    "seen",
    [
        replace(CLASSES, counts=(2, 90, 8), weights=(50.0, 1.1, 12.5)),
        replace(CLASSES, counts=(2, 90, 8), weights=(1.0, 1.0, 1.0)),
        replace(CLASSES, counts=(30, 36, 34), weights=(0.3, 0.36, 0.34)),
        replace(CLASSES, counts=(20, 45, 35), weights=(0.2, 0.45, 0.35)),
        replace(CLASSES, counts=(2, 90, 8), weights=(0.0, 1.0, 5.0)),
        replace(CLASSES, counts=(100, 0, 0), weights=(1.0, 0.5, 0.1)),
        replace(BINARY, weights=(1.0, 19.0)),
        replace(BINARY, weights=(1.0, 0.05), targets=Spread(0.0, 1.0, 0.5, 0.5)),
    ],
    ids=["balanced", "alike", "shares alike", "rare still counts", "left out", "one class", "positives up", "even"],
)
def test_other_weights_are_quiet(seen: LossLook) -> None:
    assert "GR608" not in codes(made(seen))


def test_weights_that_change_and_few_labels_tell_nothing() -> None:
    follow = replace(CLASSES, counts=(2, 90, 8), weights=(0.02, 0.9, 0.08))
    changing = tuple(
        replace(look, losses=(replace(follow, weights=(0.02, 0.9, 0.08 + i)),)) for i, look in enumerate(at())
    )
    assert "GR608" not in codes(record(steps(), changing))
    assert "GR608" not in codes(made(replace(follow, counts=(0, 9, 1))))
    assert "GR608" in not_judged(made(CLASSES))
