"""Claims and runs in words: the same in the terminal and in the documentation."""

from __future__ import annotations

from typing import Any

from gradreach.experiments.claim import Claim
from gradreach.experiments.experiment import Run
from gradreach.facts.wording import figure


def number(x: float | None) -> str:
    """Write a number with four significant digits, and – for None."""
    return figure(x, 4).replace("-", "−")


def row(claim: Claim) -> list[str]:
    """Return the cells of a claim's row: what it says, predicted, measured, holds if, holds."""
    unit = f" {claim.unit}" if claim.unit else ""
    measured = number(claim.measured) + unit
    predicted = "–" if claim.predicted is None else number(claim.predicted) + unit
    return [claim.says, predicted, measured, f"{extent(claim)}: {claim.why}", "yes" if claim.holds else "NO"]


def extent(claim: Claim) -> str:
    """Write the range in which the measured number has to lie."""
    if claim.low is None:
        return f"≤ {number(claim.high)}"
    if claim.high is None:
        return f"≥ {number(claim.low)}"
    return f"{number(claim.low)} … {number(claim.high)}"


def provenance(run: Run[Any]) -> str:
    """Say when a run was made, on what, at which sizes, and how long it took."""
    data = ", with --data" if run.data else ""
    return (
        f"Measured on {run.date} in {run.seconds:.0f} s, {run.form} sizes{data}: {run.machine}, torch {run.torch}, "
        "one thread a measurement."
    )


def line(claim: Claim) -> str:
    """Write a claim as one line of the terminal."""
    says, predicted, measured, range_and_why, _ = row(claim)
    verdict = "holds" if claim.holds else "DOES NOT HOLD"
    said = f"{verdict}: {says}: measured {measured}, predicted {predicted} ({range_and_why})"
    return f"{said}; published: {claim.published}" if claim.published else said
