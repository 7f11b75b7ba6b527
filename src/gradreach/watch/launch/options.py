"""How a program is to be watched."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradreach.record.sinks.recorder import Recorder
    from gradreach.watch.session import Session


@dataclass(frozen=True)
class WatchOptions:
    """How to watch: the share of the wall time it may cost, or each n-th step; where to end; where to write.

    `memory`: the bytes that a look may take, None for a quarter of what the process holds.
    `guard`: stand before every optimizer's step as well, and so change the training where it goes wrong.
    `flush_subnormals`: the script's arithmetic takes subnormal numbers for 0 from its import of torch on.
    `children`: watch the processes too that the script starts by multiprocessing.
    """

    out: Path
    budget: float = 0.02
    every: int | None = None
    stop_after: int | None = None
    guard: bool = False
    flush_subnormals: bool = False
    memory: int | None = None
    children: bool = True

    def session(self, recorder: Recorder) -> Session:
        """Begin to watch this process, in which torch is imported by now."""
        from gradreach.watch.budget import Budget
        from gradreach.watch.session import Session

        if self.flush_subnormals:
            recorder.note(told_of_flushing(works=flush(on=True)))
        budget = Budget(self.budget, self.every)
        return Session(recorder, budget, stop_after=self.stop_after, guard=self.guard, memory=self.memory)


def flush(*, on: bool) -> bool:
    """Have subnormal numbers count as 0, or not; whether this machine can."""
    from gradreach.engine.subnormals import set_flushing

    return set_flushing(on)


def told_of_flushing(*, works: bool) -> str:
    """What a run with --flush-subnormals says of it; on a machine that has no such mode to stderr as well."""
    if works:
        return (
            "Subnormal numbers counted as 0 in this run (--flush-subnormals), as after torch.set_flush_denormal(True) "
            "at the top of the script."
        )
    refused = "This machine has no mode in which subnormal numbers are 0: --flush-subnormals changed nothing."
    print(f"gradreach: {refused}", file=sys.stderr)
    return refused
