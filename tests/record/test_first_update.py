"""The first update of a run, whose passes were taken for steps until its end showed."""

from __future__ import annotations

from gradreach.record.entries import record_of
from gradreach.record.first_update import FirstUpdate
from gradreach.record.look import Look
from gradreach.record.schema import NonFinite, Overhead, Step
from tests.records.parts import run


def test_its_passes_are_one_step_and_all_others_move_up() -> None:
    told = [Step(i, 0.1 * i, 0, loss=1.0 + i, norm=10.0 + i, watched=i == 1) for i in range(4)]
    later = [Step(i, 0.1 * i, 0, loss=9.0, norm=2.0, passes=4) for i in (4, 5)]
    looks = [Look(step, 0, 0.0) for step in (0, 2, 4)]
    broke = NonFinite(5, 0, "backward", "nan")
    found = record_of(
        [run(), *told, FirstUpdate(0, 4), *later, *looks, broke, Overhead(0.02, 0.0, 0.0, 0.0, passes=12, steps=6)]
    )
    assert [(step.step, step.loss, step.norm, step.passes, step.watched) for step in found.steps] == [
        (0, 10.0, 13.0, 4, True),
        (1, 9.0, 2.0, 4, False),
        (2, 9.0, 2.0, 4, False),
    ]
    assert [(look.step, look.at_pass) for look in found.looks] == [(0, 1), (0, 3), (1, 1)]
    assert (found.nonfinite[0].step, found.length, found.passes) == (2, 3, 12)


def test_a_loss_that_is_not_known_of_each_pass_is_not_known() -> None:
    told = [Step(0, 0.0, 0, loss=1.0), Step(1, 0.1, 0, norm=3.0), Step(2, 0.2, 0, loss=1.0)]
    found = record_of([run(), *told, FirstUpdate(0, 2)])
    assert [(step.step, step.loss, step.norm) for step in found.steps] == [(0, None, 3.0), (1, 1.0, None)]
