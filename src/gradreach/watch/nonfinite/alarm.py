"""The alarm of a run: a loss or norm that is not finite, named once, by where it began."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from torch import Tensor

from gradreach.engine.norms import is_sharded
from gradreach.record.nonfinite import all_finite
from gradreach.record.schema import NonFinite, Step
from gradreach.record.sinks.sink import Sink
from gradreach.watch.models import Models
from gradreach.watch.nonfinite.kept_calls import KeptCall, KeptCalls
from gradreach.watch.nonfinite.origin import trace
from gradreach.watch.open_step import OpenStep

SCALER_PATIENCE = 20
"""Overflows in a row that a loss scaler may skip as its ordinary business of finding a scale."""


class Alarm:
    """Runs the first step that went wrong again, and writes where it began. After that nothing needs to be kept."""

    def __init__(self, sink: Sink, models: Models, kept: KeptCalls) -> None:
        self.is_raised = False
        self._sink = sink
        self._models = models
        self._kept = kept
        self._overflows = 0

    def judge(self, step: OpenStep, losses: Sequence[Tensor]) -> None:
        """Look at a step at the end of its backward pass from `losses`."""
        if not step.went_wrong() or self.is_raised:
            self._overflows = 0
        elif step.may_be_overflow() and self._overflows < SCALER_PATIENCE:
            self._overflows += 1
            self._sink.write(NonFinite(step.step, step.site, "backward", "inf", scaled_away=True))
        else:
            calls = [call for call in self._kept.calls if call.gradients]
            self._raise(step, calls, losses, complete=self._kept.is_armed and not self._kept.overflowed)
            self._sink.flush()

    def judge_late(self, opened: OpenStep, step: Step) -> None:
        """Look at a step that is over, whose numbers the device told only now: what is left to say is which weights it
        spoiled."""
        if not (all_finite(step.loss, step.norm) or self.is_raised or opened.may_be_overflow()):
            self._raise(opened, [], (), complete=False)

    def _raise(self, step: OpenStep, calls: Sequence[KeptCall], losses: Sequence[Tensor], *, complete: bool) -> None:
        self.is_raised = True
        self._sink.write(trace(calls, self._models, losses, step=step.step, site=step.site, complete=complete))


def looks_broken(tensors: Iterable[Tensor | None]) -> bool:
    """Whether a real tensor that lies whole in the host's memory holds a NaN or an infinity, or sums to one."""
    return any(_sum_is_not_finite(tensor) for tensor in tensors if tensor is not None)


def _sum_is_not_finite(tensor: Tensor) -> bool:
    if tensor.device.type != "cpu" or tensor.is_complex() or is_sharded(tensor):
        return False
    return not math.isfinite(tensor.item() if tensor.numel() == 1 else tensor.detach().sum().item())
