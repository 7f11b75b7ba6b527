"""Make a layer once, where the module is made."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(kind: str) -> str:
    return f"self.layer = nn.{kind}(...)  # in __init__, before the optimizer; forward() calls self.layer(x)"


MAKE_ONCE = Advice(
    id="make-once",
    does="the same weights then come back at every pass, and the optimizer can move them",
    code=_code,
    answers=("GR506",),
    unfit="Where random weights are wanted at each pass: make them without a gradient.",
)
