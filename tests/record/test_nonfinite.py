"""What counts as not finite, and what may be the loss scale's doing."""

from __future__ import annotations

import math

import pytest

from gradreach.record.nonfinite import all_finite, may_be_overflow, nonfinite_value

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("values", "value"),
    [((), None), ((1.0, None), None), ((1.0, INF), "inf"), ((-INF, None), "inf"), ((INF, NAN), "nan")],
)
def test_nan_goes_before_infinity(values: tuple[float | None, ...], value: str | None) -> None:
    assert nonfinite_value(*values) == value
    assert all_finite(*values) == (value is None)


def test_only_a_scaled_loss_that_is_no_nan_may_have_overflown() -> None:
    assert may_be_overflow(INF, scaled=True)
    assert may_be_overflow(None, scaled=True)
    assert not may_be_overflow(NAN, scaled=True)
    assert not may_be_overflow(INF, scaled=False)
