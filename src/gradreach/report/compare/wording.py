"""How the figures of a comparison read, on a terminal and on a page alike."""

from __future__ import annotations

from gradreach.facts.wording import count, figure, percent
from gradreach.report.compare.comparison import Comparison
from gradreach.report.compare.measure import Measure, Part, signed
from gradreach.report.compare.noise import BATCHES

ONE_RUN = (
    "One run a side: the intervals hold for these two runs and say nothing of what other seeds would do; that takes "
    "several runs of each."
)


def value(measure: Measure, side: float | None) -> str:
    """The figure of one run with its unit."""
    if measure.unit == "share":
        return percent(side)
    text = figure(side)
    return f"{text} {measure.unit}" if measure.unit == "s" and side is not None else text


def change(measure: Measure) -> str:
    """The change with its interval; what was lacking where there is none."""
    if measure.equal:
        return "the same"
    if measure.change is None:
        return measure.lacking
    low, middle, high = measure.change.low, measure.change.value, measure.change.high
    if measure.ratio:
        return f"× {figure(middle)} ({figure(low)} to {figure(high)})"
    return f"{signed(middle, measure.unit)} ({signed(low, measure.unit)} to {signed(high, measure.unit)})"


def standing(measure: Measure) -> str:
    """Whether the change is one; empty where that was not asked."""
    if measure.change is None or measure.equal:
        return ""
    return "changed" if measure.changed else "noise"


def of_part(part: Part) -> str:
    """What steps are compared, and why."""
    if part.empty:
        return f"No step is compared{f': {part.why}' if part.why else ''}."
    why = f"; {part.why}, so no later ones" if part.why else ""
    return f"Compared are steps {part.first:,} to {part.last:,}, the later half of those that both have{why}."


def of_noise(comparison: Comparison) -> str:
    """How the intervals came about, and for how many figures they were corrected."""
    return (
        f"95 % intervals: of step series by t on the differences of {BATCHES} batch means over the same steps, widened "
        "for what batches still share; of looks, and of steps measured too seldom for batches, by Welch's t. "
        f"{count(comparison.tested, 'figure')} compared; a change counts where it stands at 5 % after Holm's "
        "correction for all of them."
    )
