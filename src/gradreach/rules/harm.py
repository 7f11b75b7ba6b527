"""What the loss at a line shows of the harm that a fault does there."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LITTLE, NO_BETTER, over_guess, part_of_guess
from gradreach.facts.site import Site
from gradreach.facts.wording import figure, percent, shortened
from gradreach.record.schema import Severity


def harm(facts: Facts, site: Site) -> str:
    """What the loss shows, as a clause; empty where it falls all the same, or nothing is known of it."""
    if facts.is_constant_guess(site.number):
        parts = [part for part in facts.seen.loss_parts if part.site == site.number]
        if len(parts) > 1:
            return "the loss rests, a part of it where a constant guess gets it"
        return f"the loss rests at {figure(site.learning.last)}, which a constant guess gets"
    if site.stalled or site.worse_than_at_first:
        return "the loss does not fall"
    alike = [series[0][1].module for series in facts.alike_outputs if series[0][0].site == site.number]
    return f"`{shortened(alike[0], 40)}` puts out the same for every row" if alike else ""


def graded(facts: Facts, site: Site, *, is_grave: bool) -> tuple[Severity, str]:
    """How serious a fault that makes learning slow is, and what the loss shows of it, as a clause.

    One that `is_grave` is an error where the loss does not fall or rests where a constant guess gets it. A fault is a
    warning where little is learned or slowly, and information, with no clause, where the loss falls all the same.
    """
    if shown := harm(facts, site):
        return "error" if is_grave else "warning", shown
    slowly = slow(facts, site)
    shown = little_learned(facts, site) or (f"the loss {slowly}" if slowly else "")
    return "warning" if shown else "info", shown


def little_learned(facts: Facts, site: Site) -> str:
    """The same of a fault that lets little be learned: LITTLE of what a constant guess gets, where the loss rests, is
    harm as well, and all of it where it may still fall."""
    parts = [part for part in facts.seen.loss_parts if part.site == site.number]
    rests = max((over_guess(site, part) or 0.0 for part in parts), default=0.0)
    falls = max((part_of_guess(site, part) or 0.0 for part in parts), default=0.0) if site.may_rest else 0.0
    if rests >= LITTLE or falls >= NO_BETTER:
        over = max(rests, falls)
        share = percent(over) if over < NO_BETTER else "100 %"
        much = f"{figure(over)} times" if over > 1 / NO_BETTER else f"{share} of"
        return f"the loss has come to {figure(site.learning.last)}, {much} what a constant guess gets"
    slowly = "" if site.need_not_fall else slow(facts, site)
    return f"the loss {slowly}" if slowly in ("does not fall", "hardly falls") else ""


def slow(facts: Facts, site: Site) -> str:
    """How the loss at a line goes where that is slow, as the end of a sentence; empty elsewhere.

    It is empty too where the loss need not fall, and where nothing is known of it.
    """
    if site.stalled:
        return "does not fall"
    if still := guesses(facts, site):
        return still
    if site.creeps:
        return f"has fallen by no more than {percent(site.learning.share)} and still falls"
    course = "falls" if site.need_not_fall else site.learning.course
    return course if course in ("hardly falls", "does not fall") else ""


def guesses(facts: Facts, site: Site) -> str:
    """The same of a loss that still falls, and has come no lower in all the run than a constant guess gets."""
    beside = facts.beside_guess(site) if site.may_rest and site.rest is None else None
    if beside is None or beside[1] < NO_BETTER:
        return ""
    return f"has come no lower than {figure(site.learning.last)}, where a constant guess gets {figure(beside[0])}"
