"""An activation between two linear layers."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(first: str, second: str) -> str:
    return (
        f"nn.ReLU()  # between {expression(first)} and {expression(second)} in an nn.Sequential;\n"
        f"# in a forward: {expression(second)}(torch.relu({expression(first)}(x)))"
    )


ACTIVATION_BETWEEN = Advice(
    id="activation-between",
    does="with something between them that is not linear, two layers can do what one cannot",
    code=_code,
    answers=("GR206",),
    unfit="Where the map is meant to be linear: one layer does it with fewer weights.",
)
