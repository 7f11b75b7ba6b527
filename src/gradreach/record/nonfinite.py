"""When a number counts as not finite, and when the loss scale alone may have made it so. All readers ask here."""

from __future__ import annotations

import math
from typing import Literal

Phase = Literal["input", "parameters", "forward", "loss", "backward"]
"""Where in a step the first non-finite value arose, in the order in which a step computes: in the data, in the weights
before the step, in a module's forward pass, in the loss, or on the way back."""

NonFiniteValue = Literal["nan", "inf"]

Cause = Literal[
    "",
    "half overflow",
    "exp overflow",
    "exponential factor",
    "overflow",
    "log of zero",
    "log of a negative",
    "root at zero",
    "root of a negative",
    "division by zero",
    "power at zero",
    "power of a negative",
    "edge of its domain",
    "outside of its domain",
    "softmax of nothing",
    "impossible label",
    "infinity less infinity",
    "zero times infinity",
    "deviation of one",
    "equal singular values",
    "utterance too short",
    "hidden branch",
    "targets",
    "inputs",
    "sum of a row",
    "norm of a row",
    "deviation of a column",
    "apart",
    "initial weights",
    "optimizer constant",
    "update too large",
    "loss scale",
]
"""What made a value non-finite, as a kind that has its own remedy; empty where no more than the operation is known.

"hidden branch" is an infinity that `where`, a mask or an index left out of the value and not out of the gradient,
"exponential factor" a product that such a factor drove out of the format, "impossible label" one of probability 0,
"sum of a row", "norm of a row" and "deviation of a column" are what inputs were divided by before the model, as far as
the others show, "apart" is a factor that the script computed without a gradient, "optimizer constant" an eps that the
weights' format rounds to 0.
"""


def all_finite(*values: float | None) -> bool:
    """Whether every value that is known is finite."""
    for value in values:  # noqa: SIM110 (asked of every step of a run; a generator takes three times as long)
        if value is not None and not math.isfinite(value):
            return False
    return True


def nonfinite_value(*values: float | None) -> NonFiniteValue | None:
    """Which non-finite value stands among these, NaN before infinity; None where all that are known are finite."""
    if all_finite(*values):
        return None
    return "nan" if any(value is not None and math.isnan(value) for value in values) else "inf"


def may_be_overflow(loss: float | None, *, scaled: bool) -> bool:
    """Whether a value that is not finite may be the overflow that a loss scaler looks for and skips.

    It may where the loss is `scaled`, unless the loss itself is NaN: no scale makes a NaN of a finite loss.
    """
    return scaled and not (loss is not None and math.isnan(loss))
