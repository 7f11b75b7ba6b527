"""Where a run broke: the first value that is NaN or infinite, and who took care of such values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import known, quantile
from gradreach.record.schema import NonFinite, Record

LOSSES_ON_LOGITS = ("LogSoftmax", "NllLoss", "BinaryCrossEntropyWithLogits", "CrossEntropy")
"""Operations, as autograd names them, of losses that take logits: only a model's output breaks them."""


DIVIDED = {
    "sum of a row": "each other row adds up to 1",
    "norm of a row": "each other row has norm 1",
    "deviation of a column": "each other column has mean 0 and deviation 1",
}
"""What shows by which figure inputs were divided before the model."""

TELLS_ROW = ("targets", "inputs", "utterance too short", "impossible label")
"""Causes that lie in single rows of a batch: which one belongs into the first sentence."""

BEFORE = 20
"""Steps before the first non-finite one whose norms tell what led to it."""

GROWN = 5.0
"""Growth over those steps from which it is told: a norm wanders by 2 or 3 without meaning."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The norm or the loss over the last `steps` steps before the break: what was usual, and the last one."""

    usual: float
    last: float
    steps: int

    @staticmethod
    def of(values: Sequence[float | None]) -> Growth | None:
        """The growth over the last of these values; None where none is known."""
        last = known(values[-BEFORE:])
        if not last:
            return None
        usual = quantile(last[: max(len(last) // 2, 1)], 0.5)
        return Growth(usual, last[-1], len(last)) if usual is not None else None

    @property
    def grown(self) -> bool:
        """Whether the last one is far above the usual."""
        return self.usual > 0 and self.last >= GROWN * self.usual


def kept_out(record: Record) -> frozenset[int]:
    """The steps that a guard took no update from: whatever was wrong with them did not reach the weights."""
    return record.guarded.steps("skipped") if record.guarded is not None else frozenset()


def scaled_away(record: Record) -> frozenset[int]:
    """The steps whose overflow a loss scaler met by skipping the update."""
    return frozenset(found.step for found in record.nonfinite if found.scaled_away)


def survived(record: Record) -> frozenset[int]:
    """The steps that spoilt no weight, whoever saw to it: a later step of the same line was finite again, and so were
    the weights where they were seen next. A loss alone may be finite for all that its weights are NaN."""
    bad = {step.step for step in record.not_finite}
    last = {step.site: step.step for step in record.steps if step.step not in bad and step.loss is not None}
    looks = [(look.step, all(is_sound(seen.weight_norm) for seen in look.depth)) for look in record.looks if bad]

    def is_sound_after(at: int) -> bool:
        return next((sound for step, sound in looks if step > at), True)

    return frozenset(
        step.step for step in record.not_finite if step.step < last.get(step.site, -1) and is_sound_after(step.step)
    )


def is_sound(weight_norm: float | None) -> bool:
    """Whether nothing speaks against a module's weights being finite."""
    return weight_norm is None or math.isfinite(weight_norm)


def first_break(record: Record, handled: frozenset[int]) -> int | None:
    """The first step with a NaN or an infinity that is not among the `handled` ones."""
    broken = [found.step for found in record.nonfinite if found.step not in handled]
    broken += [step.step for step in record.not_finite if step.step not in handled and step.broken]
    return min(broken, default=None)


def origin(record: Record, out: frozenset[int]) -> NonFinite | None:
    """The non-finite value that came first, as its replay found it; one of the steps that were kept `out` is none."""
    real = [found for found in record.nonfinite if not found.scaled_away and found.step not in out]
    return min(real, key=lambda found: found.step, default=None)


def nonfinite_steps(record: Record) -> tuple[int, ...]:
    """The steps whose norm or loss was NaN or infinite, or that the replay was called for."""
    return tuple(sorted({step.step for step in record.not_finite} | {found.step for found in record.nonfinite}))


def only_shows(found: NonFinite) -> bool:
    """Whether the loss is merely the first place where it was seen: what the model gave it was not looked at."""
    return found.phase == "loss" and not found.replayed


def came_from_the_model(found: NonFinite) -> bool:
    """Whether a loss on logits shows it, which makes nothing non-finite out of a finite output."""
    return only_shows(found) and any(name in found.operation for name in LOSSES_ON_LOGITS)


def symbol(found: NonFinite) -> str:
    """The value in words."""
    return "NaN" if found.value == "nan" else "infinity"


def fault(found: NonFinite) -> str:
    """What happened, as half a sentence: "log of 0"; empty where no more than a place is known."""
    asked, operation = found.argument, found.operation
    match found.cause:
        case "exp overflow":
            return f"{asked} overflows"
        case "half overflow":
            return (
                f"{operation} has {asked}" if asked else f"the gradient of {operation} passes float16's largest number"
            )
        case "overflow" | "exponential factor":
            return f"{operation} overflows" + (f": {asked}" if asked else "")
        case "division by zero":
            return f"division by zero: {asked}"
        case "root at zero" | "power at zero" | "edge of its domain":
            return f"{asked}, where its slope is infinite"
        case "outside of its domain":
            return f"{asked}, outside of its domain"
        case "softmax of nothing":
            return f"{operation} of a row that is −∞ throughout, as of one that is masked out whole"
        case "impossible label":
            return "a label of probability 0: its logit is −∞"
        case "infinity less infinity":
            return f"{operation} of infinities" + (f": {asked}" if asked else ", ∞ − ∞")
        case "zero times infinity":
            return f"{operation} of an infinity" + (f": {asked}" if asked else "")
        case "equal singular values":
            return f"{operation} with equal {asked}, where its slope is infinite"
        case "utterance too short":
            return f"{operation} of {asked}"
        case "hidden branch":
            return f"{asked}, in a branch that is left out of the value and not out of the gradient: 0 · ∞"
        case "targets" | "inputs":
            return f"{symbol(found)} in the {found.cause}"
        case "sum of a row" | "norm of a row" | "deviation of a column":
            return f"{symbol(found)} in the inputs, throughout {asked or 'some'}, while {DIVIDED[found.cause]}"
        case "apart":
            one = " (a single value, and the deviation of one is NaN)" if set(found.shape) <= {1} else ""
            return f"{operation} by a value that the script computed apart and that is {symbol(found)}{one}"
        case "initial weights":
            held = f"held {asked}" if asked else "was not finite"
            return f"`{operation}` {held} before the first update"
        case "optimizer constant":
            return f"the update divided by 0: {asked}"
        case "update too large":
            return f"the update left the number format: {asked}"
        case "loss scale":
            return f"gradients overflow under {asked}"
    return asked


def spot(found: NonFinite) -> str:
    """Where among the values, counted from 0: "row 17 of 64"; empty where that is not known."""
    if not found.index or len(found.index) != len(found.shape):
        return ""
    if found.cause == "deviation of a column":
        return f"column {found.index[-1]:,} of {found.shape[-1]:,}"
    if len(found.shape) <= 2 and found.shape[0] > 1:
        return f"row {found.index[0]:,} of {found.shape[0]:,}"
    return f"index {tuple(found.index)} of {tuple(found.shape)}"


def line(found: NonFinite) -> str:
    """The script's own line of the operation, with its text; empty where it is not known."""
    if not found.source:
        return ""
    return f"{found.source}" + (f" (`{found.code.replace('`', '')}`)" if found.code else "")
