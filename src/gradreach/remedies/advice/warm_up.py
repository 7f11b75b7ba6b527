"""Begin with a small learning rate."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

WARM_UP = Advice(
    id="warm-up",
    does="spares the first steps",
    code=lambda: "torch.optim.lr_scheduler.LinearLR(optimizer, 0.01, total_iters=500)",
    answers=("GR305",),
    unfit="Where the updates are too large all along: lower the rate.",
)
