"""The exact binomial interval of Clopper and Pearson (1934)."""

from __future__ import annotations

import math
from collections.abc import Callable

LEVEL = 0.95


def interval(hits: int, trials: int) -> tuple[float, float]:
    """Both ends of the interval of the rate, at `LEVEL`; (0, 1) of no trials."""
    tail = (1 - LEVEL) / 2
    low = 0.0 if hits == 0 else _root(lambda rate: _at_least(hits, trials, rate) - tail)
    high = 1.0 if hits == trials else _root(lambda rate: tail - (1 - _at_least(hits + 1, trials, rate)))
    return low, high


def said(hits: int, trials: int) -> str:
    """The rate with its interval, in per cent."""
    if trials == 0:
        return "–"
    low, high = interval(hits, trials)
    return f"{100 * hits / trials:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def _at_least(hits: int, trials: int, rate: float) -> float:
    """P(X ≥ hits) of X ~ Binomial(trials, rate), 0 < rate < 1."""
    logs = [
        math.lgamma(trials + 1) - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
        + k * math.log(rate) + (trials - k) * math.log1p(-rate)
        for k in range(hits, trials + 1)
    ]  # fmt: skip
    return math.fsum(math.exp(each) for each in logs)


def _root(rises: Callable[[float], float]) -> float:
    """Where a rising function crosses zero between 0 and 1, by halving."""
    low, high = 1e-12, 1 - 1e-12
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < 0 else (low, middle)
    return (low + high) / 2
