"""What a sink must offer, and how one is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from gradreach.record.entries import Entry
from gradreach.record.members import from_others
from gradreach.record.schema import Run

GROUP = "gradreach.sinks"
"""The entry point under which other packages register a Destination."""


@runtime_checkable
class Sink(Protocol):
    """A place that a run is written to while it goes on.

    The entries come in the order in which they are known, steps in their own order. A method that raises is told of
    in the record's notes, and the sink gets no more of the run; the script goes on.
    """

    def write(self, entry: Entry) -> None:
        """Take in one entry. It is called between two training steps, so leave slow work to `flush`."""

    def flush(self) -> None:
        """Write out what is pending; called about twice a second, and where something is worth knowing at once."""

    def close(self) -> None:
        """The run is over: flush, and let go of what is held."""


@dataclass(frozen=True, slots=True)
class Destination:
    """A kind of sink: its name, and `open(folder, run)`, which starts a sink for one rank of one run.

    `folder` is the recording's own folder, which exists. Another package registers its Destination as an entry point:

        [project.entry-points."gradreach.sinks"]
        mine = "my_package.my_sink:DESTINATION"
    """

    name: str
    open: Callable[[Path, Run], Sink]


def destinations_of_others(left_out: Callable[[str], None]) -> Iterator[tuple[str, Destination]]:
    """The destinations that installed packages register, each with its package's name; `left_out` is told of those
    that do not load."""
    return from_others(GROUP, Destination, left_out)
