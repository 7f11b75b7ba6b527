"""Running statistics of batch norms that follow the batches."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(model: str) -> str:
    return (
        f"for norm in {expression(model)}.modules():\n    if isinstance(norm, torch.nn.modules.batchnorm._BatchNorm):\n"
        "        norm.momentum = 0.1"
    )


FOLLOW_BATCHES = Advice(
    id="follow-batches",
    does="takes a tenth of each new batch into the statistics that eval() goes by",
    code=_code,
    answers=("GR311",),
    unfit="Where the statistics were computed elsewhere and are meant to stay.",
)
