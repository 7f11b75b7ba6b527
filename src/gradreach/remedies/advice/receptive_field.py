"""Let a model without a recurrence see farther back."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, lag: int) -> str:
    return f"dilation = 2 ** layer  # in `{module}` and below, until {lag} steps are covered"


RECEPTIVE_FIELD = Advice(
    id="receptive-field",
    does="or attention over all steps: a direct way from there to here",
    code=_code,
    answers=("GR104", "GR402"),
    unfit="For recurrent layers, which see every step already.",
)
