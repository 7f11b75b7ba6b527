"""Clear the gradients before the pass that begins an update."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ZERO_GRAD = Advice(
    id="zero-grad",
    does="an update is then made of its own gradients alone",
    code=lambda: "optimizer.zero_grad()  # of every optimizer, before the backward() that begins its update",
    answers=("GR502", "GR508"),
    unfit="Between the micro-batches of one update, whose gradients are meant to add up.",
)
