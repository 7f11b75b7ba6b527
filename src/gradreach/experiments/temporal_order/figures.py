"""Success against length, and the runs of the longest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradreach.experiments.drawing import BLUE, ORANGE, VERMILION, axes
from gradreach.experiments.intervals import interval, successes
from gradreach.experiments.temporal_order.measure import METHODS, TESTED_EVERY, Measured, Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = dict(zip(METHODS, (VERMILION, ORANGE, BLUE), strict=True))
CHANCE = 0.75


def draw(measured: Measured) -> Figure:
    """Success against length for each start; the runs of the longest."""
    starts = list(dict.fromkeys(outcome.start for outcome in measured.outcomes))
    figure, panels = axes(len(starts) + 1, width=4 * (len(starts) + 1), height=3.7)
    for panel, start in zip(panels, starts, strict=False):
        _success(panel, [outcome for outcome in measured.outcomes if outcome.start == start])
        panel.set_title(f"Success, {start}")
    longest = max(outcome.length for outcome in measured.outcomes)
    _courses(panels[-1], [o for o in measured.outcomes if o.length == longest and o.start == starts[-1]])
    panels[-1].set_title(f"The runs at T {longest}, {starts[-1]}")
    return figure


def _success(panel: Axes, outcomes: list[Outcome]) -> None:
    lengths = sorted({outcome.length for outcome in outcomes})
    for i, method in enumerate(METHODS):
        runs = [[o for o in outcomes if o.method == method and o.length == length] for length in lengths]
        rates = [100 * successes(each) / len(each) for each in runs]
        ends = [interval(successes(each), len(each)) for each in runs]
        below = [rate - 100 * low for rate, (low, _) in zip(rates, ends, strict=True)]
        above = [100 * high - rate for rate, (_, high) in zip(rates, ends, strict=True)]
        aside = [length + (i - 1) * 0.6 for length in lengths]
        panel.errorbar(aside, rates, (below, above), fmt="o-", capsize=3, color=COLOURS[method], label=method)
    panel.set(xlabel="length T, steps", ylabel="runs that succeed, %", xticks=lengths, ylim=(-4, 104))
    panel.legend(loc="lower left")


def _courses(panel: Axes, outcomes: list[Outcome]) -> None:
    for method in METHODS:
        for i, outcome in enumerate(o for o in outcomes if o.method == method):
            updates = [TESTED_EVERY * (j + 1) for j in range(len(outcome.errors))]
            wrong = [100 * error for error in outcome.errors]
            label = method if i == 0 else None
            panel.plot([0, *updates], [100 * CHANCE, *wrong], color=COLOURS[method], lw=1.1, label=label)
            if outcome.solved is not None:
                panel.plot(updates[-1], wrong[-1], "o", ms=5, color=COLOURS[method])
    panel.set(xlabel="update, steps", ylabel="wrong, %", ylim=(-2, 82))
    panel.legend(loc="lower left")
