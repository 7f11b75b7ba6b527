from math import comb

import pytest

from gradreach.experiments.intervals import interval


@pytest.mark.parametrize(("successes", "n"), [(0, 5), (3, 5), (5, 5), (7, 20)])
def test_each_end_leaves_a_fortieth_beyond(successes: int, n: int) -> None:
    low, high = interval(successes, n)
    at_least = sum(comb(n, k) * low**k * (1 - low) ** (n - k) for k in range(successes, n + 1))
    at_most = sum(comb(n, k) * high**k * (1 - high) ** (n - k) for k in range(successes + 1))
    assert at_least == pytest.approx(0.025 if successes else 1)
    assert at_most == pytest.approx(0.025 if successes < n else 1)
