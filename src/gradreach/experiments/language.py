"""What the experiments on language share: the layers that are compared, how they are trained, and the user's text."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gradreach.experiments.drawing import BLUE, GREEN, VERMILION
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.task import Task
from gradreach.tasks.training import train

LAYERS = {"rnn": ("tanh RNN", VERMILION), "gru": ("GRU", BLUE), "lstm": ("LSTM", GREEN)}
"""Each layer with its name and its colour in figures."""


def wikitext(data: Path | None) -> Path | None:
    """Return WikiText-2 in the user's folder, None where there is none."""
    folder = None if data is None else data / "wikitext-2"
    return folder if folder is not None and folder.is_dir() else None


def fit(task: Task, layer: str, hidden: int, updates: int, seed: int) -> Recurrent:
    """Train a readout over `hidden` units of one of the `LAYERS` for so many updates."""
    recipe = Recipe(task, partial(recurrent, layer=layer, hidden=hidden), seed=seed)
    model = train(recipe, updates, every=updates + 1).model
    assert isinstance(model, Recurrent)
    return model
