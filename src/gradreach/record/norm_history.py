"""What a gradient spike is: a norm far over those before it at the same line of the script."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

WINDOW = 20
"""Norms that a new one is held against: few, for norms drift as training goes on."""

SPIKE_TIMES = 10.0
"""Times the median of the window from which on a norm is a spike, unless a user's threshold says otherwise."""

RECORD_SIZE = 3.0
"""Times the largest norm so far that a spike must have as well: the rare mistakes of a converged model pass."""


@dataclass(frozen=True, slots=True)
class NormHistory:
    """The norms at one line that calls backward: the last WINDOW of them, and the largest of all."""

    last: tuple[float, ...] = ()
    largest: float = 0.0

    @property
    def usual(self) -> float:
        """The median of the window."""
        return median(self.last)

    def is_spike(self, norm: float, times: float = SPIKE_TIMES) -> bool:
        """Whether `norm` stands `times` over the median of a full window, and RECORD_SIZE times over all before."""
        return len(self.last) == WINDOW and norm >= RECORD_SIZE * self.largest and norm >= times * self.usual

    def after(self, norm: float) -> NormHistory:
        """The history once `norm` belongs to it."""
        return NormHistory((*self.last[1 - WINDOW :], norm), max(self.largest, norm))
