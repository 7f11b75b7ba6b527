"""A small slope below zero."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str, root: str) -> str:
    """Of ReLUs that are modules every one in the model `root` is replaced: the layers around a dead one die next."""
    if kind == "ReLU":
        return (
            f"for m in list({expression(root)}.modules()):\n"
            "    for name, child in m.named_children():\n"
            "        if isinstance(child, nn.ReLU): setattr(m, name, nn.LeakyReLU(0.2))"
        )
    return f"F.leaky_relu(x, 0.2)  # in place of the ReLU after `{module}`, and in the layers around it"


LEAKY = Advice(
    id="leaky",
    does="a slope below zero lets dead units come back",
    code=_code,
    answers=("GR204",),
    unfit="Where activations must be sparse or may not be negative.",
)
