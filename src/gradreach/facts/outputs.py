"""What models put out over a run: whether it differs from row to row."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.site import Site
from gradreach.facts.statistics import is_positive
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loss import OutputLook

ALIKE = 0.02
"""Deviation from row to row, over the rms of the output then or at first, under which the rows are alike."""

FALLEN = 0.1
"""Part of the first deviation that may be left: a network may start with outputs that hardly differ."""

OutputSeries = Sequence[tuple[Look, OutputLook]]
"""The looks at one root at one line."""


def outputs_seen(looks: Sequence[Look]) -> tuple[OutputSeries, ...]:
    """The outputs of each root at each line."""
    found: dict[tuple[int, str], list[tuple[Look, OutputLook]]] = {}
    for look in looks:
        for seen in look.outputs:
            found.setdefault((look.site, seen.module), []).append((look, seen))
    return tuple(found.values())


def come_alike(series: OutputSeries, site: Site) -> bool:
    """Whether outputs that differed from row to row at first do no more, while the loss at their line rests."""
    first, last = series[0][1], [seen for _, seen in series[-MIN_LOOKS:]]
    rests = site.rest is not None or (site.learning.until is not None and not site.need_not_fall)
    if len(series) <= MIN_LOOKS or not rests or not is_positive(first.deviation):
        return False
    return all(
        seen.deviation <= ALIKE * max(seen.rms, first.rms) and seen.deviation <= FALLEN * first.deviation
        for seen in last
    )
