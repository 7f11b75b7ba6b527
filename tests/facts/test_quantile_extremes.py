"""Arithmetic on recorded series."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.statistics import extremes, finite, quantile

values = st.lists(st.none() | st.floats(width=32), max_size=300)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_finite_knows_no_other(value: float | None) -> None:
    assert finite(value) is None


def test_quantile_interpolates_over_the_finite() -> None:
    assert quantile([4.0, None, 1.0, math.nan, 2.0, math.inf, 3.0], 0.5) == 2.5
    assert quantile([4.0, 1.0], 1.0) == 4.0
    assert quantile([math.nan, None], 0.5) is None


@given(values, st.integers(1, 40))
def test_extremes_keep_lowest_and_highest(series: list[float | None], buckets: int) -> None:
    kept = extremes(series, buckets)
    assert kept == sorted(set(kept))
    assert len(kept) <= 2 * buckets
    there = [value for value in series if value is not None and math.isfinite(value)]
    if there:
        shown = [series[i] for i in kept]
        assert min(there) in shown
        assert max(there) in shown


def test_extremes_keep_all_of_a_short_series() -> None:
    assert extremes([1.0, None, 3.0], 2) == [0, 1, 2]
