"""What an experiment is, and the record of one run of it."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from gradreach.experiments.claim import Claim
from gradreach.experiments.lab import Lab

if TYPE_CHECKING:
    from matplotlib.figure import Figure

S = TypeVar("S")
M = TypeVar("M", bound=Struct)

Form = Literal["quick", "usual", "full"]
"""quick: under a minute, for a test. usual: two cores, minutes; the documentation's. full: the published sizes."""


@dataclass(frozen=True)
class Experiment(Generic[S, M]):
    """A claim of the theory with what it takes to see it.

    `measure` makes numbers, at a size, and nothing else; `claims` and `figures` are pure functions of them. `measured`
    is the type of the numbers, a frozen msgspec.Struct, which is written as JSON: inf and NaN have no place in it.
    """

    title: str
    sizes: Mapping[Form, S]
    measured: type[M]
    measure: Callable[[S, Lab], M]
    claims: Callable[[M], tuple[Claim, ...]]
    figures: Mapping[str, Callable[[M], Figure]]

    def size(self, form: Form) -> S:
        """The sizes of a form; where there are no full ones, the usual ones are full."""
        return self.sizes["usual" if form == "full" and "full" not in self.sizes else form]


class Run(Struct, Generic[M], frozen=True):
    """One run: when (UTC date), on what, how long (wall seconds), with which data, and what was measured."""

    form: Form
    date: str
    machine: str
    torch: str
    seconds: float
    data: str
    measured: M


def run(experiment: Experiment[S, M], form: Form, lab: Lab) -> Run[M]:
    """Measure at the sizes of `form`."""
    import torch

    begun = time.perf_counter()
    measured = experiment.measure(experiment.size(form), lab)
    return Run(
        form,
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores, CPU",
        str(torch.__version__),
        round(time.perf_counter() - begun, 1),
        "" if lab.data is None else lab.data.name,
        measured,
    )


def save(run: Run[Any], path: Path) -> None:
    """As JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(run) + b"\n")


def load(experiment: Experiment[S, M], path: Path) -> Run[M]:
    """What `save` wrote. Raises msgspec.ValidationError where the file is another experiment's."""
    return msgspec.json.decode(path.read_bytes(), type=Run[experiment.measured])  # type: ignore[name-defined]
