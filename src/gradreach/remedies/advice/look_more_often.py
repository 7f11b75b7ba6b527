"""Watch every step, so that the question to the data rests on more sequences."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(script: str) -> str:
    return f"gradreach run --every 1 {script}  # and its arguments as before"


LOOK_MORE_OFTEN = Advice(
    id="look-more-often",
    does="more looks give the test more sequences, and with these it sees smaller shares",
    code=_code,
    answers=("GR301", "GR401"),
    unfit="Where every step was watched already.",
)
