"""What is learned and what is carried, by window; what a window loses and costs."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING

from gradreach.experiments.drawing import BLUE, CYCLE, GREEN, ORANGE, SKY, VERMILION, axes
from gradreach.experiments.truncation.measure import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_learned(measured: Measured) -> Figure:
    """Error on echo over the window, and the probes' errors over the lag."""
    figure, (learned, carried) = axes(2, width=9, height=3.6)
    n = measured.lag
    for k1, colour in zip(sorted({window.k1 for window in measured.windows}), (BLUE, ORANGE, GREEN), strict=False):
        alike = [window for window in measured.windows if window.k1 == k1]
        for window in alike:
            learned.plot([window.k2] * len(window.errors), window.errors, "o", color=colour, alpha=0.5)
        means = [mean(window.errors) for window in alike]
        learned.plot([w.k2 for w in alike], means, color=colour, label=f"k1 = {k1}: each seed, and their mean")
    learned.axhline(mean(measured.readout), color=VERMILION, ls=":", label="only the readout trained")
    learned.axvline(n, color="gray", ls="--", label=f"lag n = {n}")
    learned.set(xlabel="window k2, steps", ylabel="share wrong", title="What is learned", ylim=(-0.02, 0.8))
    learned.legend(fontsize="small", loc="upper right")
    _draw_probes(carried, measured)
    return figure


def _draw_probes(carried: Axes, measured: Measured) -> None:
    shown = [window for window in measured.windows if window.k1 == 1]
    for window, colour in zip(shown, CYCLE, strict=False):
        share = [wrong / window.probed for wrong in window.wrong]
        carried.plot(share, color=colour, label=f"trained with k2 = {window.k2}")
        carried.plot(window.k2, share[window.k2], "o", color=colour)
    carried.axhline(0.5, color="gray", ls=":", label="chance")
    carried.set(
        xlabel="lag ℓ, steps", ylabel="share wrong of a linear probe", title="What the state carries", ylim=(-0.02, 0.8)
    )
    carried.legend(fontsize="small", loc="upper left")


def draw_bias(measured: Measured) -> Figure:
    """b(k), and the work and the memory of a window."""
    figure, (bias, work) = axes(2, width=9, height=3.6)
    last = len(measured.actual) - 2  # h_0 = 0, so that lag T − 1 adds nothing to ∂L/∂W_hh
    bias.semilogy(range(1, last + 1), measured.actual[:last], color=SKY, lw=4, label="error of tbptt's gradient")
    bias.semilogy(range(1, last + 1), measured.reached[:last], color=BLUE, lw=1, label="b(k) of gr.reach")
    asked = [(k, b) for k, b in measured.measured if k <= last]
    bias.semilogy(*zip(*asked, strict=True), "o", color=ORANGE, label="b(k) of gr.truncation_bias")
    bias.set(xlabel="window k2 = k, steps", ylabel="relative error, no unit", title="What truncation loses")
    bias.legend(fontsize="small")
    alike = [cost for cost in measured.costs if cost.k1 == 16]
    work.plot([cost.k2 for cost in alike], [cost.ran / cost.steps for cost in alike], "o-", label="steps run, a step")
    base = alike[0].saved
    work.plot([cost.k2 for cost in alike], [cost.saved / base for cost in alike], "s--", label="bytes, over k2 = 16")
    work.plot(
        [cost.k2 for cost in alike],
        [cost.seconds / alike[0].seconds for cost in alike],
        "^:",
        label="time, over k2 = 16",
    )
    work.set(xlabel="window k2, steps", ylabel="ratio, no unit", title="What a window costs, k1 = 16")
    work.legend(fontsize="small")
    return figure
