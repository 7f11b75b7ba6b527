from __future__ import annotations

import math
import random

import pytest

from gradreach.facts.course import (
    PASSES,
    at_rest,
    first_break,
    root_of,
    sound_looks,
    stalled,
    takes_turns,
    worse_than_at_first,
)
from gradreach.record.schema import NonFinite, Step
from tests.records.parts import at, falling, flat, record, steps


@pytest.mark.parametrize("fall", [0.0, 0.02, 0.03])
def test_a_certain_stall(fall: float) -> None:
    assert stalled(record(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))), 0)


@pytest.mark.parametrize("fall", [0.08, 0.2])
def test_a_slow_fall_is_no_stall(fall: float) -> None:
    assert not stalled(record(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))), 0)


def test_noise_leaves_the_stall_unproven() -> None:
    assert not stalled(record(steps(40, loss=lambda i: 2.0 + random.Random(i).gauss(0, 1))), 0)


def test_too_few_losses_prove_nothing() -> None:
    assert not stalled(record(steps(19, loss=flat)), 0)
    assert not worse_than_at_first(record(steps(9, loss=lambda i: 1.0 + i)), 0)


def test_adversaries_prove_nothing() -> None:
    turns = record(tuple(Step(i, 0.0, i % 2, 2.0, 1.0) for i in range(200)))
    assert takes_turns(turns, 0)
    assert not stalled(turns, 0)


def test_one_phase_after_another_is_no_turn() -> None:
    phases = record(tuple(Step(i, 0.0, int(i >= 100), flat(i), 1.0) for i in range(200)))
    assert not takes_turns(phases, 0)
    assert stalled(phases, 1)


def test_a_loss_rests_where_it_falls_by_no_more_than_its_noise() -> None:
    before, last = at_rest(record(steps(loss=flat)), 0) or (0.0, 0.0)
    assert (before, last) == (pytest.approx(2.0, abs=0.01), pytest.approx(2.0, abs=0.01))
    assert at_rest(
        record(steps(loss=lambda i: max(2.0 - i / 100, 1.5) + flat(i) - 2.0)), 0
    )  # fell in its first quarter
    assert at_rest(record(steps(loss=lambda i: flat(i) * (1 + i / 200))), 0)


@pytest.mark.parametrize("fall", [0.02, 0.05, 0.5])
def test_a_loss_that_still_falls_does_not_rest(fall: float) -> None:
    assert at_rest(record(steps(loss=lambda i: flat(i) * (1 - fall * i / 200))), 0) is None


@pytest.mark.parametrize(("count", "rests"), [(PASSES, True), (PASSES - 1, False)])
def test_a_short_run_does_not_rest(count: int, rests: bool) -> None:
    assert (at_rest(record(steps(count, loss=flat)), 0) is not None) == rests


def test_measured_steps_stand_for_those_between() -> None:
    assert at_rest(record(steps(400, loss=flat)[::10]), 0)
    assert at_rest(record(steps(400, loss=flat)[::25]), 0) is None  # 16 losses tell nothing


def test_adversaries_do_not_rest() -> None:
    assert at_rest(record(tuple(Step(i, 0.0, i % 2, 2.0, 1.0) for i in range(800))), 0) is None


def test_worse_than_at_first() -> None:
    assert worse_than_at_first(record(steps(loss=lambda i: 2.0 if i < 5 else 9.0 + math.sin(i))), 0)
    assert not worse_than_at_first(record(steps(loss=falling)), 0)
    assert not worse_than_at_first(record(steps(loss=lambda i: 2.0 + random.Random(i).gauss(0, 1))), 0)


def test_what_comes_after_the_break_is_left_out() -> None:
    broken = (NonFinite(15, 0, "loss", "nan"), NonFinite(3, 0, "backward", "inf", scaled_away=True))
    made = record(steps(15), at(count=4), nonfinite=broken)
    assert first_break(made) == 15
    assert [look.step for look in sound_looks(made)] == [0, 10]


def test_the_root_is_the_longest_name_that_fits() -> None:
    made = record(models={"net": "Net", "net.inner": "Inner"})
    assert root_of(made, "net.inner.0") == "net.inner"
    assert root_of(made, "net.0.weight") == "net"
    assert root_of(made, "network.0") == "network"
