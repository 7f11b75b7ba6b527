"""Models beside others that are asked for one and the same number by all their losses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradreach.facts.losses import only_target
from gradreach.facts.seen import Seen
from gradreach.facts.site import Site
from gradreach.record.look import Look
from gradreach.record.seen.loss import LossLook

FEWEST_LOOKS = 8
"""Looks, no two of them bound to the same turn of what comes in turns, that show what a line asks for."""

FALLEN = 0.1
"""Part of its first value down to which the loss of a model that is asked for one number has fallen."""

_DIFFERENCES = ("subtraction", "sub", "rsub")


@dataclass(frozen=True, slots=True)
class OneSided:
    """A root whose training, at the line of number `site`, asks for this `target` alone, in so many `comparisons` that
    some `looks` saw, the last one as `last`. Others learn through it where `is_learned_through`; else what it puts out
    goes into their passes alone, and no gradient comes back from there."""

    root: str
    site: int
    target: float
    comparisons: int
    looks: int
    last: LossLook
    is_learned_through: bool


def one_sided(seen: Seen, sites: Mapping[int, Site]) -> tuple[OneSided, ...]:
    """Every such root, by its name."""
    roots = dict.fromkeys(seen.root_of(part.last.module) for part in seen.loss_parts if part.last.module)
    return tuple(found for root in roots if (found := _one_sided(seen, sites, root)) is not None)


def _one_sided(seen: Seen, sites: Mapping[int, Site], root: str) -> OneSided | None:
    through = [number for number in sites if root in seen.models_at(number)]
    training = [number for number in through if not _trains_others(seen, number, root)]
    places = [number for number in training if any(_steps(seen, look, root) for look in seen.looks_at(number))]
    if len(through) < 2 or not places or any(sites[number].free != "in turns" for number in training):
        return None
    asked = [_asked(seen, look, root) for number in training for look in seen.looks_at(number)]
    if None in asked or len(set(asked)) != 1 or not all(seen.looks_at(number) for number in training):
        return None
    looks = seen.looks_at(places[-1])
    if not _shows_all_turns(looks, _lines_beside(sites[places[-1]], sites)) or not _has_fallen(sites[places[-1]]):
        return None
    target, last = asked[0], looks[-1].losses
    assert target is not None
    lines = sum(_gets_a_gradient(seen, number, root) for number in through)
    return OneSided(root, places[-1], target, len(last), len(looks), last[0], is_learned_through=lines > 1)


def _gets_a_gradient(seen: Seen, number: int, root: str) -> bool:
    """Whether a line's backward pass goes through a root, and not only what it put out."""
    depth = (each for look in seen.looks_at(number) for each in look.depth)
    return any(each.grad_rms is not None for each in depth if seen.root_of(each.module) == root)


def _trains_others(seen: Seen, number: int, root: str) -> bool:
    """Whether optimizers step after each pass at a line, and never by the parameters of this root."""
    told = [look.stepped for look in seen.looks_at(number) if look.stepped is not None]
    return bool(told) and all(each.steps and each.held and root not in map(seen.root_of, each.held) for each in told)


def _steps(seen: Seen, look: Look, root: str) -> bool:
    return look.stepped is not None and root in map(seen.root_of, look.stepped.held)


def _asked(seen: Seen, look: Look, root: str) -> float | None:
    """The one number that all terms of a loss ask of a root; None where one asks for something else, or is not
    known."""
    losses = look.losses
    terms = {each.term for each in losses}
    if not losses or len(terms) != len(losses) or any(each.terms != len(losses) for each in losses):
        return None
    if any(seen.root_of(each.module) != root or not each.module or each.last in _DIFFERENCES for each in losses):
        return None
    targets = {only_target(each) for each in losses}
    return next(iter(targets)) if len(targets) == 1 else None


def _lines_beside(site: Site, sites: Mapping[int, Site]) -> int:
    """How many lines call backward while this one does, itself among them."""
    first, last = site.steps[0].step, site.steps[-1].step
    others = (other for other in sites.values() if not other.joins)
    return sum(other.steps[0].step < last and other.steps[-1].step > first for other in others)


def _shows_all_turns(looks: Sequence[Look], lines: int) -> bool:
    """Whether looks lie so that they would meet targets that take turns at one line as well."""
    first = looks[0].step
    return len(looks) >= FEWEST_LOOKS and math.gcd(*(look.step - first for look in looks)) <= lines


def _has_fallen(site: Site) -> bool:
    first, last = site.learning.first, site.learning.last
    return first is not None and last is not None and 0.0 <= last <= FALLEN * first
