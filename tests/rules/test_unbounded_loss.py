"""Losses that nothing bounds from below: GR606."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gradreach.record.schema import Record
from gradreach.record.seen.loss import LossLook, Spread
from tests.records.parts import at, falling, record, steps
from tests.records.speaking import ERROR
from tests.rules.judging import codes, not_judged, the

LOGITS = replace(ERROR, kind="binary cross entropy on logits")


def runaway(i: int) -> float:
    return 0.7 - 0.5 * i


def slowing(i: int) -> float:
    """A log density of sharper and sharper peaks."""
    return 3.0 - 9.0 * math.log(1 + i)


def made(loss: object, seen: LossLook | None = None, count: int = 200) -> Record:
    looks = at() if seen is None else at(losses=(seen,))
    return record(steps(count, loss=loss), looks)  # type: ignore[arg-type]


def test_a_loss_that_falls_without_end_is_an_error() -> None:
    found = the(made(runaway), "GR606")
    assert (found.severity, found.evidence["why"]) == ("error", "unknown")
    assert "falls without end, about as fast at last as before" in found.because
    assert [remedy.id for remedy in found.remedies] == ["turn-sign"]


@pytest.mark.parametrize(
    "loss",
    [falling, slowing, lambda i: -0.001 * i, lambda i: 40.0 - 0.2 * i, lambda i: -3.0 - (i % 2)],
    ids=["falls", "slows down", "little below 0", "not far below 0", "stays"],
)
def test_a_loss_that_slows_down_or_stays_near_is_quiet(loss: object) -> None:
    assert "GR606" not in codes(made(loss))


def test_few_losses_tell_nothing() -> None:
    assert "GR606" not in codes(made(runaway, count=30))
    assert "GR606" not in not_judged(made(runaway, count=30))


@pytest.mark.parametrize(
    ("seen", "why", "remedy"),
    [
        (replace(LOGITS, targets=Spread(0.0, 255.0, 90.0, 120.0)), "targets", "targets-as-shares"),
        (replace(LOGITS, targets=Spread(-1.0, 1.0, 0.0, 1.0)), "targets", "targets-as-shares"),
        (replace(ERROR, has_negative_weights=True), "weights", "positive-weights"),
    ],
)
def test_targets_and_weights_are_named_on_sight(seen: LossLook, why: str, remedy: str) -> None:
    early = the(made(falling, seen), "GR606")
    assert (early.severity, early.evidence["why"]) == ("warning", why)
    assert [each.id for each in early.remedies] == [remedy]
    assert "has no least value" in early.because
    late = the(made(runaway, seen), "GR606")
    assert (late.severity, late.evidence["why"]) == ("error", why)


def test_shares_as_targets_and_labels_of_one_look_are_in_order() -> None:
    inside = replace(LOGITS, targets=Spread(0.0, 1.0, 0.3, 0.4))
    assert "GR606" not in codes(made(falling, inside))
    odd = tuple(
        replace(look, losses=(replace(LOGITS, targets=Spread(0.0, 2.0 if i == 0 else 1.0, 0.3, 0.4)),))
        for i, look in enumerate(at())
    )
    assert "GR606" not in codes(record(steps(loss=falling), odd))


def test_a_minus_counts_only_where_the_loss_runs_away() -> None:
    turned = replace(ERROR, is_turned=True)
    assert "GR606" not in codes(made(falling, turned))
    found = the(made(runaway, turned), "GR606")
    assert found.evidence["why"] == "sign"
    assert "stands in it with a minus" in found.because
