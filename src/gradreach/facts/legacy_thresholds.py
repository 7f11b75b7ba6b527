"""The figures from which on a rule speaks, as far as a user may set them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from gradreach.facts.statistics import shown


class Threshold(NamedTuple):
    """One field of `Thresholds`: what it means, the rules that it moves, and the range that it must lie in, ends
    included."""

    name: str
    default: float
    low: float
    high: float
    codes: tuple[str, ...]
    meaning: str

    @property
    def key(self) -> str:
        """Its name in pyproject.toml, under [tool.gradreach.thresholds]."""
        return self.name.replace("_", "-")

    @property
    def range(self) -> str:
        """The range in words: "0.01 to 1", "1 or more"."""
        return f"{shown(self.low)} or more" if self.high == math.inf else f"{shown(self.low)} to {shown(self.high)}"


def _from(default: float, low: float, high: float, codes: str, meaning: str) -> Any:
    about = {"default": default, "low": low, "high": high, "codes": tuple(codes.split()), "meaning": meaning}
    return field(default=default, metadata=about)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which figures on the rules speak. Each rule's explanation says why its own is what it is; `listed` says of
    each field what it means.

    Raises ValueError where a figure lies outside of its range.
    """

    far_share: float = _from(
        0.5, 0.01, 1.0, "GR101 GR103", "part of the sequence that the gradient must reach back over to be in order"
    )
    far_growth: float = _from(
        100.0, 1.0, math.inf, "GR102 GR403", "r at a far lag from which what comes from there drowns the near gradient"
    )
    harmful_growth: float = _from(
        10.0, 1.0, math.inf, "GR102", "r at the farthest lag that counts where the norm blew up or the run broke"
    )
    saturated: float = _from(
        0.8, 0.01, 1.0, "GR103 GR203", "share of activations with less than 5 % of their largest slope"
    )
    saturated_gated: float = _from(
        0.95, 0.01, 1.0, "GR103", "share of a GRU's or LSTM's candidates with less than 5 % of the largest slope"
    )
    depth_decades: float = _from(
        3.0, 0.5, 30.0, "GR201 GR202", "powers of ten between the gradients of the first and the last layer, as fitted"
    )
    lost_decades: float = _from(
        6.0, 0.5, 60.0, "GR201 GR202", "powers of ten between them that count as harm by themselves"
    )
    dead: float = _from(0.9, 0.01, 1.0, "GR204", "share of a layer's units that are zero for the whole batch")
    spike: float = _from(
        10.0, 1.0, math.inf, "GR302", "norm over the median before it, of a spike after which the loss stayed up"
    )
    giant_spike: float = _from(
        100.0, 1.0, math.inf, "GR302", "norm over the median before it, of a spike without lasting harm"
    )
    clipped_rate: float = _from(0.95, 0.01, 1.0, "GR303", "share of the steps that are clipped")
    clipped_times: float = _from(10.0, 1.0, math.inf, "GR303", "median of the norm over the clipping threshold")
    blow_up: float = _from(
        100.0, 1.0, math.inf, "GR304 GR102 GR202", "norm over the ordinary one before, from which it has blown up"
    )
    diverged: float = _from(
        10.0, 1.0, math.inf, "GR304 GR102 GR202", "last loss over the first, from which a norm that blew up did harm"
    )
    update_too_large: float = _from(
        0.1, 0.01, 100.0, "GR305", "‖Δw‖ / ‖w‖ from which updates replace what the weights held"
    )
    update_too_small: float = _from(1e-6, 1e-12, 0.01, "GR305", "‖Δw‖ / ‖w‖ up to which updates change nothing")
    dependency_level: float = _from(
        0.01, 1e-6, 0.2, "GR104 GR401 GR402 GR403", "q up to which the error counts as depending on the input at a lag"
    )
    dependency_worth: float = _from(
        0.01, 0.0, 1.0, "GR104 GR402 GR403", "share of the first error's variance from which a dependency matters"
    )
    dependency_found: float = _from(
        0.05,
        0.001,
        1.0,
        "GR401",
        "share of the error's variance that must have been detectable before a lag counts as free",
    )
    error_left: float = _from(
        0.5, 0.0, 1.0, "GR403", "rms of the error over that at the first look, from which most is still unlearned"
    )

    def __post_init__(self) -> None:
        for each in listed():
            value = getattr(self, each.name)
            if not each.low <= value <= each.high:
                raise ValueError(
                    f"{each.name}: expected {each.range}, got {value:g}; it is the {each.meaning}, "
                    f"{shown(each.default)} unless set"
                )


def listed() -> tuple[Threshold, ...]:
    """Every threshold that may be set, in the order of the rules."""
    return tuple(Threshold(each.name, **each.metadata) for each in fields(Thresholds))


def of_rule(code: str) -> tuple[Threshold, ...]:
    """The thresholds that move one rule."""
    return tuple(each for each in listed() if code in each.codes)


DEFAULT = Thresholds()
