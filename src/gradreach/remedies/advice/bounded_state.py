"""A state that decays, and takes in a weighed part of what is new."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str) -> str:
    where = f"in the step of `{module}`" if module else "in the step of the loop"
    return f"c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)  # {where}; f, i, g: linear in x and h"


BOUNDED_STATE = Advice(
    id="bounded-state",
    does="gates that multiply weigh what is new and let what was there decay: the sum stays where tanh has slope",
    code=_code,
    answers=("GR103", "GR402"),
    unfit="Where the state does not grow and its weights are merely too large: make these smaller.",
)
