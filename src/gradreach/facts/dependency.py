"""What the data asks for, joined with what the gradient reaches: a verdict on every lag that was tested."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gradreach.facts.modules import of_one_stack
from gradreach.facts.statistics import is_finite, known
from gradreach.facts.thresholds import Threshold, Thresholds
from gradreach.facts.time import typical
from gradreach.facts.wording import percent
from gradreach.record.look import Look
from gradreach.record.schema import Dependency, Lag
from gradreach.record.seen.recurrence import HORIZON_LIMIT, Probe, TimeLook

Q_LEVEL = Threshold(
    "dependency_level", 0.01, 1e-6, 0.2, "q up to which the error counts as depending on the input at a lag"
)
WORTH = Threshold(
    "dependency_worth", 0.01, 0.0, 1.0, "share of the first error's variance from which a dependency matters"
)
FOUND = Threshold(
    "dependency_found",
    0.05,
    0.001,
    1.0,
    "share of the error's variance that must have been detectable before a lag counts as free",
)

LagVerdict = Literal["vanishing", "reached", "cut off", "not judged", "slight", "nothing", "undecided"]
"""Of a lag on which the error depends: less than 1 % of the gradient arrives from there, or more, or the chunk ends
before it, or no reach is known. "slight": it depends, but on too little to matter. Else "nothing" where a share worth
learning would have been found, and "undecided" where it might have been missed or has not shown itself for sure."""

CLEAR = 0.05
"""q above which a lag counts as free of any dependency; between the level and this nothing is said of it."""

ReachCurve = TimeLook | Probe


@dataclass(frozen=True, slots=True)
class PlaceReach:
    """How far back the gradient comes at one place, by the looks at each of its layers; without a layer it is unknown.

    `T` is the length of the longest sequence that one backward pass went through.
    """

    layers: tuple[tuple[ReachCurve, ...], ...]
    T: int

    @property
    def horizon(self) -> int | None:
        """The horizon of the layer that reaches farthest, as a report shows it."""
        return max((typical(looks).horizon for looks in self.layers), default=None)

    def at(self, lag: int) -> float | None:
        """r(lag) of the layer that reaches farthest, by the look that is typical of those that go so far back.

        It is 0 past the chunk, and None where no curve is known or a layer may reach so far unseen.
        """
        if self.layers and lag >= self.T:
            return 0.0
        curves = [there for looks in self.layers if (there := [seen for seen in looks if lag < seen.T])]
        found = [_reach_at(typical(looks), lag) for looks in curves]
        farthest = max(known(found), default=None)
        return None if len(known(found)) < len(found) and (farthest is None or farthest < HORIZON_LIMIT) else farthest


@dataclass(frozen=True, slots=True)
class LagResult:
    """One band of lags, the reach at the lag in it that said most, and what the two come to."""

    lag: Lag
    reach: float | None
    verdict: LagVerdict


@dataclass(frozen=True, slots=True)
class DependencyTest:
    """One test of what the error depends on, with the reach at its place and the verdict on each of its lags."""

    dependency: Dependency
    reach: PlaceReach
    lags: tuple[LagResult, ...]

    def judged(self, *verdicts: LagVerdict) -> tuple[LagResult, ...]:
        """The lags of these verdicts, the nearest first."""
        return tuple(each for each in self.lags if each.verdict in verdicts)

    @property
    def depends(self) -> tuple[LagResult, ...]:
        """The lags on which the error depends by an amount worth learning."""
        return self.judged("vanishing", "reached", "cut off", "not judged")

    @property
    def beyond(self) -> tuple[LagResult, ...]:
        """The bands that end past the horizon, where that is known; not those in which a nearer lag says most."""
        horizon = self.reach.horizon
        if horizon is None:
            return ()
        past = [each for each in self.lags if each.lag.until > horizon]
        return tuple(each for each in past if each.verdict in ("nothing", "undecided") or each.lag.at > horizon)


def dependency_test(found: Dependency, looks: Sequence[Look], thresholds: Thresholds) -> DependencyTest:
    """A recorded test with the reach at its place, by the sound `looks`, and the verdict on each of its lags."""
    reach = _place_reach(found, looks)
    return DependencyTest(found, reach, tuple(_judged(found, lag, reach, thresholds) for lag in found.lags))


def strongest(lags: Sequence[LagResult]) -> LagResult:
    """The one that holds the largest share; raises ValueError where there is none."""
    return max(lags, key=lambda each: each.lag.share if is_finite(each.lag.share) else 0.0)


def spans(lags: Sequence[Lag]) -> str:
    """The lags in words, neighbouring bands as one: "5", "40–60", "1–3 and 40–60"."""
    edges = [0, *(i + 1 for i, (one, two) in enumerate(pairwise(lags)) if two.lag != one.until + 1), len(lags)]
    runs = [(lags[first].lag, lags[end - 1].until) for first, end in pairwise(edges) if end > first]
    names = [str(near) if near == far else f"{near}–{far}" for near, far in runs]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def back(lags: Sequence[Lag]) -> str:
    """The lags in words, with their unit: "1 step back", "40–60 steps back"."""
    return f"{spans(lags)} step{'' if spans(lags) == '1' else 's'} back"


def window_over(chunk: int, lag: int) -> int:
    """The window, in whole chunks, from every step of whose last chunk the gradient goes back over a lag."""
    return chunk * (1 + math.ceil(lag / chunk))


def sequences(found: Dependency) -> str:
    """What a test rests on: "256 sequences", or "64 blocks of 25 steps"."""
    return f"{found.sequences} " + ("sequences" if found.block is None else f"blocks of {found.block} steps")


def not_enough(test: DependencyTest, lags: Sequence[LagResult]) -> str:
    """What the test may have missed at these lags, with its figures; empty where it is nothing of note."""
    missed = [each.lag for each in lags if each.verdict == "undecided"]
    if not missed:
        return ""
    largest = min(max(known(lag.detectable for lag in missed), default=1.0), 1.0)
    why = (
        f"not enough data yet: {spans(missed)} steps back a share of {percent(largest, 2)} of the error's variance "
        f"could have been missed, with {sequences(test.dependency)}"
    )
    needed = sequences_needed(test, lags)
    return f"{why}; about {needed} would be needed: more steps, or --every 1" if needed else why


MOST_SCALED = 10.0
"""Detectable shares beyond this are no ground to say how many sequences would be enough."""


def sequences_needed(test: DependencyTest, lags: Sequence[LagResult]) -> int | None:
    """About how many sequences would have shown a share of `FOUND` at these lags: what is detectable goes as 1 / N.

    None for blocks, and where nothing was missed for want of sequences.
    """
    largest = max(known(each.lag.detectable for each in lags if each.verdict == "undecided"), default=0.0)
    if test.dependency.block is not None or not is_finite(largest) or not FOUND.default < largest <= MOST_SCALED:
        return None
    return _two_digits(test.dependency.sequences * largest / FOUND.default)


def _two_digits(number: float) -> int:
    """The next higher whole number of two digits and zeros."""
    unit = int(10 ** max(math.floor(math.log10(max(number, 1.0))) - 1, 0))
    return math.ceil(number / unit) * unit


def _judged(found: Dependency, lag: Lag, reach: PlaceReach, thresholds: Thresholds) -> LagResult:
    r = reach.at(lag.at)
    if not lag.q <= thresholds[Q_LEVEL]:
        free = lag.q > CLEAR and lag.detectable <= thresholds[FOUND]
        return LagResult(lag, r, "nothing" if free else "undecided")
    left = min(1.0, found.error)
    if not lag.share * left * left >= thresholds[WORTH]:
        return LagResult(lag, r, "slight")
    if r is None:
        return LagResult(lag, r, "not judged")
    if lag.at >= reach.T:
        return LagResult(lag, r, "cut off")
    return LagResult(lag, r, "vanishing" if r < HORIZON_LIMIT else "reached")


def _place_reach(found: Dependency, looks: Sequence[Look]) -> PlaceReach:
    """The reach at the place where the error was seen: as probes from there found it, or of its recurrent layers.

    Layers that run in reverse carry the gradient to later inputs, not to earlier ones.
    """
    here = [look for look in looks if look.site == found.site]
    layers: dict[tuple[str, int], list[ReachCurve]] = {}
    for seen in (seen for look in here for seen in look.time if seen.direction == "forward" and _has_curve(seen)):
        layers.setdefault((seen.module, seen.layer), []).append(seen)
    probes: list[ReachCurve] = [
        probe for look in here for probe in look.probes if probe.module == found.module and _has_curve(probe)
    ]
    curves = [probes] if probes else list(layers.values())
    own = [looks for looks in curves if of_one_stack(looks[0].module, found.module)] or curves
    longest = max((seen.T for looks in own for seen in looks), default=0)
    return PlaceReach(tuple(map(tuple, curves)), longest)


def _has_curve(seen: ReachCurve) -> bool:
    return any(is_finite(r) for r in seen.reach)


def _reach_at(seen: ReachCurve, lag: int) -> float | None:
    """r(lag); past the end of a curve that had fallen under 1 % it is 0, of any other it is not known."""
    if lag < len(seen.reach):
        return seen.reach[lag]
    return 0.0 if is_finite(seen.reach[-1]) and seen.reach[-1] < HORIZON_LIMIT else None
