"""Targets that are all one number: GR609."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.seen.loss import LossLook, Spread
from tests.records.parts import at, record, steps
from tests.records.speaking import ERROR
from tests.rules.judging import codes, not_judged, the


def still(value: float) -> LossLook:
    return replace(ERROR, targets=Spread(value, value, value, 0.0))


CLASSES = replace(ERROR, kind="cross entropy", counts=(0, 32, 0))


@pytest.mark.parametrize(("seen", "target"), [(still(0.0), 0.0), (still(-3.5), -3.5), (CLASSES, 1.0)])
def test_one_number_in_all_looks_is_named(seen: LossLook, target: float) -> None:
    found = the(record(steps(), at(losses=(seen,))), "GR609")
    assert (found.severity, found.evidence["target"]) == ("error", target)
    assert [remedy.id for remedy in found.remedies] == ["look-at-targets"]


def changing(*seen: LossLook) -> tuple[Look, ...]:
    return tuple(replace(look, losses=(seen[i % len(seen)],)) for i, look in enumerate(at()))


@pytest.mark.parametrize(
    "looks",
    [
        changing(still(0.0), still(1.0)),
        changing(CLASSES, replace(CLASSES, counts=(32, 0, 0))),
        at(losses=(still(0.0), still(1.0))),
        at(losses=(still(0.0), replace(ERROR))),
        at(losses=(replace(still(0.0), module=""),)),
        at(losses=(replace(CLASSES, counts=(32,)),)),
        at(losses=(replace(still(0.0), shape=(2, 1)),)),
        at(losses=(replace(still(0.0), is_whole=False),), count=50),
        at(losses=(replace(CLASSES, is_whole=False),)),
        at(losses=(still(0.0),), count=2),
    ],
    ids=[
        "changes",
        "classes change",
        "two sides",
        "beside others",
        "a residual",
        "single",
        "few",
        "a condition among others",
        "few beside others",
        "few looks",
    ],
)
def test_all_else_is_quiet(looks: tuple[Look, ...]) -> None:
    assert "GR609" not in codes(record(steps(), looks))


def test_beside_other_terms_many_labels_tell() -> None:
    seen = (replace(CLASSES, is_whole=False), replace(ERROR, module="model.other", is_whole=False))
    assert the(record(steps(400), at(losses=seen, count=40)), "GR609").where["module"] == "model.2"
    places = replace(CLASSES, counts=(0, 32 * 60, 0), is_whole=False)
    few, more = (record(steps(400), at(losses=(places,), count=count)) for count in (6, 8))
    assert "GR609" not in codes(few)
    assert the(more, "GR609").severity == "warning"


def test_a_class_that_the_loss_leaves_out_is_named() -> None:
    halves = replace(ERROR, kind="cross entropy", counts=(0, 16), ignored=0, is_whole=False)
    assert "ignore_index=0" in the(record(steps(), at(losses=(halves,))), "GR609").because


def test_a_rare_target_between_the_looks_shows_in_the_losses() -> None:
    def rare(step: int) -> float:
        return 0.9 if step % 37 == 5 else 0.03

    assert "GR609" not in codes(record(steps(loss=rare), at(losses=(CLASSES,), count=20)))


def test_adversaries_have_one_target_in_turns() -> None:
    taken = tuple(step for i in range(100) for step in (replace(steps(1)[0], step=i, site=i % 2),))
    looks = tuple(replace(look, site=i % 2, losses=(still(1.0),)) for i, look in enumerate(at(count=20, every=5)))
    assert "GR609" not in codes(record(taken, looks))


def test_no_comparison_is_not_judged() -> None:
    assert "GR609" in not_judged(record(steps(), at()))
