"""The gradient through depth: its trend along the layers of a watched step, and which step a report shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from gradreach.facts.statistics import (
    is_finite,
    is_positive,
    known,
    median,
    positive,
    quantile,
    rank_correlation,
    slope,
)
from gradreach.facts.thresholds import Threshold
from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook

DEPTH_DECADES = Threshold(
    "depth_decades",
    3.0,
    0.5,
    30.0,
    "powers of ten between the gradients of the first and the last layer, as fitted",
)
LOST_DECADES = Threshold("lost_decades", 6.0, 0.5, 60.0, "powers of ten between them that count as harm by themselves")

FEWEST_LAYERS = 5
"""Layers with weights, the last one left out, below which three decades are no trend but one odd layer."""


class DepthShown(NamedTuple):
    """The modules of one watched step that a report shows for one line that calls backward, in execution order."""

    look: Look
    modules: tuple[DepthLook, ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """log₁₀ of the gradient's rms along one look's execution order: `decades` from first to last layer, as fitted.

    `leverage` is ‖w‖·‖∂L/∂w‖ of the late third of the layers over that of the early third.
    """

    look: Look
    layers: tuple[DepthLook, ...]
    decades: float
    logs: tuple[float, ...]
    leverage: float | None

    @property
    def rank(self) -> float:
        """1 where the gradient only grows along the execution order, −1 where it only falls."""
        return rank_correlation(self.logs)

    @property
    def factor(self) -> float:
        """Growth of the gradient's rms from one layer to the next one below it, towards the input."""
        return float(10.0 ** (-self.decades / (len(self.layers) - 1)))

    @property
    def growth(self) -> float | None:
        """Powers of ten by which the activations' rms grows from the first layer to the last, as fitted."""
        sizes = positive(seen.activation_rms for seen in self.layers)
        return slope(list(map(math.log10, sizes))) * (len(sizes) - 1) if len(sizes) >= FEWEST_LAYERS else None

    @property
    def early_update(self) -> float | None:
        """The median of ‖Δw‖ / ‖w‖ over the early third of the layers."""
        ratios = known(seen.update_ratio for seen in self.layers[: _third(self.layers)])
        return median(ratios) if ratios else None


def trends_of(looks: Sequence[Look]) -> dict[int, list[Trend]]:
    """The trends of the looks that have one, by the line that called backward."""
    trends: dict[int, list[Trend]] = {}
    for look in looks:
        if (trend := _trend(look)) is not None:
            trends.setdefault(look.site, []).append(trend)
    return trends


def pull(seen: DepthLook) -> float | None:
    """‖w‖·‖∂L/∂w‖: by how much a relative change of the weights moves the loss, whatever the layer's scale and size."""
    if seen.weight_norm is None or seen.weight_grad_norm is None:
        return None
    return seen.weight_norm * seen.weight_grad_norm


def update_ratio(looks: Sequence[Look]) -> float | None:
    """The median of ‖Δw‖ / ‖w‖ over all modules and looks; None where no update was seen."""
    ratios = positive(module.update_ratio for look in looks for module in look.depth)
    return median(ratios) if ratios else None


def depth_shown(looks: Sequence[Look]) -> tuple[DepthShown, ...]:
    """Of each line that calls backward the modules of the last look whose gradients are finite, where one is."""
    shown: dict[int, Look] = {}
    for look in looks:
        if look.depth and (look.site not in shown or _is_finite(look) or not _is_finite(shown[look.site])):
            shown[look.site] = look
    return tuple(DepthShown(look, in_order(look)) for look in shown.values())


def in_order(look: Look) -> tuple[DepthLook, ...]:
    """The modules of a look in execution order."""
    return tuple(sorted(look.depth, key=lambda seen: seen.order))


def _trend(look: Look) -> Trend | None:
    layers = [
        seen
        for seen in in_order(look)
        if is_positive(seen.weight_norm) and is_positive(seen.weight_grad_norm) and is_positive(seen.grad_rms)
        if "Norm" not in seen.kind and "Embedding" not in seen.kind
    ][:-1]
    if len(layers) < FEWEST_LAYERS:
        return None
    logs = [math.log10(seen.grad_rms or 1.0) for seen in layers]
    third = _third(layers)
    early, late = (quantile(map(pull, part), 0.5) for part in (layers[:third], layers[-third:]))
    leverage = late / early if early and late is not None else None
    return Trend(look, tuple(layers), slope(logs) * (len(logs) - 1), tuple(logs), leverage)


def _third(layers: Sequence[DepthLook]) -> int:
    return max(len(layers) // 3, 1)


def _is_finite(look: Look) -> bool:
    return all(seen.grad_rms is None or is_finite(seen.grad_rms) for seen in look.depth)
