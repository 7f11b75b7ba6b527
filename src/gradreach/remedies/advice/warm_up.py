"""Begin with a small learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return "torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=500)"


WARM_UP = Advice(
    id="warm-up",
    does="spares the first steps",
    code=_code,
    answers=("GR305",),
    unfit="Where the updates are too large all along: lower the rate.",
)
