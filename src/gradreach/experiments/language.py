"""What the experiments on language share: the layers that are compared, and the user's text."""

from __future__ import annotations

from pathlib import Path

from gradreach.experiments.drawing import BLUE, GREEN, VERMILION

LAYERS = {"rnn": ("tanh RNN", VERMILION), "gru": ("GRU", BLUE), "lstm": ("LSTM", GREEN)}
"""Each with its name and colour in figures."""


def wikitext(data: Path | None) -> Path | None:
    """WikiText-2 in the user's folder, None where there is none."""
    folder = None if data is None else data / "wikitext-2"
    return folder if folder is not None and folder.is_dir() else None
