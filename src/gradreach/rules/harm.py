"""What the loss at a line shows of the harm that a fault does there."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.wording import figure, percent, shortened


def harm(facts: Facts, site: Site) -> str:
    """What the loss shows, as a clause; empty where it falls all the same, or nothing is known of it."""
    if facts.is_constant_guess(site.number):
        return f"the loss rests at {figure(site.learning.last)}, which a constant guess gets"
    if site.stalled or site.worse_than_at_first:
        return "the loss does not fall"
    alike = [series[0][1].module for series in facts.alike_outputs if series[0][0].site == site.number]
    return f"`{shortened(alike[0], 40)}` puts out the same for every row" if alike else ""


def slow(site: Site) -> str:
    """How the loss at a line goes where that is slow, as the end of a sentence; empty elsewhere.

    It is empty too where the loss need not fall, and where nothing is known of it.
    """
    if site.stalled:
        return "does not fall"
    if site.creeps:
        return f"has fallen by no more than {percent(site.learning.share)} and still falls"
    course = "falls" if site.need_not_fall else site.learning.course
    return course if course in ("hardly falls", "does not fall") else ""
