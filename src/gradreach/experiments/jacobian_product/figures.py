"""Norms beside their bounds, and how far the bound is off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradreach.experiments.drawing import CYCLE, GREEN, ORANGE, PURPLE, SKY, VERMILION, axes
from gradreach.experiments.explicit_rnn import GAMMA, NAMES
from gradreach.experiments.jacobian_product.measure import FACTORS, TIGHT, Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEEN = {"explodes": "orthogonal, inputs 1e-12", "does not": "orthogonal, inputs of size 1", "ρ < λ": "random, states 0"}


def draw(measured: Measured) -> Figure:
    """Norms of the sweep beside their bounds, one panel for each function."""
    figure, panels = axes(2, width=9, height=4.2, sharey=True)
    for panel, (kind, name) in zip(panels, NAMES.items(), strict=True):
        for factor, colour in zip(FACTORS, CYCLE, strict=False):
            for of, line in (("orthogonal", "-"), ("random", ":")):
                found = next(
                    each
                    for each in measured.sweep
                    if (each.kind, each.factor, each.weights, each.seed) == (kind, factor, of, 0)
                )
                _line(panel, found.lags, found.norm, line, color=colour)
            _line(panel, found.lags, found.bound, "--", color=colour, lw=1, label=f"γλ = {factor:g}")
        panel.set(xlabel="lag ℓ = t − k, steps", ylabel="‖∂h_t/∂h_k‖₂, no unit", title=f"{name}, γ = {GAMMA[kind]:g}")
    panels[0].legend(loc="lower left", title="colour", fontsize="small")
    lines = [
        panels[1].plot([], [], line, color="gray", label=name)[0]
        for line, name in (("--", "bound (γλ)^ℓ"), ("-", "W_hh/λ orthogonal"), (":", "W_hh random"))
    ]
    panels[1].legend(handles=lines, loc="lower left", title="line", fontsize="small")
    return figure


def draw_bound(measured: Measured) -> Figure:
    """How far the bound is off, and what becomes of γλ > 1."""
    figure, (off, above) = axes(2, width=9, height=3.9)
    special = measured.special
    for name, colour in zip((*TIGHT, "ρ < λ", "saturated"), (GREEN, SKY, ORANGE, VERMILION), strict=True):
        found = special[name]
        far = [i for i, lag in enumerate(found.lags) if lag > 1]
        lags = [found.lags[i] for i in far]
        off.loglog(lags, [found.bound[i] - found.norm[i] for i in far], color=colour, label=name)
        if name in TIGHT:
            off.loglog(lags, [-found.least[i] for i in far], ":", color=colour)
    off.plot([], [], ":", color="gray", label="at most, by min σ′ of the states")
    off.set(
        xlabel="lag ℓ = t − k, steps",
        ylabel="bound / norm, decades",
        ylim=(1e-10, None),
        title="How far off the bound is",
    )
    off.legend(fontsize="small", loc="lower right")
    for name, colour in (("explodes", GREEN), ("does not", PURPLE), ("ρ < λ", ORANGE)):
        found = special[name]
        if name != "does not":
            _line(
                above, found.lags, found.bound, "--", color=colour, lw=3, alpha=0.6, label=f"bound {found.factor:g}^ℓ"
            )
        _line(above, found.lags, found.norm, "-", color=colour, label=SEEN[name])
    above.set(xlabel="lag ℓ = t − k, steps", ylabel="‖∂h_t/∂h_k‖₂, no unit", title="γλ > 1: explosion possible")
    above.legend(fontsize="small", loc="lower left")
    return figure


def _line(panel: Axes, lags: list[int], log10: list[float], line: str, **look: Any) -> None:
    panel.semilogy(lags, [10**each for each in log10], line, **look)
