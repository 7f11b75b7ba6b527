"""GR615: an advantage that is not detached from what predicts the return."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.seen.loss import LossTerm
from tests.records.parts import at, flat, record, steps
from tests.records.speaking import LEAKY, VALUE
from tests.rules.judging import codes, not_judged, the


def test_the_policy_trains_the_critic() -> None:
    found = the(record(steps(), at(losses=(VALUE,), leaky_factor=LEAKY, count=6)), "GR615")
    assert (found.severity, found.where["module"]) == ("warning", "critic.2")
    assert found.because == (
        "The advantage that weighs the log-probabilities of `policy.2` is not detached from the output of `critic.2`: "
        "the policy's term of the loss trains that too, beside its own error. It pulls 1.5 times as hard at it as the "
        "error does, and not towards the targets but to where that term is least. What is predicted comes to lie off "
        "the return, and every advantage with it. Its own error is at 1.5 by now, and a constant guess gets 1."
    )
    assert found.remedies[0].do == (
        "advantage = returns - value.detach()  # value, of critic[2]: the policy's term then trains the policy alone"
    )


def test_of_no_module() -> None:
    found = the(record(steps(), at(leaky_factor=replace(LEAKY, module="", policy=""), count=6)), "GR615")
    assert "module" not in found.where
    assert found.because.startswith(
        "The advantage that weighs the log-probabilities is not detached from what is predicted of the return: "
    )
    assert "by now" not in found.because
    assert "# the policy's term" in found.remedies[0].do


def test_it_is_told_in_place_of_its_effects() -> None:
    terms = (LossTerm(2.0, 0.01), LossTerm(0.01, 2.0))
    alone = at(losses=(VALUE,), loss_terms=terms, count=8)
    assert {"GR604", "GR611"} & set(codes(record(steps(400, loss=flat), alone)))
    both = at(losses=(VALUE,), loss_terms=terms, leaky_factor=LEAKY, count=8)
    assert set(codes(record(steps(400, loss=flat), both))) & {"GR604", "GR611", "GR615"} == {"GR615"}


@pytest.mark.parametrize(
    "looks",
    [
        at(leaky_factor=LEAKY, count=2),
        at(leaky_factor=replace(LEAKY, pull=0.01), count=6),
        at(leaky_factor=replace(LEAKY, pull=0.0, own=0.0), count=6),
        at(leaky_factor=replace(LEAKY, low=0.1, high=0.9), count=6),
        (*at(leaky_factor=LEAKY, count=3), *at(count=6, start=200)),
    ],
    ids=["two looks", "a weak pull", "none", "shares", "few of the looks"],
)
def test_where_it_is_silent(looks: tuple[Look, ...]) -> None:
    assert "GR615" not in codes(record(steps(), looks))


def test_factors_of_one_sign_above_one() -> None:
    assert "GR615" in codes(record(steps(), at(leaky_factor=replace(LEAKY, low=4.0, high=9.0), count=6)))


def test_it_is_not_judged_without_such_an_output() -> None:
    assert "GR615" in not_judged(record(steps(), at()))
