"""A forward pass of its own for each loss, once the weights have moved."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

FORWARD_ANEW = Advice(
    id="forward-anew",
    does="reads the weights as they are after the step, as the two losses of a generator and its critic need it",
    code=lambda: "loss_2 = loss_of(model(x))  # run the model again after the first optimizer.step()",
    answers=("GR501",),
    unfit="Where both losses train the same weights: then add them up.",
)
