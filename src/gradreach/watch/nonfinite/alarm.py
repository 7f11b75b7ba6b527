"""The alarm of a run: a loss or norm that is not finite, named once, by where it began."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from gradreach.record.schema import NonFinite, Step
from gradreach.record.store import Writer
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.kept_calls import KeptCall, Sentinel
from gradreach.watch.nonfinite.origin import trace
from gradreach.watch.open_step import OpenStep

SCALER_PATIENCE = 20
"""Overflows in a row that a loss scaler may skip as its ordinary business of finding a scale."""


class Alarm:
    """Runs the first step that went wrong again, and writes where it began; after that nothing needs to be kept."""

    def __init__(self, writer: Writer, models: Models, sentinel: Sentinel) -> None:
        self.raised = False
        self._writer = writer
        self._models = models
        self._sentinel = sentinel
        self._overflows = 0

    def judge(self, step: OpenStep, tensors: Sequence[Tensor]) -> None:
        """At the end of a backward pass from `tensors`."""
        if not step.went_wrong() or self.raised:
            self._overflows = 0
        elif step.overflowed() and self._overflows < SCALER_PATIENCE:
            self._overflows += 1
            self._writer.nonfinite(NonFinite(step.step, step.site, "backward", "inf", scaled_away=True))
        else:
            calls = [call for call in self._sentinel.calls if call.gradients]
            self._raise(step, calls, tensors, complete=self._sentinel.armed and not self._sentinel.overflowed)
            self._writer.flush()

    def judge_late(self, opened: OpenStep, step: Step) -> None:
        """After the step, where only now the device told: what is left to say is which weights it spoiled."""
        late = not all(value is None or math.isfinite(value) for value in (step.loss, step.norm))
        if late and not self.raised and not opened.overflowed():
            self._raise(opened, [], (), complete=False)

    def _raise(self, step: OpenStep, calls: Sequence[KeptCall], tensors: Sequence[Tensor], *, complete: bool) -> None:
        self.raised = True
        found = trace(calls, self._models, tensors, step=step.step, site=step.site, complete=complete)
        self._writer.nonfinite(found)
