"""Clear, run backward, step: in this order."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

UPDATE_ORDER = Advice(
    id="update-order",
    does="an optimizer steps by the gradients that it finds, and a backward pass alone moves nothing",
    code=lambda: "optimizer.zero_grad(); loss.backward(); optimizer.step()  # in this order, once for each update",
    answers=("GR309",),
    unfit="Where several passes make up one update: clear before the first, step after the last.",
)
