"""Clear the gradients once an update."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

CLEAR_ONCE = Advice(
    id="clear-once",
    does="what several passes leave adds up to one update, and nothing of it is lost",
    code=lambda: "optimizer.zero_grad()  # once an update, before its first backward(); step() after its last",
    answers=("GR507",),
    unfit="Where a pass is only to be looked at, as for a saliency map.",
)
