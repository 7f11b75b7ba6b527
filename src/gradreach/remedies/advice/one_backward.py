"""One backward pass for losses that share a graph."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ONE_BACKWARD = Advice(
    id="one-backward",
    does="goes through what they share once, and before any weight has changed",
    code=lambda: "(loss_1 + loss_2).backward()  # then optimizer.step(), once or for each optimizer",
    answers=("GR501",),
    unfit="Where the second loss is to be computed with the new weights: then compute its forward pass anew.",
)
