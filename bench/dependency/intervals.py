"""The exact binomial interval of Clopper and Pearson (1934)."""

from __future__ import annotations

from scipy.stats import binomtest

LEVEL = 0.95


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Both ends of the interval of the rate, at `LEVEL`; (0, 1) for no trials."""
    if trials == 0:
        return 0.0, 1.0
    found = binomtest(hits, trials).proportion_ci(LEVEL, method="exact")
    return float(found.low), float(found.high)


def said(hits: int, trials: int) -> str:
    """The rate with its interval, in per cent."""
    if trials == 0:
        return "–"
    low, high = interval(hits, trials)
    return f"{100 * hits / trials:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
