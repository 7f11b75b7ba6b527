from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradreach.facts.statistics import known, median, most, positive, rank_correlation, slope, spread

SERIES = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


@given(SERIES)
def test_median_and_slope_agree_with_the_standard_library(values: list[float]) -> None:
    assert median(values) == pytest.approx(statistics.median(values))
    assert slope(values) == pytest.approx(statistics.linear_regression(range(len(values)), values).slope, abs=1e-6)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40, unique=True))
def test_rank_correlation_is_that_of_the_ranks(values: list[float]) -> None:
    ranks = [sorted(values).index(value) for value in values]
    assert rank_correlation(values) == pytest.approx(statistics.correlation(ranks, range(len(values))))


def test_spread_is_untouched_by_an_outlier() -> None:
    assert spread([1.0, 2.0, 3.0, 4.0, 1e9]) == pytest.approx(1.4826)


def test_median_of_nothing_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="at least one figure"):
        median([])


def test_known_and_positive() -> None:
    values = [None, math.nan, math.inf, 0.0, 2.0, -1.0]
    assert known(values) == [0.0, 2.0, -1.0]
    assert positive(values) == [2.0]


def test_most_asks_for_two_thirds_and_the_last() -> None:
    assert most([True, False, True])
    assert not most([True, True, False])
    assert not most([False, False, True])
    assert not most([])
