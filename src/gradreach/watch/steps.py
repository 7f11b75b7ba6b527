"""The steps of a run: counts them and their backward passes, and keeps the last one open until the next begins."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from types import FrameType
from typing import Any, Literal

from torch import Tensor

from gradreach.engine.norms import global_norm, is_sharded, norm_of_part, ranks_of_parts
from gradreach.record.entries import JoinedSite, Sharding
from gradreach.record.first_update import FirstUpdate
from gradreach.record.nonfinite import all_finite
from gradreach.record.sinks.sink import Sink
from gradreach.remedies.clip.clip import Clip
from gradreach.remedies.clip.part_rules import PartRule
from gradreach.watch.accumulation import Accumulation
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
    """Counts backward passes in `count`, and in `begun` the steps that they make; `scaler` is the GradScaler that the
    script scales its loss with, if any.

    A step is opened at the end of its pass, before the script clips or updates, and goes on with each pass that adds on
    to its gradient. It is closed and written when the next one begins, for its numbers may still be on their way from
    the device. Of a pass whose norm is not measured the
    step holds what costs nothing: the loss, where it lies in the host's memory, and what the script's own clipping
    returned. Closed steps wait to be written together.
    """

    def __init__(self, sink: Sink, sites: BackwardSites, alarm: Alarm, accumulation: Accumulation) -> None:
        self.count = self.begun = 0
        self.goes_on = False
        self.scaler: Any = None
        self._sink = sink
        self._sites = sites
        self._alarm = alarm
        self._accumulation = accumulation
        self._joined: set[int] = set()
        self._sharded_over: tuple[int, ...] = ()
        self._started = time.perf_counter()
        self._measured = self._last_opened = 0
        self._levels: defaultdict[int, LossLevel] = defaultdict(LossLevel)
        self._clip_place = ClipPlace()
        self._opened: OpenStep | None = None
        self._closed: list[OpenStep] = []

    @property
    def number(self) -> int:
        """The number of the step that is under way, from 0."""
        return self.begun - 1

    @property
    def passes(self) -> int:
        """How many passes of that step there were, the one under way included."""
        return self._accumulation.passes if self._accumulation.is_known else 1

    @property
    def is_shared(self) -> bool:
        """Whether the gradients are sharded, and each rank measures its part of the norm."""
        return bool(self._sharded_over)

    @property
    def scale(self) -> Tensor | None:
        """The loss scale in force; None without a scaler."""
        return None if self.scaler is None else getattr(self.scaler, "_scale", None)

    @property
    def factor(self) -> float:
        """The loss scale in force as a number, 1 without a scaler."""
        scale = self.scale
        return 1.0 if scale is None else float(scale)

    def begin(self) -> bool:
        """A pass is about to begin; whether it may go on with the step of the pass before."""
        was_known = self._accumulation.is_known
        self.goes_on = self._accumulation.stands()
        if not was_known and self._accumulation.is_known:
            self._tell_of_first_update()
        if not self.goes_on:
            self.settle()
            self.begun += 1
        return self.goes_on

    def open(self, site: int, losses: Sequence[Tensor], *, watched: bool) -> None:
        """Take the loss and the norm at the end of a backward pass."""
        self._ended(site)
        norm, loss = self._norm(site), only(losses)
        if loss is not None and loss.device.type == "cpu":
            self._levels[site].jumps(float(loss.detach()))
        self._open(site, None if loss is None else number(loss), norm, watched)

    def take(self, site: int, seconds: float, losses: Sequence[Number | None], norm: Number | None) -> None:
        """Take in a step of several passes that turned out to be one when its update was over."""
        self.settle()
        self.begun, self.count = self.begun + 1, self.count + len(losses)
        *before, loss = losses
        seconds, scale = seconds - self._started, None if self.scale is None else number(self.scale)
        taken = OpenStep(self.number, seconds, site, False, loss, norm, scale, passes=len(losses), before=before)
        self._closed.append(taken)
        self._accumulation.is_known = self._accumulation.is_known or not self._accumulation.lines

    def is_in_line(self, site: int, loss: float) -> bool:
        """Whether a loss is not far out of line with those before it from its site."""
        return loss <= self._levels[site].bar

    def pass_by(self, site: int, loss: float | None) -> None:
        """Take the loss alone at the end of a backward pass; the norm as well where the loss is far out of line."""
        self._ended(site)
        norm = None
        if loss is not None and self._levels[site].jumps(loss):
            norm = self._norm(site)
        elif self._opened is None and (loss is None or self._is_left_out()):
            return
        self._open(site, loss, norm, watched=False)

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

    def _ended(self, site: int) -> None:
        """A pass is over: it went on with the step, or is the first of one, also where a gradient stood beside it."""
        adds_on = self._accumulation.adds_on(site)
        if not adds_on and self.goes_on:
            self.settle()
            self.begun += 1
        if self._accumulation.is_known:
            self._join()

    def _first_line(self, site: int) -> int:
        return self._accumulation.lines[0] if self._accumulation.is_known else site

    def _tell_of_first_update(self) -> None:
        """The passes that were taken for steps until now are one, as its end shows."""
        if self._accumulation.passes > 1:
            self._sink.write(FirstUpdate(self.begun - self._accumulation.passes, self._accumulation.passes))
            self._join()

    def _join(self) -> None:
        """Tell of each other line that a pass of this step came from, once."""
        first, *others = self._accumulation.lines
        for site in others:
            if site not in self._joined:
                self._joined.add(site)
                self._sink.write(JoinedSite(site, first))

    def _is_left_out(self) -> bool:
        """Whether the step is none of those that are written of a long run although their norms are not measured."""
        return self.begun > MOST_STEPS and self.begun % (1 + self.begun // MOST_STEPS) != 0

    def _open(self, site: int, loss: Number | None, norm: Tensor | None, watched: bool) -> None:
        scale, seconds = self.scale, time.perf_counter() - self._started
        scaled = None if scale is None else number(scale)
        told = None if norm is None else number(norm)
        opened = OpenStep(self.number, seconds, site, watched, loss, told, scaled, passes=self.passes)
        opened.is_part = bool(self._sharded_over)
        if self._opened is not None:
            self._opened.goes_on(opened)
        else:
            opened.site, opened.before = self._first_line(site), [None] * (self.passes - 1)
            self._opened = opened
        self._last_opened = self.count
        self._clip_place.pass_ended()

    def _clippable(self) -> OpenStep | None:
        """The open step, where no pass came after it."""
        return self._opened if self.count == self._last_opened else None

    def _norm(self, site: int) -> Tensor | None:
        """The global norm of the gradients that the step's passes left, the last of them from this site; where they are
        sharded this rank's part of it. None where they left none, so that what the script makes of those that it was
        given is not known."""
        gradients = self._sites.gradients(self._accumulation.lines)
        over = ranks_of_parts(gradients)
        if over != self._sharded_over:
            self._sharded_over = over
            self._sink.write(Sharding(over))
        if over:
            return norm_of_part(gradients)
        norm = global_norm(gradients)
        if norm is None or norm.device.type != "cpu":
            return norm
        if not all_finite(float(norm)):
            norm = global_norm([gradient.double() for gradient in gradients])  # the sum of squares alone may overflow
        if norm is not None:
            self._sites.check(site, float(norm))
        is_part = site in self._sites.given and self.passes > 1 and norm is not None and all_finite(float(norm))
        return None if is_part else norm


def only(losses: Sequence[Tensor]) -> Tensor | None:
    """The loss that a pass starts from, where it is a single real number that can be read."""
    loss = losses[0] if len(losses) == 1 and losses[0].numel() == 1 else None
    return loss if loss is not None and (is_sharded(loss) or is_dense_and_real(loss)) else None


def read_at_once(losses: Sequence[Tensor]) -> float | None:
    """That loss as a number, where it lies in the host's memory; None elsewhere."""
    loss = only(losses)
    return float(loss.item()) if loss is not None and loss.is_cpu and not is_sharded(loss) else None
