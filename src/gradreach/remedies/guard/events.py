"""What the guard did, as a list and in the log, and the error with which it gives up."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from gradreach.remedies.guard.verdict import GuardState, StepFigures

_log = logging.getLogger("gradreach")


class GaveUp(RuntimeError):
    """Steps that are not finite went on, and neither skipping nor going back helped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something the guard did: at which step, from 0 on, what ("skipped", …), why, and the step's figures."""

    step: int
    what: str
    why: str
    loss: float | None = None
    norm: float | None = None


class EventLog:
    """Collects events and, on the first rank, writes each to the logger "gradreach"."""

    def __init__(self, rank: int) -> None:
        self.events: list[Event] = []
        self._rank = rank

    def add(self, state: GuardState, what: str, why: str, figures: StepFigures | None = None) -> None:
        """Add what was done at the last step of `state`."""
        step = max(state.step - 1, 0)
        loss, norm = (None, None) if figures is None else (figures.loss, figures.norm)
        self.events.append(Event(step, what, why, loss, norm))
        if self._rank == 0:
            _log.warning("gradreach: step %d %s: %s", step, what, why)
