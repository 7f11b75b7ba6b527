"""Terms of a loss: one without a gradient, GR610, and one that the others drown, GR611."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.loss import LossConstant, LossTerm
from tests.records.parts import at, record, steps
from tests.records.speaking import ERROR
from tests.rules.judging import codes, not_judged, the

RESTING = replace(ERROR, is_whole=False, guess=1.0, value=1.0)


def constants(values: list[float], whole: float = 2.0, count: int = 8) -> tuple[Look, ...]:
    return tuple(
        replace(look, loss_constant=LossConstant(values[i % len(values)], whole))
        for i, look in enumerate(at(count=count))
    )


def test_a_part_without_a_gradient_is_told_with_its_share() -> None:
    found = the(record(steps(), constants([0.9, 1.0, 1.1])), "GR610")
    assert (found.severity, found.evidence["share"]) == ("warning", pytest.approx(0.5))
    assert [remedy.id for remedy in found.remedies] == ["connect-loss"]


@pytest.mark.parametrize(
    "looks",
    [constants([0.92]), constants([0.01, 0.02]), constants([-0.9, -1.0]), constants([0.9, 1.0], whole=-2.0)],
    ids=["constant by design", "little", "taken off", "a loss below 0"],
)
def test_other_constants_are_quiet(looks: tuple[Look, ...]) -> None:
    assert "GR610" not in codes(record(steps(), looks))


def test_a_look_at_which_the_part_is_not_known_leaves_all_open() -> None:
    looks = constants([0.9, 1.0])
    assert "GR610" in not_judged(record(steps(), (*looks[:-1], replace(looks[-1], loss_constant=None))))


def drowned(own: float = 0.01, others: float = 2.0, count: int = 8, losses: int = 300, value: float = 1.0) -> Record:
    seen = at(losses=(replace(RESTING, value=value),), loss_terms=(LossTerm(own, others),) * 2, count=count)
    return record(steps(losses), seen)


def test_a_drowned_term_is_told_with_the_weight_that_would_even_both() -> None:
    found = the(drowned(), "GR611")
    assert (found.severity, found.evidence["times"]) == ("warning", pytest.approx(200.0))
    assert "0.005 * others" in found.remedies[0].do


@pytest.mark.parametrize(
    "quiet",
    [drowned(others=0.05), drowned(value=0.5), drowned(losses=100), drowned(own=0.0), drowned(count=2)],
    ids=["pulls alike", "is learned", "has just begun", "has no gradient", "few looks"],
)
def test_a_term_that_is_learned_or_pulls_is_quiet(quiet: Record) -> None:
    assert "GR611" not in codes(quiet)


def test_beside_it_no_constant_guess_is_told() -> None:
    def flat(_: int) -> float:
        return 1.0

    told = codes(record(steps(400, loss=flat), at(losses=(RESTING,), loss_terms=(LossTerm(0.01, 2.0),) * 2, count=8)))
    assert "GR611" in told
    assert "GR604" not in told


def test_a_loss_that_is_no_sum_is_not_judged() -> None:
    silent = not_judged(record(steps(), at(losses=(ERROR,))))
    assert {"GR610", "GR611"} <= set(silent)
