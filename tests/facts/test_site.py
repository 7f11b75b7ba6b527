"""One line that calls backward: whether its loss falls, stalls, rests or ends above its first value."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.facts.site import PASSES, Rest, Site
from gradreach.record.schema import Step
from gradreach.record.seen.loss import LossLook, Spread
from tests.records.parts import at, falling, flat, record, steps


def site(made: Sequence[Step], number: int = 0) -> Site:
    return Facts(record(made)).site(number)


def rest(made: Sequence[Step]) -> Rest | None:
    return site(made).rest


@pytest.mark.parametrize("fall", [0.0, 0.02, 0.03])
def test_a_certain_stall(fall: float) -> None:
    assert site(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))).stalled


@pytest.mark.parametrize("fall", [0.08, 0.2])
def test_a_slow_fall_is_no_stall(fall: float) -> None:
    assert not site(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))).stalled


def test_noise_leaves_the_stall_unproven() -> None:
    assert not site(steps(40, loss=lambda i: 2.0 + random.Random(i).gauss(0, 1))).stalled


def test_too_few_losses_prove_nothing() -> None:
    assert not site(steps(19, loss=flat)).stalled
    assert not site(steps(9, loss=lambda i: 1.0 + i)).worse_than_at_first


def test_adversaries_prove_nothing() -> None:
    turns = site(tuple(Step(i, 0.0, i % 2, 2.0, 1.0) for i in range(200)))
    assert turns.need_not_fall
    assert not turns.stalled


def test_rows_weighed_by_advantages_prove_nothing() -> None:
    made = record(steps(loss=flat), at(losses=(LossLook("product", (32,), (32,), (32,)),)))
    weighed = Facts(made).site(0)
    assert (weighed.free, weighed.stalled) == ("weighed", False)
    square = record(steps(loss=flat), at(losses=(LossLook("product", (32, 32), (32,), (32, 1)),)))
    assert Facts(square).site(0).stalled


def test_targets_that_grow_and_the_outputs_with_them_prove_nothing() -> None:
    def made(targets: float, outputs: float) -> Site:
        looks = at(count=9)
        spreads = [(Spread(0.0, 9.0, targets**n, 0.1), Spread(0.0, 9.0, outputs**n, 0.1)) for n in range(9)]
        losses = [LossLook("squared error", (32,), (32,), (32,), targets=y, outputs=x) for y, x in spreads]
        seen = tuple(replace(look, losses=(loss,)) for look, loss in zip(looks, losses, strict=True))
        return Facts(record(steps(loss=flat), seen)).site(0)

    grows = made(1.5, 1.5)
    assert (grows.free, grows.stalled) == ("targets grow", False)
    for still in (made(1.0, 1.5), made(1.5, 1.0), made(0.7, 0.7)):
        assert (still.free, still.stalled) == ("", True)


def test_one_phase_after_another_is_no_turn() -> None:
    phases = tuple(Step(i, 0.0, int(i >= 100), flat(i), 1.0) for i in range(200))
    assert not site(phases).need_not_fall
    assert site(phases, 1).stalled


def test_a_loss_rests_where_it_falls_by_no_more_than_its_noise() -> None:
    found = rest(steps(loss=flat))
    assert found is not None
    assert (found.before, found.last) == (pytest.approx(2.0, abs=0.01), pytest.approx(2.0, abs=0.01))
    assert rest(steps(loss=lambda i: max(2.0 - i / 100, 1.5) + flat(i) - 2.0))  # fell in its first quarter
    assert rest(steps(loss=lambda i: flat(i) * (1 + i / 200)))


@pytest.mark.parametrize("fall", [0.02, 0.05, 0.5])
def test_a_loss_that_still_falls_does_not_rest(fall: float) -> None:
    assert rest(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))) is None


@pytest.mark.parametrize(("count", "rests"), [(PASSES, True), (PASSES - 1, False)])
def test_a_short_run_does_not_rest(count: int, rests: bool) -> None:
    assert (rest(steps(count, loss=flat)) is not None) == rests


def test_measured_steps_stand_for_those_between() -> None:
    assert rest(steps(400, loss=flat)[::10])
    assert rest(steps(400, loss=flat)[::25]) is None  # 16 losses tell nothing


def test_adversaries_do_not_rest() -> None:
    assert rest(tuple(Step(i, 0.0, i % 2, 2.0, 1.0) for i in range(800))) is None


def test_worse_than_at_first() -> None:
    assert site(steps(loss=lambda i: 2.0 if i < 5 else 9.0 + math.sin(i))).worse_than_at_first
    assert not site(steps(loss=falling)).worse_than_at_first
    assert not site(steps(loss=lambda i: 2.0 + random.Random(i).gauss(0, 1))).worse_than_at_first
