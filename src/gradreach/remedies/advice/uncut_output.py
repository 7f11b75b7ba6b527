"""Hand a model's output on with its graph, in the step that trains it through another model."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(source: str, judge: str) -> str:
    made, judged = expression(source), expression(judge)
    return (
        f"{judged}({made}(...))  # without detach() or .data in the step that trains `{made}`; these belong in that of "
        f"`{judged}`"
    )


UNCUT_OUTPUT = Advice(
    id="uncut-output",
    does="the gradient of the verdict then comes back through the one model to the other",
    code=_code,
    answers=("GR617",),
    unfit="In the step that trains the model which judges: there the output is to be cut off.",
)
