"""Clip at a higher norm."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.clip import clipped_at

RAISE_THRESHOLD = Advice(
    id="raise-threshold",
    does="clips the exceptional step alone",
    code=clipped_at,
    answers=("GR303",),
    unfit="Where normalised steps are meant: then raise the rate instead.",
)
