"""A comparison as one HTML file, in the style of the report's page, that asks the network for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradreach.facts import wording
from gradreach.facts.statistics import known
from gradreach.report.charts.along_depth import ROWS, Column, Series, row_figure
from gradreach.report.charts.chart import Frame, Line, Mark
from gradreach.report.charts.figures import FAINTEST, WIDE, Figure, figure_of
from gradreach.report.compare import wording as words
from gradreach.report.compare.comparison import Comparison
from gradreach.report.compare.comparison_verdict import Level
from gradreach.report.compare.curve import CurvePair
from gradreach.report.compare.matching import FindingMatch, State
from gradreach.report.compare.measure import Part
from gradreach.report.html import assets, template
from gradreach.report.run_text import of_command

FIGURES, FINDINGS, CURVES, LENGTH = 300, 60, 24, 110
"""What a page shows in full, and the characters of a command; the JSON form holds the rest."""

_TONES: dict[Level, str] = {
    "better": "learns",
    "worse": "error",
    "mixed": "warning",
    "changed": "info",
    "same": "unseen",
    "incomparable": "unseen",
}
_STATES: tuple[tuple[State, str], ...] = (
    ("gone", "Gone in B"),
    ("new", "New in B"),
    ("changed", "Of another severity"),
    ("not judged", "Not judged in both"),
    ("stayed", "In both alike"),
)


def render(comparison: Comparison) -> str:
    """The whole page as text."""
    shared, judged = assets("compare.css"), comparison.verdict
    sides = [
        (letter, name, side.record)
        for letter, name, side in zip("AB", comparison.names, (comparison.a, comparison.b), strict=True)
    ]
    return template("compare.html.j2").render(
        comparison=comparison,
        sides=sides,
        judged=judged,
        tone=_TONES[judged.level],
        groups=[(heading, group) for state, heading in _STATES if (group := _in(comparison.findings, state))],
        figures=comparison.figures[:FIGURES],
        more_figures=max(len(comparison.figures) - FIGURES, 0),
        wide=_drawn(comparison.curves, comparison.part, {"step", "module"}),
        narrow=_drawn(comparison.curves, comparison.part, {"lag ℓ, steps back"}),
        of_command=of_command,
        length=LENGTH,
        words=words,
        wording=wording,
        style=shared.style,
        script=shared.script,
        policy=shared.policy,
    )


def _in(findings: Sequence[FindingMatch], state: State) -> list[FindingMatch]:
    return [each for each in findings if each.state == state][:FINDINGS]


def _drawn(curves: Sequence[CurvePair], part: Part, over: set[str]) -> list[Figure]:
    drawn = (_figure(curve, part) for curve in [curve for curve in curves if curve.x in over][:CURVES])
    return [figure for figure in drawn if figure is not None]


def _figure(curve: CurvePair, part: Part) -> Figure | None:
    """Both curves over the same axes: A in full, B in dashes."""
    by_step = curve.x == "step"
    if 0 < len(curve.names) <= ROWS:
        series = [
            Series(name, [y for _, y in side], n) for n, (name, side) in enumerate((("A", curve.a), ("B", curve.b)))
        ]
        return row_figure(curve.title, curve.names, [Column(curve.y, series)], _caption(curve))
    largest = max(known(y for _, y in [*curve.a, *curve.b]), default=0.0)
    wide = by_step or bool(curve.names)
    frame = Frame(curve.title, curve.x, curve.y, log=curve.log, floor=FAINTEST * largest, names=curve.names)
    if wide:
        frame = replace(frame, width=WIDE, height=280)
    marks = []
    if by_step and not part.empty:
        span = f"steps {part.first} to {part.last}: the figures compare these"
        marks = [Mark(span, x=float(part.first), until=float(part.last), style="band unknown", word="compared")]
    if curve.marks is not None:
        marks = [
            Mark(
                f"horizon of {letter}: {horizon}",
                x=float(horizon),
                style="horizon",
                word=f"{letter} {horizon}",
                row=row,
            )
            for row, (letter, horizon) in enumerate(zip("AB", curve.marks, strict=True))
        ]
    lines = [Line("A", curve.a, 0), Line("B", curve.b, 1)]
    return figure_of(frame, lines, marks, _caption(curve), both=wide, group="steps" if by_step else "")


def _caption(curve: CurvePair) -> str:
    if curve.marks is not None:
        return f"Horizons: A {curve.marks[0]}, B {curve.marks[1]} steps."
    return "Modules in order of execution, input first." if curve.names else ""
