"""The loss computed with the weights that the optimizer was given."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SAME_WEIGHTS = Advice(
    id="same-weights",
    does="the gradient then comes to the weights that the optimizer moves",
    code=lambda: (
        "loss = loss_fn(model(x), y)  # the model whose parameters the optimizer was given, not a copy of it; with "
        "changed weights torch.func.functional_call(model, weights, (x,)), which keeps the way back to them"
    ),
    answers=("GR306", "GR309"),
    unfit="Where the optimizer is left over and steps nothing on purpose: leave it out.",
)
