"""What was seen of gradients of exactly 0 on one watched step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ZeroCause = Literal[
    "flat",
    "off",
    "saturated",
    "single",
    "derivative",
    "weights",
    "input",
    "factor",
    "unused",
    "underflow",
    "empty",
    "unknown",
    "untraced",
]
"""Why a gradient became exactly 0: a step function; every value on the side of slope 0; a slope that rounds to 0; a
normalisation over a single value; a derivative of a function of straight pieces; weights, an input or another factor
that are all 0; a part of an output that nothing uses; too small for the number format; no row at all; an operation that
says none of it; one that was not sought."""


@dataclass(frozen=True, slots=True)
class ZeroGradient:
    """Parameters that one watched step gave a gradient of exactly 0, and the operation at which it became so.

    With `why` "derivative" it may be a term of the loss alone that gives them none.

    They hold `elements` of the `of` numbers that the step's loss trains. `operation` stands in the forward of `module`,
    of class `kind`, and works on what `behind` put out; both are empty where the script itself calls it. `share` is the
    part of its values at which its slope is 0, where that was counted.
    """

    parameters: tuple[str, ...]
    elements: int
    of: int
    operation: str = ""
    why: ZeroCause = "untraced"
    share: float | None = None
    module: str = ""
    kind: str = ""
    behind: str = ""
