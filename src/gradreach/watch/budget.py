"""What watching may cost: its share of the wall time, measured and kept."""

from __future__ import annotations

import math
from collections import deque
from statistics import fmean, median

from gradreach.record.schema import Overhead

WARM_UP = 50
"""Steps at the start that the stated overhead leaves out: a short run must still have a report."""

LEAST_SECONDS = 5.0
"""What the planned looks of a run may take whatever its budget says, in seconds of work: a short run, or one on a busy
machine, is looked at on the same steps as any other. It is an advance: beyond it a planned look waits until the whole
run so far, its first steps included, has paid for all that watching took."""

FEWEST_LOOKS = 4
"""The first planned looks, which wait for nothing: with fewer there is nothing to say of a run."""

LEAST_AT_THE_END, MOST_AT_THE_END = 10.0, 30.0
"""What the last questions to the data may take once the script has ended, in seconds of work: the budget's share of the
run's time, and of short and long runs these."""

_NORM_SHARE = 0.4
"""The share of the budget that norms may take where they are taken more often than each NORM_AT_LEAST-th step."""

NORMS_AT_FIRST = 500
"""Steps from the start of which each has its norm taken."""

_PRIMES = (1, 2, 3, 5, 7, 11, 17, 23)
NORM_AT_LEAST = _PRIMES[-1]
"""After those, every how many steps the norm is taken where the budget has no room for more. Primes, so that passes
that alternate are seen alike."""

_MARGIN = 1.3
"""How much more than the last looks, at their median, the next one is expected to cost."""

_REVIEW = 20
"""Measured steps between reviews of how often the norm may be taken."""


class Budget:
    """Charges what watching costs against the time that the run takes, and says what there is room for.

    `share` is the allowed share of the wall time (0.02 is 2 %); `every` watches each n-th step instead, at any cost.
    `norm_every` says how often a norm is taken. `closing` is what was spent after the last step, in seconds, and is in
    no share.
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
        self._spent_on_looks = self._spent_on_others = 0.0
        self._planned = 0
        self._looks: deque[float] = deque(maxlen=5)
        self._plain: dict[int, deque[float]] = {}
        self._norms: deque[float] = deque(maxlen=31)
        self._charged = 0
        self._is_cold = True
        self.closing = 0.0

    def plain(self, site: int, steps: int, seconds: float, own: float, kept: float = 0.0) -> None:
        """Charge `steps` ordinary steps that took `seconds` of wall time together.

        `own` of it went into the one that was measured, `kept` into what all of them keep for a replay.
        """
        self._charge(steps, seconds, own + kept)
        self._spent_on_others += own + kept
        self._plain.setdefault(site, deque(maxlen=31)).append((seconds - own - kept) / steps)
        self._norms.append(own)
        self._charged += 1
        if self._charged % _REVIEW == 0 and self.every is None and self.steps >= NORMS_AT_FIRST:
            self.norm_every = self._affordable_norms()

    def look(self, site: int, seconds: float, busy: float, own: float, at_work: float = 1.0) -> float:
        """Charge a watched step of `seconds` of wall time, `busy` of it from its first forward pass on.

        Returns what it cost: our own time, or what it was busy longer than ordinary steps, if that is more. What the
        looks may take counts only the share `at_work` of it, so that a crowded machine is looked at as often.
        """
        usual = self._plain.get(site)
        cost = max(own, busy - median(usual)) if usual and len(usual) >= 3 else own
        self._charge(1, seconds, cost)
        self._planned += 1
        self._spent_on_looks += cost * at_work
        if not self._is_cold:  # the first look imports and allocates, and is no estimate of the next
            self._looks.append(cost * at_work)
        self._is_cold = False
        return cost

    def may_look(self) -> bool:
        """Whether there is room for a planned look."""
        if self.every is not None or self._planned < FEWEST_LOOKS:
            return True
        expected = _MARGIN * median(self._looks) if self._looks else 0.0
        earned = self.share * self._elapsed - self._spent_on_others
        return self._spent_on_looks + expected <= max(LEAST_SECONDS, earned)

    def may_spend(self, seconds: float) -> bool:
        """Whether so much can be spent at once on what is no look, after all that was spent so far."""
        return self.every is not None or self._spent + seconds <= self.share * self._elapsed

    def at_the_end(self) -> float:
        """Seconds of work after which, the script ended, nothing further is begun."""
        return min(max(LEAST_AT_THE_END, self.share * self._elapsed), MOST_AT_THE_END)

    def spend(self, seconds: float) -> None:
        """Charge what was spent between two steps."""
        self._charge(0, seconds, seconds)
        self._spent_on_others += seconds

    def overhead(self, passes: int, steps: int) -> Overhead:
        """What watching has cost so far, over so many backward passes that make so many steps."""
        shares = self.share, self.measured(), self.whole()
        return Overhead(*shares, self._spent, self.norm_every, passes, self.every, self.closing, steps)

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

    def _usual(self) -> float:
        """Seconds of an ordinary step; 0 before there was one."""
        return median(median(times) for times in self._plain.values()) if self._plain else 0.0

    def _affordable_norms(self) -> int:
        """Every how many steps the norm may be taken."""
        cost = fmean(self._norms)  # the mean, not the median: a busy machine's delays are paid too
        wanted = cost / max(self.share * _NORM_SHARE * self._usual(), 1e-12)
        return next((prime for prime in _PRIMES if prime >= wanted * 0.98), NORM_AT_LEAST)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0.0 and math.isfinite(whole) else 0.0
