"""Input ids that are masked at the places that the loss asks for."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

MASK_INPUTS = Advice(
    id="mask-inputs",
    does="hides what is asked for, so that it must be told from the places around it",
    code=lambda: "ids = torch.where(asked, MASK, ids)  # before model(ids); the targets keep the ids",
    answers=("GR605",),
    unfit="Where the model is to give back what it is given.",
)
