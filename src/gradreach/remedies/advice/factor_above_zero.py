"""A schedule whose factor is not 0."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

FACTOR_ABOVE_ZERO = Advice(
    id="factor-above-zero",
    does="the rate is multiplied by the factor: 1 leaves it as it is, a tenth slows the training down, 0 ends it",
    code=lambda: "print(scheduler.state_dict(), scheduler.get_last_lr())  # gamma=0.1, or gamma=1, in place of 0",
    answers=("GR310",),
    unfit="Where the training was to end there.",
)
