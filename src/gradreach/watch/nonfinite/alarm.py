"""The alarm of a run: a loss or norm that is not finite, named once, by where it began."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from types import FrameType

from torch import Tensor

from gradreach.engine.norms import is_sharded
from gradreach.record.nonfinite import all_finite, nonfinite_value
from gradreach.record.schema import NonFinite, Step
from gradreach.record.sinks.sink import Sink
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.kept_calls import KeptCalls
from gradreach.watch.nonfinite.landmarks import Landmarks
from gradreach.watch.nonfinite.origin import Glimpse, Scene, of_gradient, of_loss
from gradreach.watch.nonfinite.values import is_finite
from gradreach.watch.open_step import OpenStep
from gradreach.watch.tensors import is_measurable

SCALER_PATIENCE = 20
"""Overflows in a row that a loss scaler may skip as its ordinary business of finding a scale."""

USUAL_SCALE = 65536.0
"""The loss scale that torch's GradScaler begins with."""

SEARCH_PATIENCE = 128
"""The same of a scaler that begins above it: one that halves its scale gets from float32's largest number to 1."""


class Alarm:
    """Finds where the first step that went wrong did so, and writes it. After that nothing needs to be kept.

    A loss that is not finite is examined before the script's backward pass, while the graph is whole; a gradient that
    is not after it, by what the landmarks held and by a replay.
    """

    def __init__(self, sink: Sink, models: Models, kept: KeptCalls) -> None:
        self.is_raised = False
        self._sink = sink
        self._models = models
        self._kept = kept
        self._overflows, self._overflowed = 0, -1
        self._landmarks = Landmarks()
        self._glimpse: Glimpse | None = None

    def learn(self, site: int, losses: Sequence[Tensor]) -> None:
        """On a look, before the pass: note where between the models and the loss a slope can be infinite."""
        if not self.is_raised:
            self._landmarks.learn(site, losses, self._kept.returned)

    def before(self, site: int, losses: Sequence[Tensor], loss: float | None, *, may_wait: bool) -> None:
        """Before the script's backward pass: read the graph of a loss that is not finite; keep what a finite one may
        need. `loss` is the only one, where it was read already; a loss on another device is waited for only where that
        `may_wait`.
        """
        self.forget()
        if self.is_raised:
            return
        if _any_is_broken(losses, may_wait=may_wait) if loss is None else not math.isfinite(loss):
            self._glimpse = Glimpse.of(losses, self._kept.returned)
        else:
            self._landmarks.hold(site, losses)

    def has_landmarks(self, site: int) -> bool:
        """Whether something is to be kept of each pass from this site."""
        return not self.is_raised and self._landmarks.are_known(site)

    def forget(self) -> None:
        """Let go of what was kept of the pass before."""
        self._glimpse = None
        self._landmarks.drop()

    @property
    def has_glimpse(self) -> bool:
        """Whether the loss of the pass under way was seen not to be finite."""
        return self._glimpse is not None

    def judge(self, step: OpenStep, losses: Sequence[Tensor], frame: FrameType | None = None) -> bool:
        """Look at a step at the end of its backward pass from `losses`; whether the alarm is raised by it."""
        if self.is_raised or (self._glimpse is None and not step.went_wrong()):
            self._overflows = 0
        elif not self._is_real(losses) and step.may_be_overflow() and self._overflows < _patience(step):
            if self._overflowed != step.step:  # the sum of its passes stays infinite
                self._overflows, self._overflowed = self._overflows + 1, step.step
                self._sink.write(NonFinite(step.step, step.site, "backward", "inf", scaled_away=True))
        else:
            self._raise(self._origin(step, losses, frame))
            return True
        return False

    def judge_late(self, opened: OpenStep, step: Step) -> None:
        """Look at a step that is over, whose numbers the device told only now: its graph is gone, and of a finite loss
        the landmarks alone can tell why."""
        if all_finite(step.loss, step.norm, step.part) or self.is_raised or opened.may_be_overflow():
            return
        value = nonfinite_value(step.loss)
        if value is not None:
            self._raise(NonFinite(step.step, step.site, "loss", value))
        else:
            scene = Scene(step.step, step.site, self._models, (), False, (), None, self._kept.returned)
            self._raise(of_gradient(scene, self._landmarks))

    def _origin(self, step: OpenStep, losses: Sequence[Tensor], frame: FrameType | None) -> NonFinite:
        if self._overflows >= SEARCH_PATIENCE and not self._is_real(losses):
            scale = f"a loss scale of {step.scale:.3g}, and the scaler has skipped the {self._overflows} steps before"
            return NonFinite(step.step, step.site, "backward", "inf", cause="loss scale", argument=scale)
        scene = self._scene(step.step, step.site, losses, frame)
        seen = self._glimpse
        return of_gradient(scene, self._landmarks) if seen is None else of_loss(scene, seen)

    def _is_real(self, losses: Sequence[Tensor]) -> bool:
        """Whether the graph shows that the loss was not finite before a loss scale multiplied it."""
        scaling = losses[0].grad_fn if losses else None
        seen = None if self._glimpse is None else self._glimpse.all
        return seen is not None and scaling is not None and seen.number < scaling._sequence_nr()

    def _raise(self, found: NonFinite) -> None:
        self.is_raised = True
        self._landmarks.drop()
        self._sink.write(found)

    def _scene(self, step: int, site: int, losses: Sequence[Tensor], frame: FrameType | None) -> Scene:
        complete = self._kept.is_armed and not self._kept.overflowed
        return Scene(step, site, self._models, tuple(self._kept.calls), complete, losses, frame, self._kept.returned)


def _patience(step: OpenStep) -> int:
    searches = isinstance(step.scale, float) and step.scale > USUAL_SCALE
    return SEARCH_PATIENCE if searches else SCALER_PATIENCE


def looks_broken(tensors: Iterable[Tensor | None]) -> bool:
    """Whether a real tensor that lies whole in the host's memory holds a NaN or an infinity, or sums to one."""
    return any(_sum_is_not_finite(tensor) for tensor in tensors if tensor is not None)


def _sum_is_not_finite(tensor: Tensor) -> bool:
    if tensor.device.type != "cpu" or tensor.is_complex() or is_sharded(tensor) or not is_measurable(tensor):
        return False
    return not math.isfinite(tensor.item() if tensor.numel() == 1 else tensor.detach().sum().item())


def _any_is_broken(losses: Sequence[Tensor], *, may_wait: bool) -> bool:
    return any((may_wait or loss.device.type == "cpu") and _broken(loss) for loss in losses)


def _broken(loss: Tensor) -> bool:
    if not is_measurable(loss):
        return False
    if loss.numel() == 1 and not is_sharded(loss):
        return not loss.is_complex() and not math.isfinite(loss.item())
    return not is_finite(loss)
