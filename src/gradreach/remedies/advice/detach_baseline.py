"""Take the baseline of an advantage without its gradient."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str) -> str:
    of = f"value, of {expression(module)}: " if module else ""
    return f"advantage = returns - value.detach()  # {of}the policy's term then trains the policy alone"


DETACH_BASELINE = Advice(
    id="detach-baseline",
    does="what predicts the return is then trained by its own error alone",
    code=_code,
    answers=("GR615",),
    unfit="Where several values are in it, as in an estimate over many steps: compute it under torch.no_grad().",
)
