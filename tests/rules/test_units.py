from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.depth import DepthLook
from tests.records.parts import activation, at, between, chain, falling, flat, record, steps
from tests.rules.judging import codes, not_judged, passed, the


def relu(dead: float, order: int = 1, **more: object) -> DepthLook:
    return activation("ReLU", order, dead=dead, **more)


def tanh(saturated: float, order: int = 1, **more: object) -> DepthLook:
    return activation("Tanh", order, saturated=saturated, **more)


@pytest.mark.parametrize(("share", "speaks"), [(0.79, False), (0.8, True)])
def test_saturated_from_the_start(share: float, speaks: bool) -> None:
    assert ("GR203" in codes(record(steps(), at(*between(tanh(share)))))) == speaks


def test_features_may_grow_decided_while_the_loss_falls() -> None:
    looks = (*at(*between(tanh(0.3)), count=1), *(replace(look, step=9) for look in at(*between(tanh(0.9)), count=5)))
    assert "GR203" not in codes(record(steps(loss=falling), looks))
    assert "GR203" in codes(record(steps(loss=flat), looks))


def test_an_output_saturates_rightly() -> None:
    first, last = chain(1)
    assert "GR203" not in codes(record(steps(), at(first, last, tanh(1.0, order=2))))
    head = replace(last, activation="sigmoid", saturated=1.0)
    assert "GR203" not in codes(record(steps(), at(first, head)))


def test_each_model_has_its_own_output() -> None:
    first, last = chain(1)
    generator = (replace(first, module="g.0", order=0), replace(tanh(1.0), module="g.1", order=1))
    critic = (replace(last, module="d.0", order=2), replace(tanh(1.0), module="d.1", order=3))
    made = record(steps(), at(*generator, *critic), models={"g": "Sequential", "d": "Sequential"})
    assert "GR203" not in codes(made)


@pytest.mark.parametrize(("share", "speaks"), [(0.89, False), (0.9, True), (1.0, True)])
def test_dead_units(share: float, speaks: bool) -> None:
    made = record(steps(), at(*between(relu(share, rows=16))))
    assert ("GR204" in codes(made)) == speaks
    assert ("GR204" in passed(made)) != speaks


def test_half_the_units_dead_is_told_and_a_warning_where_the_loss_does_not_fall() -> None:
    looks = at(*between(relu(21 / 32, units=32, rows=256)))
    told = the(record(steps(), looks), "GR204")
    assert told.severity == "info"
    assert told.because.startswith("21 of 32 units (65.6 %, the median) are zero for every sample of the batch (256 va")
    assert the(record(steps(loss=flat), looks), "GR204").severity == "warning"
    assert "GR204" in passed(record(steps(), at(*between(relu(21 / 32, units=32, rows=32)))))


def test_a_share_that_grows_is_told_from_the_first_look_to_the_last() -> None:
    shares = (0.5, 0.7, 0.9)
    looks = tuple(
        replace(look, step=20 * i)
        for i, share in enumerate(shares)
        for look in at(*between(relu(share, units=20, rows=256)), count=1)
    )
    assert "looks, 50 % at the first and 90 % at the last" in the(record(steps(), looks), "GR204").because


def test_units_that_come_back_are_not_dead() -> None:
    looks = (*at(*between(relu(1.0)), count=3), *(replace(look, step=50) for look in at(*between(relu(0.4)), count=1)))
    assert "GR204" not in codes(record(steps(), looks))


def test_a_handful_of_units_and_relu_outputs_are_not_judged() -> None:
    first, last = chain(1)
    assert "GR204" in not_judged(record(steps(), at(*between(relu(1.0, units=3)))))
    assert "GR204" in not_judged(record(steps(), at(first, last, relu(1.0, order=2))))


def test_remedies_name_the_layer_that_feeds_the_activation() -> None:
    found = the(record(steps(), at(*between(tanh(1.0)))), "GR203")
    assert found.remedies[0].do == "nn.init.xavier_normal_(model[0].weight, gain=5 / 3)"
    found = the(record(steps(), at(*between(relu(1.0, rows=512)))), "GR204")
    assert found.remedies[0].do.startswith("for m in list(model.modules())")
    assert "(512 values of each)" in found.because
