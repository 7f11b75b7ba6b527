"""Targets of mean 0 and deviation 1."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SCALE_TARGET = Advice(
    id="scale-target",
    does="targets of size 1 lie where the output starts; mean and deviation of the training data bring it back",
    code=lambda: "target = (target - target_mean) / target_std  # means and deviations of the training set",
    answers=("GR603", "GR701"),
    unfit="Where the size of the targets changes while training goes on, as that of returns does.",
)
