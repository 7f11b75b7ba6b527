"""The runs over the updates, and the loss over the threshold."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from gradreach.experiments.drawing import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, axes
from gradreach.experiments.exploding.measure import RATE, THRESHOLD, Measured, middle, split

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_course(measured: Measured) -> Figure:
    """Losses and norms of the three runs of the first seed, over the updates."""
    figure, (loss, norm) = axes(2, width=9, height=3.6)
    kinds = (
        (measured.unclipped, VERMILION, "no clipping", 2.4),
        (measured.guarded, PURPLE, "no clipping, guard", 1.6),
        (measured.clipped, SKY, f"clipped at {THRESHOLD:g}", 1.0),
    )
    for courses, colour, label, width in kinds:
        for panel, values in ((loss, courses[0].loss), (norm, courses[0].norm)):
            panel.semilogy([math.nan if v is None else v for v in values], color=colour, lw=width, label=label)
    _mark(loss, norm, measured)
    loss.set(xlabel="update (the rate rises 10,000-fold)", ylabel="loss, nats", title="An unstable learning curve")
    norm.set(xlabel="update (the rate rises 10,000-fold)", ylabel="gradient norm, no unit", title="The norm's curve")
    loss.legend(loc="upper left")
    return figure


def _mark(loss: Axes, norm: Axes, measured: Measured) -> None:
    ending = measured.unclipped[0].ending
    if ending is not None:
        for panel in (loss, norm):
            panel.axvline(ending.update, color=VERMILION, ls=":", lw=1)
        loss.annotate(
            f"NaN at {ending.update} ",
            (ending.update, 1.0),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            color=VERMILION,
        )
    for step in measured.guarded[0].went_back:
        norm.axvline(step, color=PURPLE, ls="--", lw=1)
    norm.axhline(THRESHOLD, color=SKY, ls="--", lw=1)


def draw_thresholds(measured: Measured) -> Figure:
    """The loss at the end of each seed's run over the threshold."""
    figure, (panel,) = axes(width=9, height=3.6)
    fixed, auto = split(measured.trials)
    losses = [loss for _, found in (*fixed, (0.0, auto)) for loss in found.final if loss is not None]
    top = 8 * max(losses)
    for threshold, found in fixed:
        panel.plot([threshold] * len(found.final), [loss or top for loss in found.final], "o", color=BLUE, alpha=0.5)
    line = [(threshold, middle(found)) for threshold, found in fixed if math.isfinite(middle(found))]
    panel.plot(*zip(*line, strict=True), color=BLUE, label="fixed: each seed,\nand their geometric mean")
    used = [(u, loss) for u, loss in zip(auto.used, auto.final, strict=True) if u is not None and loss is not None]
    panel.plot(*zip(*used, strict=True), "D", color=ORANGE, label="auto, at the median\nof what it chose")
    panel.axhline(top, color=VERMILION, ls=":", label="inf or NaN")
    panel.axvline(measured.size_of_weights / RATE, color=GREEN, ls="--", label="‖w‖ / rate")
    panel.set(
        xscale="log", yscale="log", xlabel="threshold of the global norm, no unit", ylabel="loss at the end, nats"
    )
    panel.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize="small")
    return figure
