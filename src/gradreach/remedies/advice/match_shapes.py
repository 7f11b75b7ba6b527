"""Give output and target the same shape."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(dimensions: int, other: str) -> str:
    which = "output" if dimensions > 1 else other
    return f"{which} = {which}.squeeze(-1)  # and assert output.shape == {other}.shape"


MATCH_SHAPES = Advice(
    id="match-shapes",
    does="then each output is held against its own target alone",
    code=_code,
    answers=("GR601",),
    unfit="Where every output is meant to be held against every target.",
)
