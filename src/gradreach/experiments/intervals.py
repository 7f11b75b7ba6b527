"""How surely a share is known from a count, and whether one count is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from gradreach.experiments.claim import Claim

LEVEL = 0.05
FISHER = "Fisher's exact test at the 5 % level"

Count = tuple[int, int]
"""How many of how many: (successes, trials)."""


@runtime_checkable
class Attempt(Protocol):
    """A training: `solved` holds the updates after which it was learned, None where it never was."""

    @property
    def solved(self) -> int | None: ...


def successes(attempts: Sequence[Attempt]) -> int:
    """Return how many attempts were solved."""
    return sum(attempt.solved is not None for attempt in attempts)


def count(attempts: Sequence[Attempt]) -> Count:
    """Return how many attempts were solved, and how many there are."""
    return successes(attempts), len(attempts)


def interval(successes: int, n: int) -> tuple[float, float]:
    """The exact 95 % interval of a success rate, `successes` out of `n` trials (Clopper and Pearson 1934).

    >>> [round(end, 3) for end in interval(5, 5)]
    [0.478, 1.0]
    """
    from scipy.stats import binomtest  # type: ignore[import-untyped]

    exact = binomtest(successes, n).proportion_ci(0.95, method="exact")
    return float(exact.low), float(exact.high)


def chance_of(successes: int, n: int, others: int, m: int) -> float:
    """The chance of so many more successes in n trials than others have in m, if both were alike (Fisher 1935).

    >>> round(chance_of(4, 4, 0, 4), 4)
    0.0143
    """
    from scipy.stats import fisher_exact

    return float(fisher_exact([[successes, n - successes], [others, m - others]], alternative="greater").pvalue)


def more_often(
    ours: Sequence[Attempt], theirs: Sequence[Attempt], who: str, than: str, no_better: str, published: str = ""
) -> Claim:
    """Claim that our attempts were solved more often than theirs, by Fisher's exact test, one-sided.

    `who` is a subject with its verb, `than` the other subject, `no_better` completes "if …".
    """
    (k, n), (other, m) = count(ours), count(theirs)
    says = f"Chance that {who} so much more often than {than} ({k} of {n} against {other} of {m} runs) if {no_better}"
    return Claim(says, None, chance_of(k, n, other, m), None, LEVEL, FISHER, published=published)
