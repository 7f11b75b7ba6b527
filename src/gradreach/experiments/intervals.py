"""How surely a share is known from a count."""

from __future__ import annotations


def interval(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a success rate, `successes` out of `n` trials (Clopper and Pearson 1934).

    >>> [round(end, 3) for end in interval(5, 5)]
    [0.478, 1.0]
    """
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    exact = binomtest(successes, n).proportion_ci(0.95, method="exact")
    return float(exact.low), float(exact.high)
