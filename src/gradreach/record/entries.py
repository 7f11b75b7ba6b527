"""The entries that a run writes one after another, and the record that they add up to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from gradreach.record.first_update import FirstUpdate
from gradreach.record.look import Look
from gradreach.record.schema import Dependency, GuardDeed, GuardSummary, NonFinite, Outcome, Overhead, Record, Run, Step
from gradreach.record.seen.loop import CutPass, MissedLoad, SpentLoader


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """A line of the script that calls backward, as `file:line`. Sites are numbered from 0 in the order written."""

    place: str


@dataclass(frozen=True, slots=True)
class JoinedSite:
    """A site whose passes add on, within one step, to those of the site `to`, which began it."""

    site: int
    to: int


@dataclass(frozen=True, slots=True)
class Model:
    """A root module: its name in the script, and the name of its class."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Sharding:
    """The ranks over which the gradients are sharded, this one among them."""

    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A plain sentence on what could not be seen, and why."""

    sentence: str


Entry = (
    Run
    | Step
    | Look
    | Dependency
    | NonFinite
    | CutPass
    | MissedLoad
    | SpentLoader
    | SiteEntry
    | JoinedSite
    | FirstUpdate
    | Model
    | Sharding
    | Note
    | Overhead
    | GuardDeed
    | GuardSummary
    | Outcome
)
"""One thing written of a run. Of Run, Sharding, CutPass, Overhead, GuardSummary and Outcome the last one written
counts, of Dependency the last one of each module and site, of SpentLoader that of each line and kind; all others add
up."""


def record_of(entries: Iterable[Entry]) -> Record:
    """The record that the entries of one run add up to. Raises KeyError where no Run is among them."""
    found: dict[type, list[Any]] = defaultdict(list)
    for entry in entries:
        found[type(entry)].append(entry)
    for first in found.pop(FirstUpdate, []):
        steps = first.merged(found.pop(Step, []))
        found = defaultdict(list, {kind: list(map(first.renumbered, each)) for kind, each in found.items()})
        found[Step] = steps
        found[Overhead] = [replace(each, steps=first.number(each.steps)) for each in found[Overhead]]
    if not found[Run]:
        raise KeyError("run")
    guarded, sharding = _last(found[GuardSummary], None), _last(found[Sharding], None)
    return Record(
        run=found[Run][-1],
        steps=tuple(found[Step]),
        looks=tuple(sorted(found[Look], key=lambda look: (look.step, look.at_pass))),
        dependency=tuple({(each.module, each.site): each for each in found[Dependency]}.values()),
        nonfinite=tuple(found[NonFinite]),
        cut_pass=_last(found[CutPass], None),
        missed_loads=tuple(found[MissedLoad]),
        spent_loaders=tuple({(each.line, each.kind): each for each in found[SpentLoader]}.values()),
        sites=tuple(site.place for site in found[SiteEntry]),
        sharded_over=() if sharding is None else sharding.ranks,
        joined={each.site: each.to for each in found[JoinedSite]},
        models={model.name: model.kind for model in found[Model]},
        overhead=_last(found[Overhead], None),
        guarded=None if guarded is None else replace(guarded, deeds=tuple(found[GuardDeed])),
        outcome=_last(found[Outcome], Outcome()),
        notes=tuple(note.sentence for note in found[Note]),
    )


def _last(entries: list[Any], otherwise: Any) -> Any:
    return entries[-1] if entries else otherwise
