"""The first update of a run: how many of the passes that were taken for steps it turned out to be made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gradreach.record.schema import Step


@dataclass(frozen=True, slots=True)
class FirstUpdate:
    """The `passes` from number `step` on were one update, as the first one that was seen to be made shows.

    Until then nothing tells how many passes make an update, and each was written as a step.
    """

    step: int
    passes: int

    def number(self, step: int) -> int:
        """A step's number once these passes are one."""
        return step if step <= self.step else max(self.step, step - self.passes + 1)

    def renumbered(self, entry: Any) -> Any:
        """An entry of the run with that number, and a look with its pass."""
        if not hasattr(entry, "step"):
            return entry
        inside = hasattr(entry, "at_pass") and self.step <= entry.step < self.step + self.passes
        more = {"at_pass": entry.step - self.step + 1} if inside else {}
        return replace(entry, step=self.number(entry.step), **more)

    def merged(self, steps: Sequence[Step]) -> list[Step]:
        """The steps of the run, with one for the first update."""
        passes = [step for step in steps if self.step <= step.step < self.step + self.passes]
        losses, earlier = [step.loss for step in passes if step.loss is not None], {step.step for step in passes[:-1]}
        told: list[Step] = [self.renumbered(step) for step in steps if step.step not in earlier]
        for at, step in enumerate(told):
            if passes and step.step == self.step:
                loss, watched = sum(losses) if len(losses) == self.passes else None, any(one.watched for one in passes)
                told[at] = replace(step, site=passes[0].site, loss=loss, watched=watched, passes=self.passes)
        return told
