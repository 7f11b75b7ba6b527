"""The level of the loss at each line that calls backward, so that a loss far over it is noticed on any step."""

from __future__ import annotations

from collections import defaultdict, deque

from gradreach.record.norm_history import SPIKE_TIMES, WINDOW


class LossLevel:
    """The last losses of each line. A loss jumps where it is SPIKE_TIMES the median of the last WINDOW ones."""

    def __init__(self) -> None:
        self._last: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))

    def jumps(self, site: int, loss: float) -> bool:
        """Take in a loss; whether it stands far over those before it at its line."""
        last = self._last[site]
        jumps = len(last) == WINDOW and loss > SPIKE_TIMES * abs(sorted(last)[WINDOW // 2])
        last.append(loss)
        return jumps
