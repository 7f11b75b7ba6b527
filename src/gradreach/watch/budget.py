"""When to look: the share of the wall time that watching may cost, measured and kept."""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean, median

from gradreach.record.schema import Overhead

WARM_UP = 50
"""Steps before the budget holds: a short run must still have a report."""

_EARLY_LOOKS = (0, 2, 10, 30)
"""The steps of the warm-up from which on a look is wanted. The first one comes whatever it costs."""

_EARLY_SHARE = 0.25
_EARLY_SECONDS = 0.5
"""All looks of the warm-up together may cost this share of the time so far, or these seconds; a dear one waits."""

_NORM_SHARE = 0.6
"""The share of the budget that norms may take, a third of it while more was spent than allowed; looks have the rest."""

_KEEP_SHARE = 0.3
_KEEP_SECONDS = 20e-6
"""What a replay needs is kept of every step where that costs at most this share of the budget; until its cost is known,
it is taken to be these seconds."""

_MARGIN = 1.3
"""How much more than the last looks, at their median, the next one is expected to cost."""

_REVIEW = 20
"""Measured steps between reviews of how often the norm may be taken."""

_PRIMES = (1, 2, 3, 5, 7, 11, 13, 17, 23, 29, 37, 47, 59, 73, 97)


class Budget:
    """Charges what watching costs against the time that the run takes, and says when the next look may be.

    `share` is the allowed share of the wall time (0.02 is 2 %); `every` watches each n-th step instead, at any cost.
    `closing` is what was spent after the last step, in seconds, and is in no share.
    """

    def __init__(self, share: float, every: int | None = None) -> None:
        if not 0.0 < share <= 1.0:
            raise ValueError(f"budget must be a share of the wall time in (0, 1], got {share}: try 0.02 for 2 %")
        if every is not None and every < 1:
            raise ValueError(f"every must be a number of steps of at least 1, got {every}")
        self.share = share
        self.every = every
        self.norm_every = 1
        self.steps = 0
        self._elapsed = self._spent = 0.0
        self._warm_elapsed = self._warm_spent = 0.0
        self._looks: deque[float] = deque(maxlen=5)
        self._plain: dict[int, deque[float]] = {}
        self._norms: deque[float] = deque(maxlen=31)
        self._kept: deque[float] = deque(maxlen=31)
        self._watched_at = -1
        self._charged = self._taken = 0
        self.closing = 0.0

    def plain(self, site: int, steps: int, seconds: float, own: float, kept: float = 0.0) -> None:
        """Charge `steps` ordinary steps that took `seconds` of wall time together.

        `own` of it went into the one that was measured, `kept` into what all of them keep for a replay.
        """
        self._charge(steps, seconds, own + kept)
        self._plain.setdefault(site, deque(maxlen=31)).append((seconds - own - kept) / steps)
        self._norms.append(own)
        if kept > 0.0:
            self._kept.append(kept / steps)
        self._charged += 1
        if self._charged % _REVIEW == 0 and self.every is None:
            self.norm_every = self._affordable_norms()

    def look(self, site: int, seconds: float, busy: float, own: float) -> float:
        """Charge a watched step of `seconds` of wall time, `busy` of it from its first forward pass on.

        Returns what it cost: our own time, or what it was busy longer than ordinary steps, if that is more.
        """
        usual = self._plain.get(site)
        cost = max(own, busy - median(usual)) if usual and len(usual) >= 3 else own
        self._charge(1, seconds, cost)
        self._looks.append(cost)
        self._taken += 1
        self._watched_at = self.steps
        return cost

    def may_look(self) -> bool:
        """Whether the next step may be watched."""
        if self.every is not None:
            return self.steps % self.every == 0
        expected = _MARGIN * median(self._looks) if self._looks else 0.0
        if self.steps < WARM_UP:
            wanted = self._taken < len(_EARLY_LOOKS) and self.steps >= _EARLY_LOOKS[self._taken]
            early = max(_EARLY_SHARE * self._elapsed, _EARLY_SECONDS)
            return wanted and (not self._taken or self._spent + expected <= early)
        allowed = self.share * (self._elapsed - self._warm_elapsed)
        return self._spent - self._warm_spent + expected <= allowed and self.steps - self._watched_at >= self._spacing()

    def may_keep(self) -> bool:
        """Whether steps are long enough that what a replay needs can be kept of each of them."""
        cost = fmean(self._kept) if len(self._kept) >= _REVIEW else _KEEP_SECONDS
        return self._usual() * self.share * _KEEP_SHARE >= cost

    def may_spend(self, seconds: float) -> bool:
        """Whether so much can be spent at once on what is no look; not in the warm-up, which is for looks."""
        if self.every is not None:
            return True
        allowed = self.share * (self._elapsed - self._warm_elapsed)
        return self.steps > WARM_UP and self._spent - self._warm_spent + seconds <= allowed

    def spend(self, seconds: float) -> None:
        """Charge what was spent between two steps."""
        self._charge(0, seconds, seconds)

    def overhead(self, passes: int) -> Overhead:
        """What watching has cost so far, over so many backward passes."""
        return Overhead(
            self.share, self.measured(), self.whole(), self._spent, self.norm_every, passes, self.every, self.closing
        )

    def measured(self) -> float:
        """The share of the wall time that watching cost past the warm-up, or of all of it before."""
        if self.steps <= WARM_UP:
            return self.whole()
        return _share(self._spent - self._warm_spent, self._elapsed - self._warm_elapsed)

    def whole(self) -> float:
        """The share of the wall time that watching cost over all steps."""
        return _share(self._spent, self._elapsed)

    def _charge(self, steps: int, seconds: float, cost: float) -> None:
        self.steps += steps
        self._elapsed += seconds
        self._spent += cost
        if self.steps <= WARM_UP:
            self._warm_elapsed, self._warm_spent = self._elapsed, self._spent

    def _spacing(self) -> int:
        """Looks thin out as a run grows long, so that its record stays bounded."""
        return 1 + self.steps // 100

    def _usual(self) -> float:
        """Seconds of an ordinary step; 0 before there was one."""
        return median(median(times) for times in self._plain.values()) if self._plain else 0.0

    def _affordable_norms(self) -> int:
        """Every how many steps the norm may be taken; primes, so that passes that alternate are seen alike."""
        in_debt = self.steps > WARM_UP and self.measured() > self.share
        share = self.share * (_NORM_SHARE / 3 if in_debt else _NORM_SHARE)
        cost = fmean(self._norms)  # the mean, not the median: a busy machine's delays are paid too
        wanted = cost / max(share * self._usual(), 1e-12)
        return next((prime for prime in _PRIMES if prime >= wanted * 0.98), _PRIMES[-1])


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 and math.isfinite(whole) else 0.0
