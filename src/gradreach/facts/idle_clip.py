"""Clipping calls that limit nothing: they come before the gradient, after the update, or on other parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from gradreach.facts.statistics import is_finite, is_positive, median
from gradreach.record.schema import Step

FEWEST_CALLS = 10
"""Idle calls from which a line's clipping counts as idle."""

NEARLY_ALL = 0.9
"""Share of the calls that must be idle: of the first one it is not known where it stands."""


@dataclass(frozen=True, slots=True)
class IdleClip:
    """The clipping of one line, by `kind` and to `threshold`, of which `calls` calls limit nothing.

    `place`: "cleared", where they come after the update and see no gradient, and so before the next backward pass;
    "updated", where they come after the update and see its gradient; "elsewhere", where they see none though the last
    backward pass left one. `norm` is the median of what went unlimited, `over` its share above the threshold; None
    where no norm was measured.
    """

    kind: Literal["norm", "value"]
    threshold: float
    calls: int
    place: Literal["cleared", "updated", "elsewhere"]
    norm: float | None
    over: float | None


def idle_clip(steps: Sequence[Step]) -> IdleClip | None:
    """What the steps of one line tell of a clipping that limits nothing; None where it may limit something."""
    calls = [step for step in steps if step.clip and is_finite(step.threshold)]
    idle = [step for step in calls if _is_idle(step)]
    judged = [step for step in calls if step.pre_clip != 0 or is_positive(step.norm) or step.late]
    if len(idle) < FEWEST_CALLS or len(idle) < NEARLY_ALL * len(judged):
        return None
    threshold = idle[-1].threshold or 0.0
    norms = [step.norm for step in steps if is_finite(step.norm)]
    blind, late = (sum(each) * 2 > len(idle) for each in ([s.pre_clip == 0 for s in idle], [s.late for s in idle]))
    return IdleClip(
        kind="value" if idle[-1].clip == "value" else "norm",
        threshold=threshold,
        calls=len(idle),
        place="elsewhere" if not late else "cleared" if blind else "updated",
        norm=median(norms) if norms else None,
        over=sum(norm > threshold for norm in norms) / len(norms) if norms else None,
    )


def heeded(steps: Sequence[Step]) -> list[Step]:
    """The steps of one line without the clipping calls that limit nothing."""
    idle = idle_clip(steps) is not None
    return [_without_clip(step) if step.late or (idle and step.clip) else step for step in steps]


def _is_idle(step: Step) -> bool:
    return step.late or (step.pre_clip == 0 and is_positive(step.norm))


def _without_clip(step: Step) -> Step:
    return replace(step, clip="", threshold=None, pre_clip=None, late=False)
