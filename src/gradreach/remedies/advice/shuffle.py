"""Batches drawn at random."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code() -> str:
    return "loader = DataLoader(dataset, batch_size, shuffle=True)  # or i = torch.randperm(len(x)) before each epoch"


SHUFFLE = Advice(
    id="shuffle",
    does="mixes the classes in each batch, so that an update for one is none against the others",
    code=_code,
    answers=("GR704",),
    unfit="Where the order is what is studied, as in continual learning.",
)
