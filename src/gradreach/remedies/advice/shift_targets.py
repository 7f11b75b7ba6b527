"""Targets one place further on than what the model is given."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SHIFT_TARGETS = Advice(
    id="shift-targets",
    does="asks for what comes next, which the model cannot see yet",
    code=lambda: "loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).transpose(1, 2), ids[:, 1:])",
    answers=("GR605",),
    unfit="Where the model is to give back what it is given.",
)
