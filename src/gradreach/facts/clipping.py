"""How a norm was limited: by which threshold, on what share of the steps, and which threshold a run's norms tell of."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gradreach.facts.statistics import is_finite, is_positive, median, weighted_quantile
from gradreach.record.schema import Step

EXCEPTION = 0.01
"""Share of the ordinary steps, those with the largest norms, that a threshold should act on."""

FAR = 10.0
"""How many times the median norm a threshold is at most: of norms with a long tail the largest 1 % are no guide. Half
to ten times the average norm was found to work (Pascanu et al. 2013)."""

NORMAL_95 = 1.96
"""Standard deviations of a normal distribution between which 95 % of it lie."""


@dataclass(frozen=True, slots=True)
class Clipping:
    """How a norm was limited: the `threshold` in force last, as the script names it, and the share of the steps whose
    norm lay above theirs. Both are None where nothing clips by norm.

    `low` and `high` are the ends of the share's 95 % interval where not every step's norm is known, else the share.
    `scaled` says that the script's call saw norms still multiplied by the loss scale: it stands before `unscale_`.
    `idle` says that the script's calls limit nothing: they come before there is a gradient, after the update, or are on
    other parameters. Then nothing clips.
    """

    threshold: float | None
    rate: float | None
    low: float | None = None
    high: float | None = None
    scaled: bool = False
    idle: bool = False

    @property
    def is_sampled(self) -> bool:
        """Whether the share is an estimate."""
        return self.low is not None and self.high is not None and self.high > self.low


def clipping(steps: Sequence[Step], every: bool) -> Clipping:
    """How the norm of these steps was limited, which are `every` one that there was, or a part; a limit on each value
    is none on the norm.

    What the script's own clipping call saw decides: it may have clipped before there was a gradient. Where only some
    steps were measured, each stands for those up to the middle between it and its neighbours.
    """
    limited = [step for step in steps if step.threshold is not None and step.clip != "value"]
    known = [step for step in limited if is_finite(clipped_norm(step))]
    weights = stands_for(known)
    complete = every and all(clipped_norm(step) is not None for step in limited)
    if complete:
        weights = [1.0] * len(known)
    if not known:
        return Clipping(limited[-1].threshold if limited else None, None, scaled=clips_scaled(steps))
    above = [(clipped_norm(step) or 0.0) > (step.threshold or 0.0) for step in known]
    rate = math.fsum(weight for weight, clipped in zip(weights, above, strict=True) if clipped) / math.fsum(weights)
    low, high = rate, rate
    if not complete:
        low, high = interval(rate, math.fsum(weights) ** 2 / math.fsum(each * each for each in weights))
    return Clipping(limited[-1].threshold, rate, low, high, clips_scaled(steps))


def clipped_norm(step: Step) -> float | None:
    """The norm that the script's own clipping call saw, else the one that was measured."""
    return step.pre_clip if step.pre_clip is not None else step.norm


def clips_scaled(steps: Sequence[Step]) -> bool:
    """Whether the script's clipping call saw the gradients before they were divided by the loss scale."""
    scales = [
        (math.log(step.pre_clip) - math.log(step.norm), math.log(step.scale))
        for step in steps
        if is_positive(step.pre_clip) and is_positive(step.norm) and step.scale > 2
    ]
    return bool(scales) and median([ratio - scale / 2 for ratio, scale in scales]) > 0


def limit_of(step: Step, scaled: bool) -> float | None:
    """The limit on a step's global norm, in units of gradients without a loss scale; None where nothing clips it."""
    if step.threshold is None or step.clip == "value":
        return None
    return step.threshold / step.scale if scaled and step.scale > 0 else step.threshold


def unscaled(steps: Sequence[Step]) -> list[Step]:
    """The steps of one line, each norm that only the clipping call saw divided by the loss scale where it saw that."""
    if not clips_scaled(steps):
        return list(steps)
    return [
        replace(step, norm=step.pre_clip / step.scale)
        if step.norm is None and step.pre_clip is not None and step.scale > 0
        else step
        for step in steps
    ]


def stands_for(steps: Sequence[Step]) -> list[float]:
    """How many steps each of these stands for, the first and the last for those to the next one at most."""
    if len(steps) < 2:
        return [1.0] * len(steps)
    gaps = [float(after.step - before.step) for before, after in pairwise(steps)]
    return [(left + right) / 2 for left, right in pairwise([gaps[0], *gaps, gaps[-1]])]


def interval(share: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a share of n independent cases (Wilson 1927)."""
    z = NORMAL_95 * NORMAL_95 / n
    middle, half = share + z / 2, NORMAL_95 * math.sqrt((share * (1 - share) + z / 4) / n)
    return min(max((middle - half) / (1 + z), 0.0), share), max(min((middle + half) / (1 + z), 1.0), share)


def norm_quantile(steps: Sequence[Step], q: float, without: Collection[int] = ()) -> float | None:
    """The q-quantile of the norms before clipping, each for the steps that it stands for; None where none is finite.

    Those of the steps `without` are left out.
    """
    known = [step for step in steps if step.step not in without and is_finite(step.unclipped)]
    return weighted_quantile([step.unclipped or 0.0 for step in known], stands_for(known), q)


def exceptional(steps: Sequence[Step], without: Collection[int]) -> float | None:
    """The norm that only EXCEPTION of the ordinary steps lie above, those that are not among `without`; FAR times their
    median at most."""
    rare, usual = (norm_quantile(steps, q, without) for q in (1 - EXCEPTION, 0.5))
    return rare if rare is None or not is_positive(usual) else min(rare, FAR * usual)


def share_above(steps: Sequence[Step], threshold: float, without: Collection[int]) -> float:
    """The share of the ordinary steps, those that are not among `without`, whose norm lies above a threshold."""
    known = [step for step in steps if step.step not in without and is_finite(step.unclipped)]
    weighed = list(zip(stands_for(known), (step.unclipped or 0.0 for step in known), strict=True))
    above, all_ = (math.fsum(w for w, norm in weighed if norm > least) for least in (threshold, -1.0))
    return above / all_ if all_ else 0.0
