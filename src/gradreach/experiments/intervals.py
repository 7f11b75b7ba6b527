"""How surely a share is known from a count, and whether one count is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

LEVEL = 0.05
FISHER = "Fisher's exact test at the 5 % level"


@runtime_checkable
class Attempt(Protocol):
    """A training: `solved` after so many updates, None where it never was."""

    @property
    def solved(self) -> int | None: ...


def successes(attempts: Sequence[Attempt]) -> int:
    """How many were solved."""
    return sum(attempt.solved is not None for attempt in attempts)


def interval(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a success rate, `successes` out of `n` trials (Clopper and Pearson 1934).

    >>> [round(end, 3) for end in interval(5, 5)]
    [0.478, 1.0]
    """
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    exact = binomtest(successes, n).proportion_ci(0.95, method="exact")
    return float(exact.low), float(exact.high)


def chance_of(successes: int, n: int, others: int, m: int) -> float:
    """Of so many more successes, or yet more, in n trials than others have in m, were both alike (Fisher 1935).

    >>> round(chance_of(4, 4, 0, 4), 4)
    0.0143
    """
    from scipy.stats import fisher_exact

    return float(fisher_exact([[successes, n - successes], [others, m - others]], alternative="greater").pvalue)
