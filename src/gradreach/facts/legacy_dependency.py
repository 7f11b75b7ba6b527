"""What the data asks for, joined with what the gradient reaches: a verdict on every lag that was tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from gradreach.facts.course import MIN_LOOKS, at_rest, sound_looks, usual_length
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_finite, known, median, percent
from gradreach.record.schema import Dependency, Lag, Probe, Record, TimeLook

Verdict = Literal["vanishing", "reached", "cut off", "not judged", "slight", "nothing", "undecided"]
"""Of a lag on which the error depends: less than 1 % of the gradient arrives from there, or more, or the chunk ends
before it, or no reach is known. "slight": it depends, but on too little to matter. Else "nothing" where a share worth
learning would have been found, and "undecided" where it might have been missed or has not shown itself for sure."""

CLEAR = 0.05
"""q above which a lag counts as free of any; between the level and this nothing is said of it."""

LIMIT = 0.01
"""The value of r at which the horizon ends."""

Seen = TimeLook | Probe


@dataclass(frozen=True, slots=True)
class Reach:
    """How far back the gradient comes at one place, by the looks at each of its layers. No layer, no reach known.

    `T` is the length of the longest sequence that one backward pass went through.
    """

    layers: tuple[tuple[Seen, ...], ...]
    T: int

    @property
    def horizon(self) -> int | None:
        """That of the layer that reaches farthest, over its last few looks at the usual length."""
        latest = [usual_length(looks)[-MIN_LOOKS:] for looks in self.layers]
        return max((round(median([float(seen.horizon) for seen in looks])) for looks in latest), default=None)

    def at(self, lag: int) -> float | None:
        """r(lag) of the layer that reaches farthest, over its last few looks at sequences that go so far back.

        0 past the chunk; None where no curve is known, or a layer may reach unseen so far.
        """
        if self.layers and lag >= self.T:
            return 0.0
        curves = [[_reach_at(seen, lag) for seen in looks if lag < seen.T][-MIN_LOOKS:] for looks in self.layers]
        farthest = max((median(there) for curve in curves if (there := known(curve))), default=None)
        unseen = any(curve and not known(curve) for curve in curves)
        return None if unseen and (farthest is None or farthest < LIMIT) else farthest


@dataclass(frozen=True, slots=True)
class LagVerdict:
    """One band of lags, the reach at the lag in it that said most, and what the two come to."""

    lag: Lag
    reach: float | None
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """One test of what the error depends on, with the verdict on each of its lags."""

    dependency: Dependency
    reach: Reach
    lags: tuple[LagVerdict, ...]

    def judged(self, *verdicts: Verdict) -> tuple[LagVerdict, ...]:
        """The lags of these verdicts, the nearest first."""
        return tuple(each for each in self.lags if each.verdict in verdicts)

    @property
    def depends(self) -> tuple[LagVerdict, ...]:
        """The lags on which the error depends by an amount worth learning."""
        return self.judged("vanishing", "reached", "cut off", "not judged")

    @property
    def beyond(self) -> tuple[LagVerdict, ...]:
        """The bands that end past the horizon, where that is known; not those in which a nearer lag says most."""
        horizon = self.reach.horizon
        if horizon is None:
            return ()
        past = [each for each in self.lags if each.lag.until > horizon]
        return tuple(each for each in past if each.verdict in ("nothing", "undecided") or each.lag.at > horizon)


def verdicts(record: Record, thresholds: Thresholds = DEFAULT) -> tuple[Asked, ...]:
    """Every test of the record with the reach at its place and the verdict on each of its lags."""
    return tuple(_asked(record, found, thresholds) for found in record.dependency)


def harms(record: Record, asked: Asked) -> bool:
    """Whether what is out of reach holds the training up: the loss rests. While it falls, the reach may yet grow."""
    return at_rest(record, asked.dependency.site) is not None


def of_stack(module: str, other: str) -> bool:
    """Whether two paths name one module, parts of it, or members of one numbered list of modules."""
    one, two = (path.rpartition(".")[0] if path.rpartition(".")[2].isdecimal() else path for path in (module, other))
    return one == two or module.startswith(f"{other}.") or other.startswith(f"{module}.")


def strongest(lags: Sequence[LagVerdict]) -> LagVerdict:
    """The one that holds the largest share; raises ValueError where there is none."""
    return max(lags, key=lambda each: each.lag.share if is_finite(each.lag.share) else 0.0)


def spans(lags: Sequence[Lag]) -> str:
    """The lags in words, neighbouring bands as one: "5", "40–60", "1–3 and 40–60"."""
    edges = [0, *(i + 1 for i, (one, two) in enumerate(pairwise(lags)) if two.lag != one.until + 1), len(lags)]
    runs = [(lags[first].lag, lags[end - 1].until) for first, end in pairwise(edges) if end > first]
    names = [str(near) if near == far else f"{near}–{far}" for near, far in runs]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def sequences(found: Dependency) -> str:
    """What a test rests on: "256 sequences", or "64 blocks of 25 steps"."""
    return f"{found.sequences} " + ("sequences" if found.block is None else f"blocks of {found.block} steps")


def not_enough(asked: Asked, lags: Sequence[LagVerdict]) -> str:
    """What the test may have missed at these lags, with its figures; empty where it is nothing of note."""
    missed = [each.lag for each in lags if each.verdict == "undecided"]
    if not missed:
        return ""
    largest = min(max(known(lag.detectable for lag in missed), default=1.0), 1.0)
    return (
        f"not enough data yet: {spans(missed)} steps back a share of {percent(largest, 2)} of the error's variance "
        f"could have been missed, with {sequences(asked.dependency)}"
    )


def _asked(record: Record, found: Dependency, thresholds: Thresholds) -> Asked:
    reach = _reach_of(record, found)
    return Asked(found, reach, tuple(_judged(found, lag, reach, thresholds) for lag in found.lags))


def _judged(found: Dependency, lag: Lag, reach: Reach, thresholds: Thresholds) -> LagVerdict:
    r = reach.at(lag.at)
    if not lag.q <= thresholds.dependency_level:
        free = lag.q > CLEAR and lag.detectable <= thresholds.dependency_found
        return LagVerdict(lag, r, "nothing" if free else "undecided")
    left = min(1.0, found.error)
    if not lag.share * left * left >= thresholds.dependency_worth:
        return LagVerdict(lag, r, "slight")
    if r is None:
        return LagVerdict(lag, r, "not judged")
    if lag.at >= reach.T:
        return LagVerdict(lag, r, "cut off")
    return LagVerdict(lag, r, "vanishing" if r < LIMIT else "reached")


def _reach_of(record: Record, found: Dependency) -> Reach:
    """The reach at the place where the error was seen: of its recurrent layers, or as probes found it.

    Layers that run in reverse carry the gradient to later inputs, not to earlier ones.
    """
    layers: dict[tuple[str, int], list[TimeLook]] = defaultdict(list)
    probes: dict[str, list[Probe]] = defaultdict(list)
    for look in sound_looks(record):
        if look.site != found.site:
            continue
        for seen in look.time:
            if seen.direction == "forward" and _has_curve(seen):
                layers[(seen.module, seen.layer)].append(seen)
        for probe in look.probes:
            if probe.module == found.module and _has_curve(probe):
                probes[probe.module].append(probe)
    curves: list[list[Seen]] = [list(looks) for looks in (layers.values() or probes.values())]
    own = [looks for looks in curves if of_stack(looks[0].module, found.module)] or curves
    longest = max((seen.T for looks in own for seen in looks), default=0)
    return Reach(tuple(tuple(looks) for looks in curves), longest)


def _has_curve(seen: Seen) -> bool:
    return any(is_finite(r) for r in seen.reach)


def _reach_at(seen: Seen, lag: int) -> float | None:
    """r(lag); past the end of a curve that had fallen under 1 % it is 0, of any other it is not known."""
    if lag < len(seen.reach):
        return seen.reach[lag]
    return 0.0 if is_finite(seen.reach[-1]) and seen.reach[-1] < LIMIT else None
