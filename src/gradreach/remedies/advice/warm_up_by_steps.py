"""Step a warm-up as often as it counts."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

WARM_UP_BY_STEPS = Advice(
    id="warm-up-by-steps",
    does="the rate then rises over the steps that the warm-up was given",
    code=lambda: (
        "scheduler.step()  # after each batch, where it counts batches; and step / warm_up, not step // warm_up"
    ),
    answers=("GR316",),
    unfit="Where the rate is meant to be 0 for so long.",
)
