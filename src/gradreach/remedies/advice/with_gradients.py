"""Call a part where gradients are on."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

WITH_GRADIENTS = Advice(
    id="with-gradients",
    does="then the graph leads through it",
    code=lambda: "y = checkpoint(block, x, use_reentrant=False)  # and no torch.no_grad() around the call",
    answers=("GR306",),
    unfit="Where the part is meant to stay as it is: freeze it.",
)
