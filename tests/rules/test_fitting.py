"""Which remedies fit a run: what is in place already, or what the run's own figures speak against, is not named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import GuardSummary, NonFinite, Overhead, Record
from gradreach.record.seen.depth import DepthLook
from tests.records.parts import activation, at, between, chain, dependency, flat, lag, record, steps, time_look
from tests.records.speaking import NOTHING, SPEAKING, blown
from tests.rules.judging import codes, the


def ids(made: Record, code: str) -> list[str]:
    return [remedy.id for remedy in the(made, code).remedies]


def unreached(**more: Any) -> Record:
    """A dependency 40 steps back that no gradient comes from, in a tanh RNN whose slopes would let it."""
    looks = at(time_look(**{"factor": 0.5, "gamma_mean": 0.98, **more}))
    return record(steps(400, loss=flat), looks, dependency=(dependency(lag(40)),))


def test_orthogonal_weights_are_named_where_they_would_reach() -> None:
    assert ids(unreached(), "GR402") == ["orthogonal", "gated-cell"]


def test_orthogonal_weights_that_are_in_place_are_not_named_whatever_keeps_them_so() -> None:
    assert ids(unreached(lambda_=1.0, rho=1.0), "GR402") == ["gated-cell"]
    assert ids(unreached(lambda_=1.01, rho=0.99), "GR402") == ["gated-cell"]
    assert ids(unreached(lambda_=1.0, rho=0.6), "GR402") == ["orthogonal", "gated-cell"]


def test_weights_under_a_parametrization_are_not_written_into() -> None:
    made = unreached()
    held = DepthLook("model.rnn.parametrizations.weight_hh_l0", "ParametrizationList", 0, 1)
    looks = tuple(replace(look, depth=(held,)) for look in made.looks)
    assert ids(replace(made, looks=looks), "GR402") == ["gated-cell"]


def test_orthogonal_weights_do_not_reach_past_what_the_slopes_let_through() -> None:
    assert 0.9**40 < 0.05 < 0.98**40
    assert ids(unreached(gamma_mean=0.9), "GR402") == ["gated-cell"]


def test_a_recurrence_of_ones_own_that_overflows_is_not_told_to_be_orthogonal() -> None:
    found = NonFinite(41, 0, "forward", "inf", "model.cell", "ExpBackward0", time_step=7, replayed=True)
    assert "orthogonal" not in ids(record(steps(41), nonfinite=(found,)), "GR301")


@pytest.mark.parametrize(("norm", "first"), [(1.2, "scale-input"), (3.0, "orthogonal"), (None, "scale-input")])
def test_a_saturated_recurrence_is_told_what_is_too_large_its_input_or_its_matrix(norm: Any, first: str) -> None:
    assert ids(record(steps(), at(time_look(saturated=0.9, lambda_=norm))), "GR103") == [first]


@pytest.mark.parametrize(("size", "named"), [(1.0, False), (5.0, True), (None, False)])
def test_an_input_of_the_right_size_is_not_to_be_scaled(size: Any, named: bool) -> None:
    first, second, last = between(activation("Tanh", saturated=0.9))
    first = replace(first, units=64, weight_norm=8.0, activation_rms=size)
    assert ("scale-input" in ids(record(steps(), at(first, second, last)), "GR203")) == named


def test_weights_of_the_right_size_are_not_to_be_started_anew() -> None:
    first, second, last = between(activation("Tanh", saturated=0.9))
    wide = replace(first, units=64, weight_norm=64.0)
    assert "initial-scale" in ids(record(steps(), at(wide, second, last)), "GR203")
    assert "initial-scale" not in ids(record(steps(), at(replace(wide, weight_norm=8.0), second, last)), "GR203")


def test_what_is_normalised_or_logistic_is_not_to_be_normalised() -> None:
    layers = chain(10, 0.141)
    assert "layer-norm" in ids(record(steps(loss=flat), at(*layers)), "GR201")
    norm = DepthLook("model.norm", "LayerNorm", 20, 1, 1.0, 1e-2)
    assert "layer-norm" not in ids(record(steps(loss=flat), at(*layers, norm)), "GR201")
    assert "layer-norm" not in ids(record(steps(loss=flat), at(*chain(10, 0.141, activation="sigmoid"))), "GR201")


def test_a_residual_stream_is_not_told_to_be_one() -> None:
    looks = at(*chain(10, 0.141), skip_connections=True)
    assert "residual" not in ids(record(steps(loss=flat), looks), "GR201")


def dead(first: float, weight_norm: float, rms: float = 8.0) -> tuple[Look, ...]:
    """Units of which the share `first` was dead before the first step, and all of them later on."""
    before, relu, last = between(activation("ReLU", dead=first, rows=512))
    before = replace(before, units=64, weight_norm=weight_norm, activation_rms=rms)
    return *at(before, relu, last, count=1), *at(before, replace(relu, dead=1.0), last, start=10)


@pytest.mark.parametrize(
    ("looks", "remedy"),
    [
        (dead(0.0, 8.0, rms=1.0), ["learning-rate", "leaky"]),
        (dead(1.0, 8.0, rms=1.0), ["leaky"]),
        (dead(1.0, 64.0, rms=1.0), ["fresh-start"]),
        (dead(1.0, 0.01, rms=1e-4), ["fresh-start"]),
        (dead(0.0, 8.0, rms=100.0), ["scale-input"]),
    ],
    ids=["died", "born dead", "started too large", "started at zero", "raw input"],
)
def test_dead_units_are_told_what_killed_them(looks: tuple[Look, ...], remedy: list[str]) -> None:
    assert ids(record(steps(), looks), "GR204") == remedy


def test_beside_growth_no_longer_step_is_advised() -> None:
    alone = SPEAKING["GR305 too small"]
    assert ids(alone, "GR305") == ["raise-rate"]
    grown = record(alone.steps, at(*chain(10, 4.0, update_ratio=1e-8)))
    assert "GR305" not in codes(grown)
    clipped = SPEAKING["GR303"]
    assert ids(clipped, "GR303") == ["raise-threshold", "raise-rate"]
    grown = replace(clipped, looks=at(*chain(10, 4.0, update_ratio=1e-3)))
    assert ids(grown, "GR303") == ["find-out"]


def test_updates_of_the_usual_size_are_not_to_be_made_larger() -> None:
    made = SPEAKING["GR403"]
    assert "raise-rate" in ids(made, "GR403")
    looks = tuple(replace(look, depth=chain(3, update_ratio=4e-3)) for look in made.looks)
    assert "raise-rate" not in ids(replace(made, looks=looks), "GR403")


def test_a_raw_input_is_to_be_scaled_before_anything_is_clipped_or_lowered() -> None:
    assert ids(SPEAKING["GR304"], "GR304") == ["clip", "lower-rate"]
    first, *others = chain(3)
    raw = at(replace(first, units=64, activation_rms=100.0), *others)
    assert ids(record(blown(1000.0, 1e4), raw), "GR304") == ["scale-input"]


def test_under_a_guard_no_guard_is_advised() -> None:
    broken = SPEAKING["GR301"]
    assert "skip-step" in ids(broken, "GR301")
    assert "skip-step" not in ids(replace(broken, guarded=GuardSummary(1)), "GR301")


def test_more_looks_are_advised_only_where_there_may_be_more() -> None:
    made = SPEAKING["GR401"]
    assert ids(made, "GR401") == ["look-more-often"]
    full = replace(made, dependency=(dependency(*NOTHING, sequences=512),))
    assert the(full, "GR401").remedies[0].do == "gradreach explain GR401"
    whole = replace(made, overhead=Overhead(0.02, 0.1, 0.1, 1.0, every=1))
    assert the(whole, "GR401").remedies[0].do == "gradreach explain GR401"
