"""What is said of a loss that does not fall, or falls slowly."""

from __future__ import annotations

from gradreach.facts.site import Site
from gradreach.facts.wording import percent


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
