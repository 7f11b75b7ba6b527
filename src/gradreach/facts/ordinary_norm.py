"""The ordinary norm of a run whose norm grew: the usual one before the growth began, where there was such a time."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

from gradreach.facts.breaks import GROWN
from gradreach.facts.statistics import median

FEWEST = 10
"""Steps that a norm must have been ordinary for: with a momentum of 0.9 updates take as long to reach their size."""

START = 3
"""First steps whose median is the norm that a run began with."""

WANDERS = 3.0
"""Times the norm that a run began with which an ordinary one may have: a norm wanders by 2 or 3 without meaning."""


def at_first(norms: Sequence[float]) -> float:
    """The norm that a run began with; of a few steps the first alone, for the others may have grown already."""
    return median(norms[:START]) if len(norms) > 2 * START - 1 else norms[0]


def before_growth(measured: Sequence[tuple[int, float]]) -> float | None:
    """The usual norm before the growth that a series of steps and norms ends with; None where it grew from its first
    steps on.

    The growth began after the last norm that was no more than GROWN times the median of those before it.
    """
    if not measured:
        return None
    norms = [norm for _, norm in measured]
    beginning = _beginning(norms)
    usual, lasted = median(norms[:beginning]), measured[beginning - 1][0] - measured[0][0] + 1
    return usual if lasted >= FEWEST and usual <= WANDERS * at_first(norms) else None


def _beginning(norms: Sequence[float]) -> int:
    earlier: list[float] = []
    beginning = 1
    for at, norm in enumerate(norms):
        if earlier and norm <= GROWN * earlier[len(earlier) // 2]:
            beginning = at + 1
        insort(earlier, norm)
    return beginning
