"""Go on with what a module returned, in place of what it was given."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

ASSIGN_RESULT = Advice(
    id="assign-result",
    does="what follows goes on with what the module made of it",
    code=lambda module: f"x = {expression(module)}(x)",
    answers=("GR315",),
    unfit="Where the call is there for what it prints: take it out, or call it under torch.no_grad().",
)
