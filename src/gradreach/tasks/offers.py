"""The tasks by name, each with what trains on it unless something else is asked for."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from gradreach.tasks.adding import adding
from gradreach.tasks.agreement import agreement
from gradreach.tasks.characters import characters
from gradreach.tasks.choices import verb_number
from gradreach.tasks.copying import copying
from gradreach.tasks.deep import deep
from gradreach.tasks.digits import digits
from gradreach.tasks.echo import echo
from gradreach.tasks.memorisation import memorisation
from gradreach.tasks.models import recurrent, stack
from gradreach.tasks.music import music
from gradreach.tasks.order import order
from gradreach.tasks.scalar import one_unit, scalar
from gradreach.tasks.sensor import sensor
from gradreach.tasks.task import Task
from gradreach.tasks.words import words


@dataclass(frozen=True)
class Offer:
    """How a task is made and what is trained on it: both take further arguments, which are the command's options."""

    task: Callable[..., Task]
    model: Callable[..., nn.Module] = recurrent
    batch: int = 32
    rate: float = 2e-3
    steps: int = 1000

    @property
    def says(self) -> str:
        """The first line of the task's docstring."""
        return inspect.getdoc(self.task).splitlines()[0]  # type: ignore[union-attr]


OFFERS: dict[str, Offer] = {
    "adding": Offer(adding, rate=1e-2, steps=3000),
    "copying": Offer(copying),
    "order": Offer(order),
    "echo": Offer(echo),
    "sensor": Offer(sensor, batch=1, steps=100),
    "words": Offer(words),
    "agreement": Offer(agreement),
    "verb-number": Offer(verb_number),
    "memorisation": Offer(memorisation, rate=1e-2, steps=2000),
    "digits": Offer(digits, rate=5e-3, steps=2000),
    "characters": Offer(characters),
    "music": Offer(music),
    "deep": Offer(deep, stack, batch=64, rate=1e-3),
    "scalar": Offer(scalar, one_unit, batch=1, rate=0.1),
}
