"""The passes that a script makes over its loaders: which of them give no batch any more."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType, GeneratorType
from typing import Any

from torch.utils.data import BatchSampler, DataLoader, IterableDataset

from gradreach.record.seen.loop import SpentLoader
from gradreach.watch.frames import place

FEWEST = 2
"""Passes in a row without a batch that are told: one alone may be how a loop finds that there is no more."""

MOST_LINES = 256


@dataclass(slots=True, eq=False)
class _Line:
    """The passes over one source of data from one line of the script.

    `count` are the backward passes before the pass that is under way, `start` those before the first one. `trained`
    says that there was one pass at least while which a backward pass ran.
    """

    source: weakref.ref[Any]
    place: str
    part: str
    kind: str
    is_iterator: bool
    function: str
    start: int
    iterator: weakref.ref[Any] | None = None
    passes: int = 0
    count: int = 0
    trained: bool = False
    refills: bool = False
    empty: int = 0
    first: int = 0
    at: int = 0

    def told(self) -> SpentLoader:
        return SpentLoader(
            line=self.place,
            passes=self.passes,
            first=self.first,
            empty=self.empty,
            step=self.at,
            steps=self.at - self.start,
            part=self.part,
            kind=self.kind,
            is_iterator=self.is_iterator,
            function=self.function,
        )


class LoaderPasses:
    """Hears of the begin of each pass and of its end; of what it keeps nothing is kept alive."""

    def __init__(self) -> None:
        self._lines: list[_Line] = []

    def begins(self, loader: DataLoader[Any], iterator: Any, count: int, frame: FrameType | None) -> None:
        """A pass over a loader begins before backward pass number `count`."""
        source = _source(loader)
        if source is None:
            return
        part, what = source
        line = self._line(part, what, loader, place(frame), count)
        if line is not None:
            line.passes, line.count, line.iterator = line.passes + 1, count, weakref.ref(iterator)

    def ends(self, iterator: Any, count: int) -> SpentLoader | None:
        """A pass is at its end; what is to be written of its loader then."""
        line = next((each for each in self._lines if each.iterator is not None and each.iterator() is iterator), None)
        given = getattr(iterator, "_num_yielded", None)
        if line is None or given is None:
            return None
        if given:
            was_told = line.empty >= FEWEST
            line.trained = line.trained or count > line.count
            line.refills = line.refills or line.empty > 0
            line.empty = 0
            return line.told() if was_told else None
        if line.trained and not line.refills:
            if not line.empty or line.at != count:
                line.empty, line.at, line.first = 0, count, line.passes
            line.empty += 1
        is_due = line.empty >= FEWEST and line.empty & (line.empty - 1) == 0
        return line.told() if is_due else None

    def spent(self) -> Iterator[SpentLoader]:
        """What is to be written of all loaders at the end."""
        return (line.told() for line in self._lines if line.empty >= FEWEST)

    def _line(self, part: str, what: Any, loader: DataLoader[Any], where: str, count: int) -> _Line | None:
        """The passes over this source from this line of the script; None where there are too many."""
        for line in self._lines:
            if line.place == where and (source := line.source()) is not None and (source is what or source is loader):
                return line
        self._lines = [line for line in self._lines if line.source() is not None or line.empty >= FEWEST]
        if len(self._lines) >= MOST_LINES:
            return None
        try:
            source = weakref.ref(what)
        except TypeError:
            source = weakref.ref(loader)
        kind = type(what)
        function = what.__name__ if isinstance(what, GeneratorType) else ""
        made = _Line(source, where, part, kind.__name__, hasattr(kind, "__next__"), function, start=count)
        self._lines.append(made)
        return made


def _source(loader: DataLoader[Any]) -> tuple[str, Any] | None:
    """What of the script's own says which rows a loader gives; None where torch's own samplers do, over and over."""
    if isinstance(loader.dataset, IterableDataset):
        return "dataset", loader.dataset
    batches = loader.batch_sampler
    if batches is not None and type(batches) is not BatchSampler:
        return "batch_sampler", batches
    rows = loader.sampler if batches is None else batches.sampler
    return None if type(rows).__module__.startswith("torch.utils.data") else ("sampler", rows)
