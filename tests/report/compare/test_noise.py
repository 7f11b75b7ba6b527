"""The intervals: exact where theory gives a figure, and of the level that they name on simulated runs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gradreach.report.compare.by_step import _batched, _mean, _sparse
from gradreach.report.compare.measure import Part
from gradreach.report.compare.noise import BATCHES, DRIFTS, LEVEL, correlation, holm, paired, unpaired
from tests.records.pairs import noise

ALTERNATING = [1.0, -1.0] * (BATCHES // 2)


def test_paired_is_the_t_interval_of_the_differences_where_nothing_hangs_together() -> None:
    rng = np.random.default_rng(3)
    jitter = np.array(ALTERNATING) * rng.uniform(0.5, 1.5, BATCHES)
    a, b = jitter, 0.3 - jitter
    change = paired(a.tolist(), b.tolist())
    expected = stats.ttest_1samp(b - a, 0.0)
    interval = expected.confidence_interval(0.95)
    assert (change.low, change.high) == pytest.approx((interval.low, interval.high))
    assert change.p == pytest.approx(expected.pvalue)
    assert change.value == pytest.approx((b - a).mean())
    assert change.df == BATCHES - 1


def test_unpaired_is_welch_where_nothing_hangs_together() -> None:
    a, b = [1.0, -1.2, 1.4, -0.9, 1.1, -1.3, 0.7], [3.1, -2.4, 4.0, -2.9, 3.3, -1.0, 2.0, -2.2]
    change, expected = unpaired(a, b), stats.ttest_ind(b, a, equal_var=False)
    assert change.value / np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b)) == pytest.approx(
        expected.statistic
    )
    assert change.df == int(expected.df)
    assert change.p >= expected.pvalue


def test_what_hangs_together_widens() -> None:
    slow = [0.0, 0.1, 0.3, 0.5, 0.6, 0.5, 0.3, 0.1, 0.0, 0.1]
    mixed = [0.0, 0.6, 0.1, 0.5, 0.3, 0.1, 0.5, 0.0, 0.3, 0.1]
    still = [0.0] * BATCHES
    wide, narrow = (paired(still, side) for side in (slow, mixed))
    assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)


def test_a_shared_fall_does_not_widen() -> None:
    fall = [3.0 * 0.7**i for i in range(BATCHES)]
    a = [x + 0.01 * y for x, y in zip(fall, ALTERNATING, strict=True)]
    b = [x - 0.01 * y for x, y in zip(fall, ALTERNATING, strict=True)]
    change = paired(a, b)
    assert change.low < 0 < change.high
    assert change.high - change.low < 0.5


def test_a_drift_is_no_noise_in_long_batches() -> None:
    a = [0.01 * x for x in ALTERNATING]
    b = [1.0 - 0.05 * i - x for i, x in enumerate(a)]
    short, long = paired(a, b), paired(a, b, drift=True)
    assert long.high - long.low < 0.2 * (short.high - short.low)
    assert long.value == short.value


def test_no_value_is_known_better_than_its_grain() -> None:
    change = unpaired([5.0] * 6, [6.0] * 6, grain=1.0)
    assert change.low < 1.0 < change.high
    assert change.p > 1e-4
    assert paired([0.0] * BATCHES, [0.0] * BATCHES).p == 1.0


@pytest.mark.parametrize("phi", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("degree", [0, 2])
def test_correlation_is_nearly_without_bias(phi: float, degree: int) -> None:
    rng = np.random.default_rng(11)
    seen = np.mean([correlation(noise(rng, 200, phi).tolist(), degree) for _ in range(200)])
    assert seen == pytest.approx(phi, abs=0.035)


def test_correlation_of_a_series_too_short_is_taken_for_close() -> None:
    assert correlation([1.0, 2.0, 2.5], 0) == 0.95
    assert correlation([1.0, 1.0, 1.0, 1.0, 1.0], 0) == 0.0


def test_holm_steps_down() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_too_few_is_an_error_that_says_so() -> None:
    with pytest.raises(ValueError, match=r"a, b: expected 10 batch means of each, got 3 and 3"):
        paired([1.0] * 3, [1.0] * 3)
    with pytest.raises(ValueError, match=r"expected 6 looks or more of each, got 2 and 9"):
        unpaired([1.0] * 2, [1.0] * 9)


def _claims(phi: float, count: int, trials: int, apart: float = 0.0) -> float:
    """The share of pairs of runs of one falling loss under AR(1) noise for which a change is claimed."""
    rng = np.random.default_rng(round(1000 * phi) + count)
    fall = 2.5 * np.exp(-3 * np.arange(count) / count)
    part = Part(count // 2, count - 1)
    drift = count // 2 >= DRIFTS * BATCHES
    claimed = 0
    for _ in range(trials):
        a, b = (list(enumerate((fall + 0.05 * noise(rng, count, phi)).tolist())) for _ in range(2))
        batches = _batched(a, [(step, value + apart) for step, value in b], part, _mean)
        assert not isinstance(batches, str)
        claimed += paired(*batches, drift=drift).p <= LEVEL
    return claimed / trials


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("count", [150, 600])
def test_two_runs_of_the_same_loss_are_told_apart_no_oftener_than_they_may(phi: float, count: int) -> None:
    assert _claims(phi, count, 300) <= LEVEL


def test_two_levels_are_told_apart() -> None:
    assert _claims(0.5, 600, 50, apart=0.04) >= 0.9


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_steps_measured_seldom_keep_the_level(phi: float) -> None:
    rng = np.random.default_rng(17)
    fall = 3.0 * np.exp(-np.arange(400) / 60)
    claims = 0
    for _ in range(200):
        a, b = ((fall + 0.1 * noise(rng, 400, phi))[200::11].tolist() for _ in "AB")
        change = _sparse(a, b, Part(200, 399), 0.0)
        assert change is not None
        claims += change.p <= LEVEL
    assert stats.binomtest(claims, 200, LEVEL, alternative="greater").pvalue > 0.01


def test_equal_values_do_not_hang_together() -> None:
    assert correlation([0.1] * 18, 0) == 0.0
