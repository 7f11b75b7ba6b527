"""How a norm was limited, from every call of the script's own clip or from a sample, and the threshold it tells of."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.clipping import (
    clipping,
    clips_scaled,
    exceptional,
    interval,
    share_above,
    stands_for,
    unscaled,
)
from gradreach.facts.statistics import quantile, weighted_quantile
from gradreach.record.schema import Step
from tests.records.parts import steps


def clipped(norms: list[float], threshold: float = 1.0, **more: object) -> list[Step]:
    return [
        Step(i, 0.01 * i, 0, 1.0, None, pre_clip=norm, threshold=threshold, clip="norm", **more)  # type: ignore[arg-type]
        for i, norm in enumerate(norms)
    ]


def test_every_call_counts_and_then_the_rate_is_no_estimate() -> None:
    found = clipping(clipped([0.5] * 98 + [2.0, 3.0]), every=True)
    assert (found.rate, found.low, found.high, found.is_sampled) == (0.02, 0.02, 0.02, False)


def test_a_limit_on_each_value_is_none_on_the_norm() -> None:
    assert clipping([replace(step, clip="value") for step in clipped([9.0] * 9)], every=True).threshold is None


@pytest.mark.parametrize(("seen", "scaled"), [(65536.0, True), (1.0, False), (1.02, False)])
def test_a_clip_that_sees_the_loss_scale_is_told_by_its_norms(seen: float, scaled: bool) -> None:
    made = [replace(s, norm=0.5) for s in clipped([0.5 * seen] * 40, scale=65536.0)]
    sparse = [step if step.step % 5 == 0 else replace(step, norm=None) for step in made]
    assert clips_scaled(sparse) == scaled
    assert [step.unclipped for step in unscaled(sparse)] == pytest.approx(
        [0.5] * 40 if scaled else [0.5 * seen] * 40, rel=0.03
    )


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_the_interval_holds_the_true_share_as_often_as_it_says(share: float) -> None:
    draw, n, inside = random.Random(1), 60, 0
    for _ in range(2000):
        low, high = interval(sum(draw.random() < share for _ in range(n)) / n, float(n))
        inside += low <= share <= high
    assert inside / 2000 >= 0.92


def test_a_step_stands_for_those_around_it() -> None:
    assert stands_for([replace(step, step=at) for step, at in zip(steps(4), (0, 1, 11, 21), strict=True)]) == [
        1.0, 5.5, 10.0, 10.0,
    ]  # fmt: skip


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40), st.floats(0, 1))
def test_equal_weights_make_the_plain_quantile(values: list[float], q: float) -> None:
    assert weighted_quantile(values, [2.0] * len(values), q) == pytest.approx(quantile(values, q), rel=1e-6, abs=1e-6)


def test_large_norms_of_the_start_do_not_make_the_threshold_of_a_sampled_run() -> None:
    norms = [5.0 if i < 20 else 1.0 + (i % 10) / 10 for i in range(4000)]
    sample = [Step(i, 0.0, 0, 1.0, norm) for i, norm in enumerate(norms) if i < 40 or i % 37 == 0]
    whole = [Step(i, 0.0, 0, 1.0, norm) for i, norm in enumerate(norms)]
    assert exceptional(sample, ()) == pytest.approx(exceptional(whole, ()), rel=0.05)
    assert exceptional([], ()) is None


def test_of_norms_with_a_long_tail_the_largest_are_no_guide() -> None:
    tailed = clipped([1.0] * 90 + [5.0] * 5 + [500.0] * 5)
    assert exceptional(tailed, ()) == 10.0
    assert share_above(tailed, 10.0, ()) == 0.05
    assert share_above(tailed, 10.0, range(95, 100)) == 0.0
    assert exceptional(tailed, range(95, 100)) == 5.0
