"""What an experiment is, the record of one run of it, and how parts of a result are selected."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping
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
R = TypeVar("R", bound=Struct)
T = TypeVar("T")

Form = Literal["quick", "usual", "full"]
"""quick: under a minute, for a test. usual: two cores, minutes; the documentation's. full: the published sizes."""


@dataclass(frozen=True)
class Experiment(Generic[S, R]):
    """A claim of the theory with what it takes to see it.

    `measure` makes the numbers of a size and nothing else; `claims` and `figures` are pure functions of them. `result`
    is the type of the numbers, a frozen msgspec.Struct, which is written as JSON: inf and NaN have no place in it.
    `lesson` orders the experiments as the theory is taught.
    """

    name: str
    lesson: int
    title: str
    sizes: Mapping[Form, S]
    result: type[R]
    measure: Callable[[S, Lab], R]
    claims: Callable[[R], tuple[Claim, ...]]
    figures: Mapping[str, Callable[[R], Figure]]

    def size(self, form: Form) -> S:
        """Return the sizes of a form; where there are no full ones, the usual ones are full."""
        return self.sizes["usual" if form == "full" and "full" not in self.sizes else form]


class Run(Struct, Generic[R], frozen=True):
    """One run: its date (UTC), machine, wall seconds, the name of the user's data, and what was measured."""

    form: Form
    date: str
    machine: str
    torch: str
    seconds: float
    data: str
    measured: R


def run(experiment: Experiment[S, R], form: Form, lab: Lab) -> Run[R]:
    """Measure at the sizes of `form`."""
    import torch

    begun = time.perf_counter()
    result = experiment.measure(experiment.size(form), lab)
    return Run(
        form,
        datetime.datetime.now(datetime.UTC).date().isoformat(),
        f"{platform.machine()}, {platform.system()}, {os.cpu_count()} cores, CPU",
        str(torch.__version__),
        round(time.perf_counter() - begun, 1),
        "" if lab.data is None else lab.data.name,
        result,
    )


def save(run: Run[Any], path: Path) -> None:
    """Write a run as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(run) + b"\n")


def load(experiment: Experiment[S, R], path: Path) -> Run[R]:
    """Read what `save` wrote. Raises msgspec.ValidationError where the file is another experiment's."""
    return msgspec.json.decode(path.read_bytes(), type=Run[experiment.result])  # type: ignore[name-defined]


def where(parts: Iterable[T], **fields: object) -> list[T]:
    """Return the parts of a result whose fields have these values; a tuple names several values that will do."""

    def fits(part: T) -> bool:
        pairs = ((getattr(part, name), value) for name, value in fields.items())
        return all(came in value if isinstance(value, tuple) else came == value for came, value in pairs)

    return [part for part in parts if fits(part)]
