"""Leave the label's own logit unmasked."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

OPEN_LABEL = Advice(
    id="open-label",
    does="a label whose logit is −∞ has probability 0 and an infinite loss",
    code=lambda: "mask[torch.arange(len(y)), y] = False  # before logits.masked_fill(mask, …)",
    answers=("GR301",),
    unfit="Where such labels are a fault of the data: drop their rows.",
)
