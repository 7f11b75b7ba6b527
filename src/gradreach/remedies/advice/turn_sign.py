"""The negative of what is to be maximised."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

TURN_SIGN = Advice(
    id="turn-sign",
    does="what is to rise has to be handed over with a minus, for backward and step make it fall",
    code=lambda: "loss = -loss  # of a log likelihood or a score; an error stands in it without a minus",
    answers=("GR606",),
    unfit="Where the loss is an error already, and falls without end for another reason.",
)
