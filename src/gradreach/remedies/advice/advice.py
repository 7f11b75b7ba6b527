"""What a piece of advice is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec

from gradreach.record.schema import Remedy

Place = ParamSpec("Place")


@dataclass(frozen=True, slots=True)
class Advice(Generic[Place]):
    """One thing that a person can do about findings, whatever the script.

    `does` says what it does; a finding gives that as the reason where it has no better one. `code` writes the lines to
    paste, for a place that its arguments name: modules, kinds, sizes. `answers` are the codes of the rules whose
    findings name it, none where any may, and `unfit` says where it does not fit.
    """

    id: str
    does: str
    code: Callable[Place, str]
    answers: tuple[str, ...]
    unfit: str

    def remedy(self, *place: Place.args, **more: Place.kwargs) -> Remedy:
        """The remedy at one place."""
        return Remedy(self.id, self.code(*place, **more), self.does)

    def remedy_because(self, why: str, *place: Place.args, **more: Place.kwargs) -> Remedy:
        """The remedy at one place, for a reason of the finding's own."""
        return Remedy(self.id, self.code(*place, **more), why)
