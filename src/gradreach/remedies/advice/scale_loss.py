"""Scale the loss, so that gradients in float16 stay away from 0."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

USUAL = 65536.0
"""The loss scale that torch's GradScaler begins with."""


def _code(now: float, begin: float | None = None) -> str:
    """A GradScaler where there is none, else one that begins with another scale than `now`: by default a higher one."""
    if now != 1.0:
        begin = begin or max(USUAL, 64 * now)
        return f"scaler = torch.amp.GradScaler(device, init_scale={begin:.1f})  # the scale was {now:g}"
    return (
        "scaler = torch.amp.GradScaler(device)  # once, before the loop; then, in place of backward() and step():\n"
        "scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()"
    )


SCALE_LOSS = Advice(
    id="scale-loss",
    does="multiplies the gradients on their way back, and divides them in float32 before the step",
    code=_code,
    answers=("GR319", "GR307", "GR301"),
    unfit="Where the weights themselves are float16: a GradScaler refuses them.",
)
