"""The gradient by lag, and the right verbs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gradreach.experiments.drawing import axes
from gradreach.experiments.intervals import interval
from gradreach.experiments.language import LAYERS
from gradreach.experiments.near_beats_far.measure import MOST, NEAR, TEXTS, Measured, balanced, counted, of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_shares(measured: Measured) -> Figure:
    """How much of the gradient has come by each lag."""
    figure, panels = axes(2, width=9, height=3.8, sharey=True)
    for panel, (kind, title) in zip(panels, TEXTS.items(), strict=True):
        for layer, (label, colour) in LAYERS.items():
            shares = np.array([model.lag_share for model in of(measured, kind, layer)]).cumsum(1)
            panel.plot(shares.T, color=colour, lw=0.6, alpha=0.5)
            panel.plot(shares.mean(0), color=colour, lw=2, label=label)
        panel.axvspan(0, NEAR - 1, color="gray", alpha=0.15, lw=0)
        panel.set_xticks(range(0, len(of(measured, kind, "rnn")[0].lag_share), 5))
        panel.set(title=title, xlabel="lag ℓ, steps", ylabel="Σ s(j) over j ≤ ℓ, share of ∂L/∂W_hh")
    panels[0].legend()
    return figure


def draw_verbs(measured: Measured) -> Figure:
    """Right verbs by the nouns between, attractors or of the same number; and real sentences, where there are."""
    real = list(
        dict.fromkeys((each.test, each.nouns) for model in measured.models for each in model.tested if each.plural)
    )
    figure, (grammar, *rest) = axes(2 if real else 1, width=9.5 if real else 6, height=4.4, sharey=True)
    for (layer, (label, colour)), aside in zip(LAYERS.items(), (-0.06, 0.0, 0.06), strict=True):
        for test, line in (("attractors", "o-"), ("same number", "s:")):
            _draw_counted(grammar, measured, layer, test, aside, fmt=line, color=colour, label=f"{label}, {test}")
        for panel in rest:
            rates = [balanced(measured, layer, test, (nouns,)) for test, nouns in real]
            panel.plot([np.nan if rate is None else rate for rate in rates], "o", color=colour, label=label)
    for panel in (grammar, *rest):
        panel.axhline(0.5, color="gray", lw=0.8)
    grammar.set_xticks(range(MOST + 1))
    grammar.set(title="A grammar's sentences", xlabel="nouns between subject and verb", ylabel="right verbs, share")
    grammar.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    for panel in rest:
        panel.set_xticks(range(len(real)), [_named(*each) for each in real], fontsize="small")
        panel.set(
            title="Real sentences, models of little text",
            xlabel="attractors, or the distractor in BLiMP's sentences",
            ylabel="right verbs, share, balanced by number",
        )
    return figure


def _draw_counted(panel: Axes, measured: Measured, layer: str, test: str, aside: float, **look: Any) -> None:
    cells = [counted(measured, layer, test, nouns) for nouns in range(MOST + 1)]
    rate = np.array([right / n for right, n in cells])
    ends = np.array([interval(*cell) for cell in cells]).T
    panel.errorbar(np.arange(MOST + 1) + aside, rate, np.abs(ends - rate), ms=4, capsize=2, **look)


def _named(test: str, nouns: int | None) -> str:
    return test.removeprefix("distractor_agreement_").replace("_", "\n") if nouns is None else str(nouns)
