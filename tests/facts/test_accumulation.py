"""How many backward passes make a step, and what a loss of several is held against."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Overhead, Step
from gradreach.record.seen.loss import LossLook
from gradreach.report.run_text import of_steps
from tests.records.parts import at, record, steps

ERROR = LossLook("squared error", (64, 1), (64, 1), (64, 1), is_whole=True, guess=2.0, value=2.0)


def made(*passes: int) -> tuple[Step, ...]:
    return tuple(replace(step, passes=n) for step, n in zip(steps(len(passes)), passes, strict=True))


@pytest.mark.parametrize(
    ("passes", "words"),
    [
        ((1, 1, 1), "3 steps"),
        ((4, 4, 4), "3 steps, each made of 4 backward passes, 12 in all"),
        ((4, 4, 2), "3 steps, each made of 4 backward passes, 12 in all"),
        ((2, 1, 2, 1), "4 steps, made of 1 to 2 backward passes, 12 in all"),
        ((4,), "1 step, made of 4 backward passes, 12 in all"),
    ],
)
def test_what_makes_the_steps(passes: tuple[int, ...], words: str) -> None:
    spent = Overhead(0.02, 0.01, 0.01, 1.0, passes=12 if max(passes) > 1 else 3, steps=len(passes))
    assert of_steps(Facts(record(made(*passes), overhead=spent))) == words


def test_the_loss_of_summed_batches_is_held_against_as_many_guesses() -> None:
    looks = at(count=8, losses=(ERROR,))
    whole = record(steps(loss=lambda i: 8.0 + 0.01 * (i % 3), passes=4), looks)
    facts = Facts(whole)
    beside = facts.beside_guess(facts.site(0))
    assert beside is not None
    assert beside == pytest.approx((8.0, 1.0), rel=0.01)
    assert facts.is_constant_guess(0)


def test_averaged_batches_are_held_against_one() -> None:
    looks = at(count=8, losses=(replace(ERROR, is_whole=False),))
    facts = Facts(record(steps(loss=lambda i: 2.0 + 0.01 * (i % 3), passes=4), looks))
    assert facts.site(0).times == 1
    assert facts.is_constant_guess(0)


def test_a_line_that_joins_has_the_steps_of_the_first_and_no_loss_of_its_own() -> None:
    looks = at(count=8, site=1, losses=(ERROR,))
    facts = Facts(record(steps(passes=2), looks, joined={1: 0}))
    assert [site.number for site in facts.sites] == [0]
    assert facts.site(1).losses == facts.site(0).losses
    assert facts.site(1).name == "train.py:30"
    assert not any(part.last.is_whole for part in facts.seen.loss_parts)
