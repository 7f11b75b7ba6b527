"""How many backward passes make a step, where their gradients are summed for one update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import median
from gradreach.record.schema import Record, Step


@dataclass(frozen=True, slots=True)
class SummedPasses:
    """`least` to `most` backward passes make a step, all `steps` together of `passes`. The last step is left out of the
    least, for the run may end on the way."""

    least: int
    most: int
    passes: int
    steps: int

    @property
    def words(self) -> str:
        """What makes the steps, as it goes on from "30 steps"."""
        least = f"{self.least} to " if self.least < self.most else ""
        each = "each " if self.steps > 1 and not least else ""
        return f"{each}made of {least}{self.most} backward passes, {self.passes:,} in all"


def accumulation(record: Record) -> SummedPasses | None:
    """None where each step is one backward pass."""
    counts = [step.passes for step in record.steps]
    if max(counts, default=1) == 1:
        return None
    return SummedPasses(min(counts[:-1] or counts), max(counts), record.passes, record.length)


def passes_a_step(record: Record, site: int, steps: Sequence[Step]) -> int:
    """How many backward passes one line calls for a step, by the median; of lines that join in a step each one."""
    lines = 1 + sum(to == record.joined.get(site, site) for to in record.joined.values())
    return max(round(median([float(step.passes) for step in steps])) // lines, 1) if steps else 1
