"""Losses that begin far above what a constant guess gets: GR607."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.loss import LayerGrowth, LossLook, Spread
from tests.records.parts import at, record, steps
from tests.records.speaking import ERROR, FAR_OFF_AT_FIRST, SPEAKING
from tests.rules.judging import codes, findings, the

LARGE = LayerGrowth("model.2.weight", (10, 400), 400, 1.0, True, 0.6, 12.0)
USUAL = LayerGrowth("model.0.weight", (400, 50), 50, 0.0816, True, 1.0, 0.58)
CLASSES = replace(FAR_OFF_AT_FIRST[0].losses[0], growths=(USUAL, LARGE))
VALUES = replace(
    ERROR, outputs=Spread(-40.0, 40.0, 0.0, 12.0), targets=Spread(-2.0, 2.0, 0.0, 1.0), guess=1.0, growths=(LARGE,)
)


def down(to: float, pace: float = 60.0, start: float = 50.0) -> Callable[[int], float]:
    return lambda i: to + (start - to) * math.exp(-i / pace)


def made(loss: Callable[[int], float], seen: LossLook = CLASSES, count: int = 400) -> Record:
    looks: tuple[Look, ...] = tuple(
        replace(look, losses=(replace(seen, value=loss(look.step), growths=seen.growths if look.step == 0 else ()),))
        for look in at(count=8, every=count // 8)
    )
    return record(steps(count, loss=loss), looks)


def test_a_loss_that_never_comes_down_is_an_error() -> None:
    found = the(made(down(5.0)), "GR607")
    assert (found.severity, found.where["module"]) == ("error", "model.2")
    assert "`model.2` start too large, so that the loss begins at 50" in found.because
    assert "after 400 steps it still is above that" in found.because
    assert "grows 20-fold" in found.because
    assert [(each.id, each.do) for each in found.remedies] == [
        ("usual-start", "nn.init.normal_(model[2].weight, std=400 ** -0.5)")
    ]


def test_it_is_as_serious_as_what_it_costs() -> None:
    assert the(made(down(5.0), count=120), "GR607").severity == "warning"
    assert the(made(down(0.1, 60.0)), "GR607").severity == "warning"
    assert the(made(down(0.1, 60.0), count=4000), "GR607").severity == "info"
    assert "GR607" not in codes(made(down(0.1, 4.0)))


def test_it_does_not_tell_of_the_constant_guess_beside() -> None:
    assert codes(made(down(5.0, 10.0))) == ["GR607"]


@pytest.mark.parametrize(
    "seen",
    [
        replace(CLASSES, growths=()),
        replace(CLASSES, growths=(USUAL,)),
        replace(CLASSES, growths=(USUAL, replace(LARGE, is_drawn=False))),
        replace(CLASSES, growths=(USUAL, replace(LARGE, weight_rms=0.1))),
        replace(CLASSES, growths=(LARGE, replace(USUAL, input_rms=1.0))),
    ],
    ids=["unknown", "usual", "trained", "twice as large", "normalised behind it"],
)
def test_without_a_layer_to_blame_it_is_quiet(seen: LossLook) -> None:
    assert "GR607" not in codes(made(down(5.0), seen))


def test_several_layers_are_named_in_their_order() -> None:
    layers = [replace(LARGE, weight=f"model.{n}.weight", input_rms=10.0**n, weight_rms=1 + n / 10) for n in range(5)]
    two = the(made(down(5.0), replace(CLASSES, growths=tuple(layers[:2]))), "GR607")
    assert "`model.0` and `model.1` start" in two.because
    five = the(made(down(5.0), replace(CLASSES, growths=tuple(layers))), "GR607")
    assert "`model.2`, `model.3`, `model.4` and 2 more start" in five.because
    assert len(five.remedies[0].do.splitlines()) == 5


def test_many_layers_that_are_each_a_little_large_count_together() -> None:
    little = replace(LARGE, weight_rms=0.1, input_rms=2.0)
    one = replace(CLASSES, growths=(little,))
    many = replace(CLASSES, growths=tuple(replace(little, weight=f"model.{n}.weight") for n in range(4)))
    assert "GR607" not in codes(made(down(5.0), one))
    assert "GR607" not in codes(made(down(5.0), many)), "each of these takes in a signal of ordinary size"
    grown = tuple(replace(each, input_rms=2.0 ** (n + 1)) for n, each in enumerate(many.growths))
    assert the(made(down(5.0), replace(many, growths=grown)), "GR607").evidence["layers"] == 4


def test_a_weight_of_no_module_is_named_by_its_shape() -> None:
    found = the(made(down(5.0), replace(CLASSES, growths=(replace(LARGE, weight="", shape=(400, 10)),))), "GR607")
    assert "the 400 × 10 matrix" in found.because
    assert found.remedies[0].do.startswith("w.data *= 400 ** -0.5")


def test_a_regression_is_far_off_by_its_output_alone() -> None:
    assert the(made(down(5.0), VALUES), "GR607").severity == "error"
    far_targets = replace(VALUES, outputs=Spread(-1.0, 1.0, 0.0, 0.5), targets=Spread(98.0, 102.0, 100.0, 1.0))
    assert "GR607" not in codes(made(down(5.0), far_targets))
    assert "GR607" not in codes(made(down(0.5, start=6.0), VALUES))


def test_a_loss_little_above_that_of_equal_logits_is_quiet() -> None:
    assert "GR607" not in codes(made(down(2.0, start=6.0)))


def test_a_start_that_no_look_saw_is_left_alone() -> None:
    late = made(down(5.0))
    assert "GR607" not in codes(replace(late, looks=late.looks[1:]))


def test_a_sum_of_several_losses_is_judged_by_the_looks() -> None:
    part = replace(CLASSES, is_whole=False)
    looks = [
        replace(look, losses=(replace(each, is_whole=False),)) for look in made(down(1.0)).looks for each in look.losses
    ]
    found = the(record(steps(400, loss=lambda _: 900.0), looks), "GR607")
    assert found.evidence["steps_down"] == 250
    assert "GR607" in codes(made(down(5.0), part))


def test_what_gr202_tells_is_not_told_again() -> None:
    deep = SPEAKING["GR202"]
    looks = tuple(replace(look, losses=made(down(5.0)).looks[0].losses) for look in deep.looks)
    told = [each.code for each in findings(replace(deep, looks=looks))]
    assert "GR202" in told
    assert "GR607" not in told
