"""The steps of a run: counts the backward passes, and keeps the last one open until the next begins."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from types import FrameType
from typing import Any, Literal

from torch import Tensor

from gradreach.engine.norms import global_norm, is_sharded
from gradreach.record.nonfinite import all_finite
from gradreach.record.sinks.sink import Sink
from gradreach.remedies.clip.clip import Clip
from gradreach.remedies.clip.part_rules import PartRule
from gradreach.watch.backward_sites import BackwardSites
from gradreach.watch.clip_place import ClipPlace
from gradreach.watch.host_numbers import Number, number
from gradreach.watch.loss_level import LossLevel
from gradreach.watch.nonfinite.alarm import Alarm
from gradreach.watch.open_step import OpenStep
from gradreach.watch.tensors import is_dense_and_real

MOST_STEPS = 10_000
"""Steps of which each is written although its norm was not measured; after so many more, each second one, and so on."""


class Steps:
    """Counts backward passes in `count`; `scaler` is the GradScaler that the script scales its loss with, if any.

    A step is opened at the end of its pass, before the script clips or updates. It is closed and written when the next
    one begins, for its numbers may still be on their way from the device. Of a pass whose norm is not measured the
    step holds what costs nothing: the loss, where it lies in the host's memory, and what the script's own clipping
    returned. Closed steps wait to be written together.
    """

    def __init__(self, sink: Sink, sites: BackwardSites, alarm: Alarm) -> None:
        self.count = 0
        self.scaler: Any = None
        self._sink = sink
        self._sites = sites
        self._alarm = alarm
        self._started = time.perf_counter()
        self._measured = self._last_opened = 0
        self._levels: defaultdict[int, LossLevel] = defaultdict(LossLevel)
        self._clip_place = ClipPlace()
        self._opened: OpenStep | None = None
        self._closed: list[OpenStep] = []

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
        norm, loss = self._norm(site), only(losses)
        if loss is not None and loss.device.type == "cpu":
            self._levels[site].jumps(float(loss.detach()))
        self._open(site, None if loss is None else number(loss), None if norm is None else number(norm), watched)

    def is_in_line(self, site: int, loss: float) -> bool:
        """Whether a loss is not far out of line with those before it from its site."""
        return loss <= self._levels[site].bar

    def pass_by(self, site: int, loss: float) -> None:
        """Take the loss alone at the end of a backward pass; the norm as well where the loss is far out of line."""
        norm = None
        if self._levels[site].jumps(loss):
            norm = self._norm(site)
        elif self.count > MOST_STEPS and self.count % (1 + self.count // MOST_STEPS):
            return
        self._open(site, loss, None if norm is None else number(norm), watched=False)

    def judge(self, losses: Sequence[Tensor], frame: FrameType | None) -> None:
        """Sound the alarm where the open step, whose backward `frame` called, is not finite. The step may be run again:
        look at it before."""
        if self._opened is not None and self._alarm.judge(self._opened, losses, frame):
            self.write()
            self._sink.flush()

    def measured(self) -> int:
        """Note that the pass under way was measured; returns how many passes there were since the last one that was."""
        passes, self._measured = self.count - self._measured, self.count
        return passes

    def settle(self) -> None:
        """Close the step that is open."""
        opened, self._opened = self._opened, None
        if opened is not None:
            if opened.late:
                opened.late = self._clip_place.was_last()
            self._closed.append(opened)
            if opened.waits:
                self._alarm.judge_late(opened, opened.close())

    def write(self) -> None:
        """Write the steps that are closed."""
        for closed in self._closed:
            self._sink.write(closed.close())
        self._closed.clear()

    def clipped(
        self, kind: Literal["norm", "value"], threshold: float, norm: Any, parameters: Sequence[Tensor]
    ) -> None:
        """The script clipped the gradients; `norm` is what its own call returned, the norm before clipping."""
        known = isinstance(norm, Tensor) and not is_sharded(norm)
        if (step := self._clippable()) is not None:
            late = self._clip_place.is_late(parameters)
            step.clipped(kind, float(threshold), number(norm) if known else None, late=late)

    def limited(self, clip: Clip) -> None:
        """A gr.Clip was applied. A limit on anything but the global norm has no norm beside it, as one by value."""
        threshold = number(clip.threshold)
        if threshold is not None and (step := self._clippable()) is not None:
            by_value = isinstance(clip.rule, PartRule)
            norm = None if by_value or clip.norm is None else number(clip.norm)
            step.clipped("value" if by_value else "norm", threshold, norm)

    def _open(self, site: int, loss: Number | None, norm: Number | None, watched: bool) -> None:
        scale, seconds = self.scale, time.perf_counter() - self._started
        scaled = None if scale is None else number(scale)
        self._opened = OpenStep(self.number, seconds, site, watched, loss, norm, scaled)
        self._last_opened = self.count
        self._clip_place.pass_ended()

    def _clippable(self) -> OpenStep | None:
        """The open step, where no pass came after it."""
        return self._opened if self.count == self._last_opened else None

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


def only(losses: Sequence[Tensor]) -> Tensor | None:
    """The loss that a pass starts from, where it is a single real number that can be read."""
    loss = losses[0] if len(losses) == 1 and losses[0].numel() == 1 else None
    return loss if loss is not None and (is_sharded(loss) or is_dense_and_real(loss)) else None


def read_at_once(losses: Sequence[Tensor]) -> float | None:
    """That loss as a number, where it lies in the host's memory; None elsewhere."""
    loss = only(losses)
    return float(loss.item()) if loss is not None and loss.is_cpu and not is_sharded(loss) else None
