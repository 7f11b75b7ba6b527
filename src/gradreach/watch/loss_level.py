"""The level of the loss at a line that calls backward, so that a loss far over it is noticed on any step."""

from __future__ import annotations

import math
from collections import deque

from gradreach.record.norm_history import SPIKE_TIMES, WINDOW

RENEWED = 16
"""Losses after which the median is taken anew, for to sort them all at every step has a price."""


class LossLevel:
    """The last losses of one line. A loss over the `bar` jumps: SPIKE_TIMES the median of the WINDOW ones before."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=WINDOW)
        self.bar = math.inf
        self._until_renewed = WINDOW

    def jumps(self, loss: float) -> bool:
        """Take in a loss; whether it stands far over those before it."""
        if not self._until_renewed:
            self.bar = SPIKE_TIMES * abs(sorted(self._last)[WINDOW // 2])
            self._until_renewed = RENEWED
        self._until_renewed -= 1
        self._last.append(loss)
        return loss > self.bar
