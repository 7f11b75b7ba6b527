"""Training mode for a model that is trained."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

TRAIN_AGAIN = Advice(
    id="train-again",
    does="lets dropouts drop and batch norms go by the batch; eval() holds until the next train()",
    code=lambda model: f"{expression(model)}.train()  # at the start of each epoch, after any eval()",
    answers=("GR311",),
    unfit="Where the model is meant to be trained as it is evaluated.",
)
