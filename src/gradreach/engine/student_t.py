"""Student's t distribution for whole degrees of freedom, in closed form.

P(|T| ≤ t) is a finite sum: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
from functools import cache

MOST = 1000
"""Degrees of freedom from which on the distribution no longer changes to three digits."""


def two_sided(t: float, df: int) -> float:
    """P(|T| ≥ |t|) on `df` ≥ 1 degrees of freedom, to about 1e-15; 0 where t is infinite."""
    if math.isinf(t):
        return 0.0
    df = min(df, MOST)
    angle = math.atan(abs(t) / math.sqrt(df))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = df % 2 == 1
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for k in range(3 if odd else 2, df + 1, 2):
        total += term
        term *= square * (k - 1) / k
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return max(1.0 - inside, 0.0)


@cache
def quantile(share: float, df: int) -> float:
    """The t that |T| exceeds with probability `share`, 0 < share < 1, on `df` ≥ 1 degrees of freedom, by bisection."""
    low, high = 0.0, 1.0
    while two_sided(high, df) > share:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, df) > share else (low, middle)
    return high
