"""Scale the targets."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SCALE_TARGET = Advice(
    id="scale-target",
    does="targets of mean 0 and deviation 1 are what a network starts near",
    code=lambda: "target = (target - target_mean) / target_std  # means and deviations of the training set",
    answers=("GR603",),
    unfit="Where the end of the network is bounded on one side only: a linear end reaches every target.",
)
