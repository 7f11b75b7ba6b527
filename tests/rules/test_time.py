from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.schema import NonFinite
from gradreach.rules import time
from gradreach.rules.registry import not_judged, passed

from .records import at, codes, record, steps, the, time_look


def test_vanishing_is_information_with_horizon_factor_and_bound() -> None:
    found = the(record(steps(), at(time_look(factor=0.5))), "GR101")
    assert found.severity == "info"
    assert found.where["module"] == "model.rnn"
    assert found.where["direction"] == "forward"
    assert found.evidence["horizon"] == 6
    assert found.evidence["T"] == 60
    assert found.evidence["bound_factor"] == 1.1
    assert found.because.startswith("r(ℓ) falls under 0.01 past lag 6 of 59, times 0.5 a step on the way; ")
    assert found.evidence["factor_to_horizon"] == pytest.approx(0.5)


def test_the_rate_told_leads_from_one_to_the_first_value_under_one_percent() -> None:
    """The slope over all lags does not, where the curve bends."""
    reach = (*(0.5**lag for lag in range(8)), *(0.0078 * 0.95**lag for lag in range(52)))
    found = the(record(steps(), at(time_look(reach=reach, horizon=6, factor=0.93))), "GR101")
    assert "times 0.5 a step on the way" in found.because
    assert "0.93" not in found.because


def test_a_bound_under_one_is_named_as_the_cause() -> None:
    assert (
        "alone already forces it" in the(record(steps(), at(time_look(factor=0.5, bound_factor=0.7))), "GR101").because
    )


@pytest.mark.parametrize(("horizon", "speaks"), [(29, True), (30, False), (59, False)])
def test_vanishing_speaks_under_half_of_the_sequence(horizon: int, speaks: bool) -> None:
    reach = tuple(1.0 if lag <= horizon else 1e-3 for lag in range(60))
    assert ("GR101" in codes(record(steps(), at(time_look(horizon=horizon, reach=reach))))) == speaks


def test_a_curve_that_a_shortcut_revives_has_not_vanished() -> None:
    revived = tuple(0.7 ** (lag // 8) if lag % 8 == 0 else 1e-4 for lag in range(60))
    assert "GR101" not in codes(record(steps(), at(time_look(reach=revived, horizon=0, factor=0.96))))
    fading = tuple(0.3 ** (lag // 8) if lag % 8 == 0 else 1e-4 for lag in range(60))
    assert "GR101" in codes(record(steps(), at(time_look(reach=fading, horizon=0, factor=0.9))))


def test_short_sequences_are_not_judged() -> None:
    made = record(steps(), at(time_look(factor=0.1, T=9)))
    assert "GR101" not in codes(made)
    assert "GR101" in not_judged(made)
    assert "GR101" not in passed(made)


def test_each_layer_and_direction_is_judged_by_itself() -> None:
    deep = time_look(factor=0.5, layer=1, direction="reverse")
    found = the(record(steps(), at(time_look(factor=0.99), deep)), "GR101")
    assert (found.where["layer"], found.where["direction"]) == (1, "reverse")


def test_exploding_with_sound_steps_is_a_warning() -> None:
    found = the(record(steps(), at(time_look(factor=1.2))), "GR102")
    assert found.severity == "warning"
    assert found.evidence["lag"] == 59
    assert found.evidence["far_reach"] == pytest.approx(1.2**59)


def test_exploding_is_an_error_where_the_steps_blew_up() -> None:
    blowing = steps(
        100, norm=lambda i: 1.0 if i < 60 else 2.0 ** (i - 60), loss=lambda i: 1.0 if i < 60 else 2.0 ** (i - 60)
    )
    assert the(record(blowing, at(time_look(factor=1.05))), "GR102").severity == "error"
    broken = (NonFinite(step=90, site=0, phase="backward", value="inf"),)
    assert the(record(steps(90), at(time_look(factor=1.05)), nonfinite=broken), "GR102").severity == "error"


def test_non_finite_data_does_not_make_a_growing_curve_an_error() -> None:
    broken = (NonFinite(step=90, site=0, phase="input", value="inf"),)
    assert "GR102" not in codes(record(steps(90), at(time_look(factor=1.05)), nonfinite=broken))


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.02, 1.07])
def test_orthogonal_and_identity_starts_do_not_explode(factor: float) -> None:
    assert "GR102" not in codes(record(steps(), at(time_look(factor=factor))))


def test_exploding_must_last_over_the_looks() -> None:
    looks = (
        *at(time_look(factor=0.99), count=4),
        *(replace(look, step=100) for look in at(time_look(factor=1.3), count=1)),
    )
    assert "GR102" not in codes(record(steps(), looks))


@pytest.mark.parametrize(("share", "speaks"), [(0.79, False), (0.8, True), (1.0, True)])
def test_saturated_tanh(share: float, speaks: bool) -> None:
    assert ("GR103" in codes(record(steps(), at(time_look(saturated=share))))) == speaks


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_gates_saturate_rightly(kind: str) -> None:
    assert "GR103" not in codes(record(steps(), at(time_look(kind=kind, saturated=0.9, factor=0.5))))
    assert "GR103" not in codes(record(steps(), at(time_look(kind=kind, saturated=0.97, factor=0.999))))
    assert "GR103" in codes(record(steps(), at(time_look(kind=kind, saturated=0.97, factor=0.5))))


def test_saturation_needs_several_looks() -> None:
    assert "GR103" not in codes(record(steps(), at(time_look(saturated=1.0), count=2)))


def test_nothing_recurrent_is_not_passed() -> None:
    made = record(steps(), at())
    assert not {"GR101", "GR102", "GR103"} & set(passed(made))


def test_rules_without_evidence_have_their_text() -> None:
    assert time.TRUNCATION.check is None
    assert time.STATE.check is None


def test_a_short_last_batch_does_not_speak_for_its_layer() -> None:
    looks = (*at(time_look(factor=0.5)), *at(time_look(factor=0.2, T=12), count=1))
    assert the(record(steps(), looks), "GR101").evidence["T"] == 60
