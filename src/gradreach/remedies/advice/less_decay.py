"""Lower the optimizer's weight decay."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _argument(now: float, is_decoupled: bool) -> str:
    """What is usual for the kind of decay, or a hundredth where that is lower."""
    usual = 1e-2 if is_decoupled else 1e-4
    return f"weight_decay={min(usual, now / 100):.2g}  # for the optimizer, in place of {now:.3g}"


LESS_DECAY = Advice(
    id="less-decay",
    does="the gradient of the loss, and not the decay, then decides what the weights become",
    code=_argument,
    answers=("GR312",),
    unfit="Where weights are meant to go to 0, as those that a later step prunes.",
)
