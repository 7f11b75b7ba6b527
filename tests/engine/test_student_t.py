"""Student's t against scipy."""

from __future__ import annotations

import math

import pytest
from scipy import stats

from gradreach.engine.student_t import quantile, two_sided

DEGREES = [*range(1, 31), 60, 99, 100, 501, 1000]


@pytest.mark.parametrize("df", DEGREES)
def test_probability_is_that_of_scipy(df: int) -> None:
    for t in (0.0, 1e-3, 0.3, 1.0, 2.1, 7.0, 30.0):
        assert two_sided(t, df) == pytest.approx(2 * stats.t.sf(t, df), abs=1e-13)
        assert two_sided(-t, df) == two_sided(t, df)


@pytest.mark.parametrize("df", DEGREES)
def test_quantile_is_that_of_scipy(df: int) -> None:
    for share in (0.5, 0.05, 0.01, 1e-5):
        assert quantile(share, df) == pytest.approx(stats.t.isf(share / 2, df), rel=1e-7)


def test_the_ends_of_the_line() -> None:
    assert two_sided(math.inf, 3) == 0.0
    assert two_sided(0.0, 3) == 1.0
    assert two_sided(2.0, 10**9) == pytest.approx(2 * stats.norm.sf(2.0), rel=1e-2)
