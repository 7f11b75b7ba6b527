"""A logistic output in place of a softmax over one value."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

ONE_LOGIT = Advice(
    id="one-logit",
    does="a softmax or normalisation over one value is a constant; one output for two classes wants a logistic one",
    code=lambda: "loss = F.binary_cross_entropy_with_logits(x, y.float())  # x without softmax, of the shape of y",
    answers=("GR307",),
    unfit="Where the axis was meant to be another: name that one, as in softmax(x, dim=1).",
)
