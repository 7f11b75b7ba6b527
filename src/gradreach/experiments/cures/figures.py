"""Success and cost of every cure, and the layers' reach."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from gradreach.experiments.cures.measure import CURES, NAMES, RATES, TASKS, Measured, TaskName, of
from gradreach.experiments.drawing import CYCLE, HEAT, axes
from gradreach.experiments.intervals import successes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw(measured: Measured) -> Figure:
    """Success of each cure at each lag, one map a task, at the lower + at the higher rate; what an update costs."""
    figure, panels = axes(3, width=11.5, height=4.6, gridspec_kw={"width_ratios": (5, 5, 2.6)}, sharey=True)
    for panel, task in zip(panels, TASKS, strict=False):
        _map(panel, measured, task)
    _cost(panels[-1], measured)
    for panel in panels:
        panel.set(ylabel="cure", yticks=range(len(CURES)), yticklabels=list(CURES))
        panel.label_outer()
    return figure


def _map(panel: Axes, measured: Measured, task: TaskName) -> None:
    lags = sorted({outcome.lag for outcome in measured.outcomes})
    rates = []
    for i, cure in enumerate(CURES):
        runs = [[o for o in of(measured, (cure,)) if o.task == task and o.lag == lag] for lag in lags]
        rates.append([100 * successes(each) / len(each) for each in runs])
        for j, each in enumerate(runs):
            steps = [outcome.solved for outcome in each if outcome.solved is not None]
            counts = " + ".join(str(successes([o for o in each if o.rate == rate])) for rate in RATES)
            text = counts + (f"\n{median(steps):.0f}" if steps else "")
            ink = "white" if rates[i][j] < 60 else "black"
            panel.text(j, i, text, ha="center", va="center", fontsize=7.5, color=ink, linespacing=0.95)
    shown = panel.imshow(rates, cmap=HEAT, vmin=0, vmax=100, aspect="auto")
    panel.set(xlabel="lag, steps", title=f"{task}: of {len(runs[0])} runs", xticks=range(len(lags)), xticklabels=lags)
    panel.grid(False)
    if task == "copying":
        panel.figure.colorbar(shown, ax=panel, label="runs that succeed, %")


def _cost(panel: Axes, measured: Measured) -> None:
    longest = max(outcome.lag for outcome in measured.outcomes)
    runs = [[o.milliseconds for o in of(measured, (cure,)) if o.lag == longest] for cure in CURES]
    panel.barh(range(len(CURES)), [median(each) for each in runs], color=CYCLE[0], height=0.6)
    panel.set(xlabel="one update, ms", title=f"Cost at lag {longest}")
    panel.grid(visible=False, axis="y")


def draw_reach(measured: Measured) -> Figure:
    """r(ℓ) of every layer before training: median over seeds, and the bounds of those that have some."""
    figure, (panel,) = axes(width=8.5, height=4.4)
    for i, (layer, name) in enumerate(NAMES.items()):
        curves = [each for each in measured.reached if each.layer == layer]
        middle = [median(values) for values in zip(*(each.reach for each in curves), strict=True)]
        colour, dash = CYCLE[i % len(CYCLE)], ("-", "--")[i // len(CYCLE)]
        panel.plot(curves[0].lags, middle, dash, color=colour, label=name)
        for bound in (curves[0].least, curves[0].most):
            if bound is not None:
                panel.plot(curves[0].lags, bound, ":", color=colour, lw=1)
    panel.plot([], [], ":", color="gray", lw=1, label="bound")
    panel.set(xlabel="lag ℓ, steps", ylabel="log₁₀ r(ℓ), no unit", ylim=(-20, 1))
    panel.set_title("Reach before training, adding problem")
    panel.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure
