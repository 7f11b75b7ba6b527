"""Clip gradients without the loss scale."""

from __future__ import annotations

from collections.abc import Collection

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.clip import clipped_at


def _code(models: Collection[str], threshold: str) -> str:
    return f"scaler.unscale_(optimizer)  # first\n{clipped_at(models, threshold)}"


UNSCALE = Advice(
    id="unscale",
    does="the threshold is then held against the gradients themselves, whatever the loss scale",
    code=_code,
    answers=("GR303",),
    unfit="Where no loss scaler is used.",
)
