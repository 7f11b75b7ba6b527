"""A recipe: everything a training is made of, from which the same model and the same data come each time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import nn

from gradreach.tasks.models import recurrent
from gradreach.tasks.task import Batch, Measure, Task

Optimizer = Literal["adam", "sgd", "rmsprop"]
OPTIMIZERS: dict[Optimizer, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}


@dataclass(frozen=True)
class Batches:
    """A task's training batches without end; each time it is walked through, the same ones from the beginning."""

    task: Task
    size: int
    seed: int

    def __iter__(self) -> Iterator[Batch]:
        generator = torch.Generator().manual_seed(self.seed)
        while True:
            yield self.task.train(self.size, generator)


class Parts(NamedTuple):
    """What a recipe makes: a fresh model, its data, its loss, and an optimizer over the model's parameters."""

    model: nn.Module
    data: Batches
    loss: Measure
    optimizer: torch.optim.Optimizer


@dataclass(frozen=True)
class Recipe:
    """A task, what is trained on it, and how. `seed` fixes the weights and the data; no other generator is moved.

    `clip` is the largest global norm that a step's gradient may have, None for no clipping.
    Raises ValueError for less than one sample a batch, a rate or clip that is not above 0, an unknown optimizer.

    >>> from itertools import islice
    >>> import gradreach as gr
    >>> recipe = gr.tasks.Recipe(gr.tasks.adding(length=20), batch=4)
    >>> model, data, loss, optimizer = recipe.build()
    >>> report = gr.diagnose(model, islice(data, 2), loss)
    >>> len(report.record.looks)
    2
    """

    task: Task
    model: Callable[[Task], nn.Module] = recurrent
    batch: int = 32
    rate: float = 2e-3
    optimizer: Optimizer = "adam"
    clip: float | None = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ValueError(f"batch: expected at least 1 sample, got {self.batch}")
        for name, value in (("rate", self.rate), ("clip", self.clip)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name}: expected a number above 0, got {value}")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, got {self.optimizer!r}")

    def build(self) -> Parts:
        """The model on the CPU, in float32; the data begin anew at each `iter`."""
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            model = self.model(self.task)
        optimizer = OPTIMIZERS[self.optimizer](model.parameters(), lr=self.rate)
        return Parts(model, Batches(self.task, self.batch, self.seed), self.task.loss, optimizer)
