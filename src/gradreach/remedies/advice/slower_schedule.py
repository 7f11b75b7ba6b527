"""Step the schedule of the learning rate once an epoch."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SLOWER_SCHEDULE = Advice(
    id="slower-schedule",
    does="the rate then falls over the epochs that the schedule was written for",
    code=lambda: "scheduler.step()  # at the end of each epoch, not after each batch; on an accuracy mode='max'",
    answers=("GR310",),
    unfit="Where the schedule is meant to count batches: give it the number of batches of the whole run.",
)
