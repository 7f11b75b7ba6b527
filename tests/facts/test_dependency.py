"""The verdict on every lag: what the error depends on, joined with what the gradient reaches."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.dependency import DependencyTest, spans, strongest
from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.record.look import Look
from gradreach.record.schema import Lag, NonFinite, Record
from tests.records.parts import at, dependency, free, lag, probe, record, steps, time_look

NEAR, FAR = 3, 40
"""Lags that a tanh layer of factor 0.5 reaches, 0.125, and does not."""


def judged(*lags: Lag, looks: tuple[Look, ...] | None = None, **more: object) -> DependencyTest:
    looks = at(time_look(factor=0.5)) if looks is None else looks
    (found,) = Facts(record(steps(), looks, dependency=(dependency(*lags, **more),))).dependency_tests
    return found


def verdict(one: Lag, looks: tuple[Look, ...] | None = None, **more: object) -> str:
    return judged(one, looks=looks, **more).lags[0].verdict


DEPENDS, SLIGHT, FREE, BLIND = lag(1), lag(1, share=0.001), free(1), free(1, detectable=0.2)
REACHES = {"reached": 3, "vanishing": 40, "cut off": 60}


@pytest.mark.parametrize("place", [*REACHES, "not judged"])
@pytest.mark.parametrize(
    ("found", "says"), [(DEPENDS, ""), (SLIGHT, "slight"), (FREE, "nothing"), (BLIND, "undecided")]
)
def test_every_cell_of_the_table(found: Lag, says: str, place: str) -> None:
    looks = () if place == "not judged" else None
    n = REACHES.get(place, 40)
    one = replace(found, lag=n, until=n, at=n)
    assert verdict(one, looks) == (says or place)


@pytest.mark.parametrize(
    ("q", "says"), [(0.01, "vanishing"), (0.0101, "undecided"), (0.05, "undecided"), (0.0501, "nothing")]
)
def test_a_lag_counts_up_to_a_q_of_one_percent_and_is_free_from_five_on(q: float, says: str) -> None:
    assert verdict(lag(FAR, q=q)) == says


@pytest.mark.parametrize(("share", "says"), [(0.01, "vanishing"), (0.0099, "slight"), (math.nan, "slight")])
def test_what_it_holds_must_be_worth_learning(share: float, says: str) -> None:
    assert verdict(lag(FAR, share=share), error=1.0) == says


@pytest.mark.parametrize(
    ("error", "says"), [(0.5, "vanishing"), (0.499, "slight"), (0.05, "slight"), (1.0, "vanishing"), (3.0, "vanishing")]
)
def test_the_share_counts_of_the_variance_that_the_error_had_at_first(error: float, says: str) -> None:
    """Of what is learned almost all, 4 % are no longer 1 % at half the error; a grown error makes no share larger."""
    assert verdict(lag(FAR, share=0.04), error=error) == says
    assert verdict(lag(FAR, share=0.009), error=3.0) == "slight"


@pytest.mark.parametrize(("r", "says"), [(0.01, "reached"), (0.00999, "vanishing"), (0.0, "vanishing")])
def test_reached_means_one_percent(r: float, says: str) -> None:
    looks = at(time_look(reach=(1.0, *[0.5] * 39, r, *[0.5] * 19)))
    assert verdict(lag(FAR), looks) == says


@pytest.mark.parametrize(("n", "says"), [(59, "vanishing"), (60, "cut off"), (90, "cut off")])
def test_past_the_chunk_it_is_cut_off(n: int, says: str) -> None:
    found = judged(lag(n), T=120)
    assert found.lags[0].verdict == says
    assert n < 60 or found.lags[0].reach == 0.0


@pytest.mark.parametrize(("detectable", "says"), [(0.05, "nothing"), (0.0501, "undecided"), (math.nan, "undecided")])
def test_no_dependency_is_told_only_where_it_would_have_been_seen(detectable: float, says: str) -> None:
    assert verdict(free(FAR, detectable=detectable)) == says


def test_the_reach_is_taken_at_the_lag_that_says_most() -> None:
    assert [each.verdict for each in judged(lag(2, 40, at=NEAR), lag(2, 40, at=FAR)).lags] == ["reached", "vanishing"]
    assert judged(lag(2, 40, at=NEAR)).lags[0].reach == 0.125


def test_the_layer_that_reaches_farthest_counts() -> None:
    looks = at(time_look(factor=0.5), time_look(factor=0.99, layer=1))
    found = judged(lag(FAR), looks=looks)
    assert found.lags[0].verdict == "reached"
    assert found.lags[0].reach == pytest.approx(0.99**40)
    assert found.reach.horizon == 59


def test_a_layer_that_runs_in_reverse_brings_nothing_from_earlier_inputs() -> None:
    assert verdict(lag(FAR), at(time_look(factor=0.5), time_look(factor=0.99, direction="reverse"))) == "vanishing"
    assert verdict(lag(FAR), at(time_look(factor=0.99, direction="reverse"))) == "not judged"


def test_the_layers_of_another_place_do_not_count() -> None:
    here, there = at(time_look(factor=0.5)), at(time_look(factor=0.99))
    looks = (*here, *(replace(look, site=1, step=look.step + 1) for look in there))
    made = record(steps(), looks, dependency=(dependency(lag(FAR)), dependency(lag(FAR), site=1)))
    assert [each.lags[0].verdict for each in Facts(made).dependency_tests] == ["vanishing", "reached"]


def test_the_chunk_is_that_of_the_module_whose_error_it_is() -> None:
    looks = at(time_look(factor=0.99, T=20), time_look(module="model.other", factor=0.99))
    assert judged(lag(30), looks=looks).reach.T == 20
    assert verdict(lag(30), looks) == "cut off"
    assert judged(lag(30), looks=looks, module="model.third").reach.T == 60


def test_the_last_looks_decide() -> None:
    early, late = at(time_look(factor=0.99), count=4), at(time_look(factor=0.5), count=3)
    looks = (*early, *(replace(look, step=50 + look.step) for look in late))
    assert verdict(lag(FAR), looks) == "vanishing"
    assert verdict(lag(FAR), (*late, *(replace(look, step=50 + look.step) for look in early))) == "reached"
    assert judged(looks=looks).reach.horizon == 6
    one_odd = (*late, *(replace(look, step=50 + look.step) for look in early[:1]))
    assert verdict(lag(FAR), one_odd) == "vanishing"


def test_what_comes_after_the_break_does_not_count() -> None:
    late = (replace(look, step=90 + look.step) for look in at(time_look(factor=0.99), count=3))
    looks = (*at(time_look(factor=0.5), count=2), *late)
    made = record(steps(), looks, dependency=(dependency(lag(FAR)),), nonfinite=(NonFinite(60, 0, "loss", "nan"),))
    assert Facts(made).dependency_tests[0].lags[0].verdict == "vanishing"
    assert Facts(replace(made, nonfinite=())).dependency_tests[0].lags[0].verdict == "reached"


def test_longer_sequences_of_some_batches_are_no_chunk_edge() -> None:
    looks = (*at(time_look(factor=0.99, T=30), count=4), *at(time_look(factor=0.99, T=60), count=1))
    assert verdict(lag(FAR), looks) == "reached"


@pytest.mark.parametrize(
    ("reach", "says"),
    [
        (tuple(0.5**n for n in range(20)), "vanishing"),  # left off where it had fallen
        (tuple(2.0**n for n in range(20)), "not judged"),  # left off where it overflowed
        ((1.0, *[math.nan] * 59), "not judged"),
        ((), "not judged"),
    ],
)
def test_a_curve_that_ends_early(reach: tuple[float, ...], says: str) -> None:
    assert verdict(lag(FAR), at(time_look(reach=reach))) == says


def test_where_one_layer_is_unseen_none_is_said_to_vanish() -> None:
    unseen = time_look(layer=1, reach=(1.0, 2.0))
    assert verdict(lag(FAR), at(time_look(factor=0.5), unseen)) == "not judged"
    assert verdict(lag(FAR), at(time_look(factor=0.99), unseen)) == "reached"


def test_models_without_a_recurrence_are_judged_by_their_probes() -> None:
    found = judged(lag(10), lag(20), lag(60), looks=at(probe()), module="model.head")
    assert [each.verdict for each in found.lags] == ["reached", "vanishing", "cut off"]
    assert (found.reach.horizon, found.reach.T) == (15, 60)
    assert verdict(lag(20), at(probe(module="model.tail")), module="model.head") == "not judged"


def test_bands_past_the_horizon() -> None:
    found = judged(free(1, 6), free(5, 9), lag(5, 9, at=6), lag(5, 9, at=7), lag(20), free(7, 59, detectable=0.3))
    assert found.reach.horizon == 6
    assert [each.lag for each in found.beyond] == [each.lag for each in found.lags[1:2] + found.lags[3:]]
    assert judged(free(20), looks=()).beyond == ()


def test_spans_join_neighbouring_bands() -> None:
    assert spans([lag(5)]) == "5"
    assert spans([lag(1), lag(2, 3), lag(40, 60)]) == "1–3 and 40–60"
    assert spans([lag(1), lag(3), lag(40, 60)]) == "1, 3 and 40–60"
    assert spans([]) == ""


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=8))
def test_spans_hold_just_the_lags_of_the_bands(gaps: list[tuple[int, int]]) -> None:
    bands, at_ = [], 0
    for gap, width in gaps:
        bands.append(lag(at_ + gap, at_ + gap + width))
        at_ += gap + width
    told: set[int] = set()
    for part in spans(bands).replace(" and ", ", ").split(", "):
        near, _, far = part.partition("–")
        told |= set(range(int(near), int(far or near) + 1))
    assert told == {n for band in bands for n in range(band.lag, band.until + 1)}


def test_the_strongest_holds_the_largest_share() -> None:
    found = judged(lag(20, share=0.1), lag(30, share=math.nan), lag(FAR, share=0.3), lag(50, share=0.2))
    assert strongest(found.lags).lag.lag == FAR


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("m.rnn", "m.rnn", True),
        ("m.rnns.0", "m.rnns.1", True),
        ("m.rnns", "m.rnns.1", True),
        ("m.rnn", "m.rnn.cell", True),
        ("m.rnn", "m.rnn2", False),
        ("m.encoder", "m.decoder", False),
        ("m.0.rnn", "m.1.rnn", False),
        ("", "", True),
    ],
)
def test_stacks(one: str, other: str, same: bool) -> None:
    assert of_one_stack(one, other) == of_one_stack(other, one) == same


def test_a_record_without_a_test_has_no_verdict() -> None:
    assert Facts(Record(record().run)).dependency_tests == ()
    assert judged().lags == ()
