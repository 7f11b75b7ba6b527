"""The last measured step, while its numbers are on their way from the device and the script has yet to clip."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from gradreach.record.nonfinite import all_finite, may_be_overflow
from gradreach.record.schema import Step
from gradreach.watch.host_numbers import Number, PendingNumber, settled


@dataclass(slots=True)
class OpenStep:
    """Numbers as they come: of the gradient times the loss scale, where a scaler is at work."""

    step: int
    seconds: float
    site: int
    watched: bool
    loss: Number | None
    norm: Number | None
    scale: Number | None
    pre_clip: Number | None = None
    threshold: Number | None = None
    clip: Literal["", "norm", "value"] = ""
    late: bool = False
    passes: int = 1
    before: list[Number | None] = field(default_factory=list)
    """The losses of the step's passes before this one."""

    is_part: bool = False
    """Whether the norm is this rank's part of the global one."""

    def goes_on(self, later: OpenStep) -> None:
        """Take in the next pass of the same step; what was clipped before it was part of a gradient."""
        self.before.append(self.loss)
        self.seconds, self.loss, self.norm, self.scale = later.seconds, later.loss, later.norm, later.scale
        self.watched, self.passes, self.is_part = self.watched or later.watched, later.passes, later.is_part
        self.pre_clip, self.threshold, self.clip, self.late = None, None, "", False

    def clipped(
        self, kind: Literal["norm", "value"], threshold: Number, norm: Number | None, *, late: bool = False
    ) -> None:
        """Take in one clipping call; of several in one step, as one per model, norms join and the last limit counts.

        One that comes `late`, after the update, counts only where there is no other.
        """
        if late and self.clip and not self.late:
            return
        before = None if self.late and not late else settled(self.pre_clip)
        self.late = late
        if norm is not None and before is not None:
            norm = math.hypot(before, settled(norm) or 0.0)
        self.clip, self.threshold, self.pre_clip = kind, threshold, norm

    @property
    def waits(self) -> bool:
        """Whether a number of it is still on its way from the device."""
        return any(isinstance(each, PendingNumber) for each in (self.loss, self.norm, *self.before))

    def went_wrong(self) -> bool:
        """Whether a number that is already there is not finite."""
        return not all_finite(*(value for value in (self.loss, self.norm) if isinstance(value, float)))

    def may_be_overflow(self) -> bool:
        """Whether that may be the loss scale's doing."""
        known = self.loss if isinstance(self.loss, float) else None
        return may_be_overflow(known, scaled=self.scale is not None)

    def close(self) -> Step:
        """The finished step; waits for numbers that are still on their way."""
        scale = settled(self.scale) or 1.0
        losses = [settled(each) for each in (*self.before, self.loss)]
        norm, threshold = settled(self.norm), settled(self.threshold)
        norm = None if norm is None else norm / scale
        unlimited = threshold is not None and math.isinf(threshold)  # no limit has been found yet
        return Step(
            step=self.step,
            seconds=self.seconds,
            site=self.site,
            loss=None if None in losses else sum([each for each in losses if each is not None]) / scale,
            norm=None if self.is_part else norm,
            scale=scale,
            pre_clip=settled(self.pre_clip),
            threshold=None if unlimited else threshold,
            clip="" if unlimited else self.clip,
            late=self.late and not unlimited,
            watched=self.watched,
            passes=self.passes,
            part=norm if self.is_part else None,
        )
