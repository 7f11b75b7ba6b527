"""One figure of both runs side by side, with its change, and the part of the runs that is compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import exponential
from gradreach.facts.wording import count, figure, percent
from gradreach.report.compare.noise import LEVEL, Change, holm

MeasureKey = Literal[
    "loss",
    "norm",
    "largest_norm",
    "clip_rate",
    "nonfinite_steps",
    "seconds_a_step",
    "overhead",
    "horizon",
    "factor",
    "grad_rms",
    "update_ratio",
]


@dataclass(frozen=True, slots=True)
class Part:
    """The steps that are compared, `first` to `last`: the later half of those that both runs have before either broke.

    Looks are compared from step 0 on where a run has too few in it. `why` says what ended it where one run goes on.
    """

    first: int
    last: int
    why: str = ""

    @property
    def empty(self) -> bool:
        """Whether the runs share no step."""
        return self.last < self.first


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of both runs, None where there is none. `place` is where it was taken, `over` what it rests on.

    `change` is B − A, or B / A where `ratio`, with its 95 % interval; None where `lacking` says why there is none.
    `p` is the change's after Holm's correction for all figures of the comparison that have an interval.
    """

    key: MeasureKey
    name: str
    place: str
    unit: str
    a: float | None
    b: float | None
    over: str
    change: Change | None = None
    ratio: bool = False
    lacking: str = ""
    p: float | None = None

    @property
    def changed(self) -> bool:
        """Whether the noise of the two runs would hardly make so large a change."""
        return self.p is not None and self.p <= LEVEL

    @property
    def equal(self) -> bool:
        """Whether both runs have the very same figure."""
        return self.a is not None and self.a == self.b


def common_part(a: Facts, b: Facts) -> Part:
    """The steps that are compared; empty where a run has none before it broke."""
    broke = {"A": a.first_break, "B": b.first_break}
    passes = {"A": a.record.length, "B": b.record.length}
    ends = {name: passes[name] if step is None else step for name, step in broke.items()}
    end = min(ends.values())
    stopped = [name for name in ends if ends[name] == end]
    broken = [name for name in stopped if broke[name] is not None]
    why = ""
    if broken:
        why = f"{' and '.join(broken)} {'is' if len(broken) == 1 else 'are'} not finite from step {end:,} on"
    elif len(stopped) == 1:
        why = f"{stopped[0]} has {count(end, 'step')}"
    return Part(end // 2, end - 1, why)


def corrected(made: Sequence[Measure]) -> tuple[Measure, ...]:
    """The figures with their p after Holm's correction for all that have an interval."""
    changes = [each.change for each in made if each.change is not None]
    adjusted = iter(holm([change.p for change in changes]))
    return tuple(replace(each, p=next(adjusted)) if each.change is not None else each for each in made)


def tested(made: Sequence[Measure]) -> int:
    """How many figures have an interval."""
    return sum(each.change is not None for each in made)


def quotient(change: Change) -> Change:
    """A change between logarithms as one between what they are of."""
    low, value, high = (exponential(x) for x in (change.low, change.value, change.high))
    return replace(change, value=value, low=low, high=high)


def signed(number: float, unit: str = "") -> str:
    """A difference with its sign."""
    text = percent(abs(number)) if unit == "share" else figure(abs(number))
    return f"{'+' if number > 0 else '−' if number < 0 else ''}{text}"
