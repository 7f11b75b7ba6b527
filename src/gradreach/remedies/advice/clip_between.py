"""Move a clipping call to between the backward pass and the update."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(call: str, parameters: str, threshold: str) -> str:
    return (
        f"torch.nn.utils.{call}({parameters}, {threshold})  # after backward() and scaler.unscale_(), before step(); "
        "the parameters that step() changes"
    )


CLIP_BETWEEN = Advice(
    id="clip-between",
    does="the call then sees the gradients that the update is made of",
    code=_code,
    answers=("GR504",),
    unfit="Where the updates need no limit: then delete the call.",
)
