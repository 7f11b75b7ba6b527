"""The steps of a run: counts the backward passes, and keeps the last measured one open until the next begins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor

from gradreach.engine.norms import global_norm, is_sharded
from gradreach.record.nonfinite import all_finite
from gradreach.record.sinks.sink import Sink
from gradreach.remedies.clip.clip import Clip
from gradreach.remedies.clip.part_rules import PartRule
from gradreach.watch.backward_sites import BackwardSites
from gradreach.watch.host_numbers import number
from gradreach.watch.nonfinite.alarm import Alarm
from gradreach.watch.open_step import OpenStep


class Steps:
    """Counts backward passes in `count`; `scaler` is the GradScaler that the script scales its loss with, if any.

    A step is opened at the end of a measured pass, before the script clips or updates. It is closed and written when
    the next one begins, for its numbers may still be on their way from the device.
    """

    def __init__(self, sink: Sink, sites: BackwardSites, alarm: Alarm) -> None:
        self.count = 0
        self.scaler: Any = None
        self._sink = sink
        self._sites = sites
        self._alarm = alarm
        self._started = time.perf_counter()
        self._measured = 0
        self._opened: OpenStep | None = None

    @property
    def number(self) -> int:
        """The number of the step that is under way, from 0."""
        return self.count - 1

    @property
    def scale(self) -> Tensor | None:
        """The loss scale in force; None without a scaler."""
        return None if self.scaler is None else getattr(self.scaler, "_scale", None)

    @property
    def factor(self) -> float:
        """The loss scale in force as a number, 1 without a scaler."""
        scale = self.scale
        return 1.0 if scale is None else float(scale)

    def open(self, site: int, losses: Sequence[Tensor], *, watched: bool) -> None:
        """Take the loss and the norm at the end of a backward pass."""
        norm, scale = self._norm(site), self.scale
        loss = losses[0] if len(losses) == 1 and losses[0].numel() == 1 else None
        self._opened = OpenStep(
            self.number,
            time.perf_counter() - self._started,
            site,
            watched,
            None if loss is None else number(loss),
            None if norm is None else number(norm),
            None if scale is None else number(scale),
        )

    def judge(self, losses: Sequence[Tensor]) -> None:
        """Sound the alarm where the open step is not finite. The step may be run again: look at it before."""
        if self._opened is not None:
            self._alarm.judge(self._opened, losses)

    def measured(self) -> int:
        """Note that the pass under way was measured; returns how many passes there were since the last one that was."""
        passes, self._measured = self.count - self._measured, self.count
        return passes

    def settle(self) -> None:
        """Write the step that is open."""
        opened, self._opened = self._opened, None
        if opened is not None:
            step = opened.close()
            self._sink.write(step)
            self._alarm.judge_late(opened, step)

    def clipped(self, kind: Literal["norm", "value"], threshold: float, norm: Any) -> None:
        """The script clipped the gradients; `norm` is what its own call returned, the norm before clipping."""
        known = isinstance(norm, Tensor) and not is_sharded(norm)
        if (step := self._clippable()) is not None:
            step.clipped(kind, float(threshold), number(norm) if known else None)

    def limited(self, clip: Clip) -> None:
        """A gr.Clip was applied. A limit on anything but the global norm has no norm beside it, as one by value."""
        if (step := self._clippable()) is not None:
            by_value = isinstance(clip.rule, PartRule)
            norm = None if by_value or clip.norm is None else number(clip.norm)
            step.clipped("value" if by_value else "norm", number(clip.threshold), norm)

    def _clippable(self) -> OpenStep | None:
        """The open step, where no pass came after it."""
        return self._opened if self.count == self._measured else None

    def _norm(self, site: int) -> Tensor | None:
        """The global norm of the gradients that this site's pass left."""
        gradients = self._sites.gradients(site)
        norm = global_norm(gradients)
        if norm is None or norm.device.type != "cpu":
            return norm
        if not all_finite(float(norm)):
            norm = global_norm([gradient.double() for gradient in gradients])  # the sum of squares alone may overflow
        if norm is not None:
            self._sites.check(site, float(norm))
        return norm
