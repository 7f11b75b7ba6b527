"""k2 chosen by what truncation would lose."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

from gradreach.remedies.tbptt.arguments import check_loss
from gradreach.remedies.tbptt.recurrence import Recurrence
from gradreach.remedies.tbptt.segment import Segment
from gradreach.remedies.tbptt.trees import take
from gradreach.remedies.tbptt.truncation_bias import Loss, TruncationBias, measure

_STEPS = 32, 256
"""Windows, and steps, on which the bias is measured: whichever is more."""


@dataclass(frozen=True, slots=True)
class AutoK2:
    """Choose k2 as the smallest of k1, 2 k1, 3 k1, 4 k1, 6 k1, … whose truncation bias is at most `tolerance`.

    The bias is measured with `loss`, a function of a window's output and targets, on the first max(32 k1, 256) steps
    (see `truncation_bias`); k2 is all of these where no smaller one is within the tolerance. Raises TypeError or
    ValueError where loss cannot be called or tolerance is not between 0 and 1.
    """

    loss: Loss
    tolerance: float = 0.05

    def __post_init__(self) -> None:
        check_loss(self.loss)
        if not isinstance(self.tolerance, Real) or not 0 < float(self.tolerance) < 1:
            raise ValueError(f"tolerance: expected a number between 0 and 1, got {self.tolerance!r}")


def chosen_k2(
    recurrence: Recurrence, sequence: Segment, y: Any, auto: AutoK2, k1: int, state: Any, step: Any
) -> tuple[int, TruncationBias]:
    """k2 by the truncation bias of the first steps, and what was measured."""
    few = sequence.part(0, min(sequence.steps, max(_STEPS[0] * k1, _STEPS[1])))
    targets = None if y is None else take(y, sequence.dim, 0, few.steps)
    bias = measure(recurrence, few, targets, step, auto.loss, k1, state, tolerance=auto.tolerance)
    return max(k1, bias.window(auto.tolerance) or bias.steps), bias
