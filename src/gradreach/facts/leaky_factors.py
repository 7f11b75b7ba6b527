"""Outputs that are held against targets and stand in a factor of log-probabilities as well, over all looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.losses import LossPart
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loss import LeakyFactor

MOSTLY = 0.5
"""Part of the looks at a line that must have seen it."""

ERRORS = ("squared error", "absolute error")


@dataclass(frozen=True, slots=True)
class LeakSeen:
    """Such an output at one line, in the looks that saw it; `part` is what holds it against targets, where that is
    known by its module."""

    site: int
    looks: tuple[LeakyFactor, ...]
    part: LossPart | None

    @property
    def last(self) -> LeakyFactor:
        """As the last look saw it."""
        return self.looks[-1]

    @property
    def times(self) -> float:
        """How many times as hard as its own error the policy's term pulls at it, by the last half of the looks."""
        half = self.looks[len(self.looks) // 2 :]
        return median([look.pull / look.own if look.own > 0 else 0.0 for look in half])

    @property
    def is_advantage(self) -> bool:
        """Whether the factors are of both signs or above 1, time and again, and no shares that weigh rows."""
        odd = sum(look.low < 0 < look.high or max(-look.low, look.high) > 1 for look in self.looks)
        return odd >= max(MIN_LOOKS, len(self.looks) // 4)


def leaks(looks: Sequence[Look], parts: Sequence[LossPart]) -> tuple[LeakSeen, ...]:
    """Every such output that most looks at its line saw, by line and module."""
    found: dict[tuple[int, str], list[LeakyFactor]] = {}
    for look in looks:
        if look.leaky_factor is not None:
            found.setdefault((look.site, look.leaky_factor.module), []).append(look.leaky_factor)
    return tuple(
        LeakSeen(site, tuple(each), _part(parts, site, module))
        for (site, module), each in found.items()
        if len(each) >= max(MIN_LOOKS, MOSTLY * sum(look.site == site for look in looks))
    )


def _part(parts: Sequence[LossPart], site: int, module: str) -> LossPart | None:
    each = (part for part in parts if part.site == site and part.last.kind in ERRORS)
    return next((part for part in each if module and part.last.module == module), None)
