"""The figures from which on a rule speaks, as far as a user may set them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from gradreach.facts.wording import figure


@dataclass(frozen=True, slots=True)
class Threshold:
    """One figure that a user may set: its name, its default, the range that it must lie in, and what it means.

    The fact or the rule that uses a threshold declares it. Both ends belong to the range.
    """

    name: str
    default: float
    low: float
    high: float
    meaning: str

    @property
    def key(self) -> str:
        """Its name in pyproject.toml, under [tool.gradreach.thresholds]."""
        return self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """The range in words: "0.01 to 1", "1 or more"."""
        return f"{figure(self.low)} or more" if self.high == math.inf else f"{figure(self.low)} to {figure(self.high)}"

    def holds(self, value: float) -> bool:
        """Whether `value` lies in the range."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds in force: those in `given` have been set, every other one has its default.

    `thresholds[FAR_SHARE]` is the figure in force. Raises ValueError where a given figure lies outside of its range.
    """

    given: Mapping[Threshold, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for threshold, value in self.given.items():
            if not threshold.holds(value):
                raise ValueError(
                    f"{threshold.name}: expected {threshold.range}, got {value:g}; it is the {threshold.meaning}, "
                    f"{figure(threshold.default)} unless set"
                )

    def __getitem__(self, threshold: Threshold) -> float:
        return self.given.get(threshold, threshold.default)

    @property
    def changed(self) -> tuple[str, ...]:
        """The keys of the thresholds that are not at their default."""
        return tuple(each.key for each, value in self.given.items() if value != each.default)


DEFAULT = Thresholds()
