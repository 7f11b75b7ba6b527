"""Use a part's output on the way to the loss."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

CONNECT = Advice(
    id="connect",
    does="then it learns",
    code=lambda: "# use its output in forward, without detach() or .data on the way to the loss",
    answers=("GR306", "GR307"),
    unfit="Where the part is meant to stay as it is: freeze it.",
)
