"""The maps of both passages, and the last row of the sentence's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gradreach.experiments.drawing import HEAT, axes
from gradreach.experiments.language import LAYERS
from gradreach.experiments.sentence.measure import Measured, lag, mean, of, windows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FLOOR = 6.0
"""Decades that the colours of the maps span."""


def draw_map(measured: Measured, name: str) -> Figure:
    """Every word's error, carried back to every earlier word, for the RNN and the LSTM."""
    words = measured.words[name]
    small = len(words) > 30
    figure, panels = axes(1, 2, width=9, height=15) if small else axes(2, width=11, height=5.4)
    for panel, layer in zip(panels, ("rnn", "lstm"), strict=True):
        rows = of(measured, layer, name)[0].map
        whole = np.full((len(rows), len(rows)), np.nan)
        for t, row in enumerate(rows):
            whole[t, : t + 1] = np.array(row) - row[t]
        image = panel.imshow(whole, cmap=HEAT, vmin=-FLOOR, vmax=0.0, interpolation="nearest")
        size = 7.0 if small else 8.0
        panel.set_xticks(range(len(rows)), words[:-1], rotation=90, fontsize=size)
        panel.set_yticks(range(len(rows)), words[1:], fontsize=size)
        panel.grid(False)
        panel.set(title=LAYERS[layer][0], xlabel="word k, read", ylabel="word t + 1, whose error it is")
    figure.colorbar(
        image, ax=panels, label="log₁₀ ‖δ_{t→k}‖ / ‖δ_{t→t}‖, no unit", shrink=0.5 if small else 0.8, extend="both"
    )
    return figure


def draw_row(measured: Measured) -> Figure:
    """The error at the last word of the sentence, by the word it comes to, each seed and the mean."""
    figure, (panel,) = axes(width=8.5, height=4)
    words = measured.words["sentence"]
    for layer, (label, colour) in LAYERS.items():
        rows = np.array([each.row for each in of(measured, layer, "sentence")])
        panel.plot(rows.T, color=colour, lw=0.7, alpha=0.5)
        panel.plot(rows.mean(0), "o-", color=colour, lw=2, ms=4, label=label)
    elsewhere = mean(windows(measured, "rnn", "sentence")) / lag(measured, "sentence")
    back = len(words) - 2 - np.arange(len(words) - 1)
    panel.plot(
        elsewhere * back, ":", color=LAYERS["rnn"][1], label=f"{10**elsewhere:.2f} a word, elsewhere in the text"
    )
    panel.set_xticks(range(len(words) - 1), words[:-1], rotation=60, ha="right")
    panel.set(
        xlabel="word k, read",
        ylabel="log₁₀ ‖δ_{T→k}‖ / ‖δ_{T→T}‖, no unit",
        title=f"The error at “{words[-1]}”, carried back",
    )
    panel.legend()
    return figure
