"""A comparison on a terminal or in a log: at most 100 columns, plain ASCII where the stream holds nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradreach.facts.wording import capital, count, safe
from gradreach.report.charts.flow import Flow
from gradreach.report.charts.terminal_card import INDENT, STYLE, grid, print_within
from gradreach.report.compare import wording as words
from gradreach.report.compare.comparison import Comparison
from gradreach.report.compare.comparison_verdict import Level
from gradreach.report.compare.matching import FindingMatch, State
from gradreach.report.compare.measure import Measure
from gradreach.report.run_text import of_command

ROWS = 12
"""Figures by module that the table shows, those that changed first; the rest are in the files."""

_LEVELS: dict[Level, str] = {"better": STYLE["learns"], "worse": STYLE["error"], "mixed": STYLE["warning"]}
_STATES: tuple[tuple[State, str], ...] = (
    ("gone", "gone"),
    ("new", "new"),
    ("changed", "of another severity"),
    ("not judged", "not judged in both"),
    ("stayed", "stayed"),
)
_BY_MODULE = ("grad_rms", "update_ratio")
_Say = Callable[[str], str]


class ComparisonDrawing:
    """A comparison that rich prints; `path` names the page, and ends the text.

    Where `verbose`, every figure stands in it, and what counts as noise; else the figures that changed beyond it.
    """

    def __init__(self, comparison: Comparison, path: str = "", *, verbose: bool = False) -> None:
        self.comparison = comparison
        self.path = path
        self.verbose = verbose

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw the sentence, settings, findings, figures, and what the noise is."""
        say: _Say = partial(safe, ascii_only=options.ascii_only)
        comparison, judged = self.comparison, self.comparison.verdict
        for letter, name, side in zip("AB", comparison.names, (comparison.a, comparison.b), strict=True):
            run = f"{of_command(side.record.run, 48)}, {count(side.record.length, 'step')}"
            head = side.verdict.sentence.partition(": ")[0].rstrip(".")
            run += f"; {head[:1].lower()}{head[1:]}"
            yield Flow(say(f"{letter}  {name}: {run}" if name != letter else f"{letter}  {run}"), style="dim")
        yield Text()
        yield Flow(say(judged.sentence), style=_LEVELS.get(judged.level, "bold"))
        if comparison.settings:
            yield Text()
            yield from _settings(comparison, say)
        yield from _findings(comparison.findings, say)
        if comparison.figures:
            yield Text()
            drawn = _figures if self.verbose else _changed_figures
            yield from drawn(comparison.figures, say, options.ascii_only)
        yield Text()
        yield _notes(comparison, say, verbose=self.verbose)
        if self.path:
            yield Text(f"\ncomparison: {safe(self.path)}", no_wrap=True, overflow="ignore")


def print_comparison(comparison: Comparison, console: Console, path: str = "", *, verbose: bool = False) -> None:
    """Print a comparison to `console`, at most 100 columns wide; only the closing path may be longer."""
    print_within(ComparisonDrawing(comparison, path, verbose=verbose), console)


def _settings(comparison: Comparison, say: _Say) -> Iterator[RenderableType]:
    rows = grid()
    for each in comparison.settings:
        rows.add_row(say(each.name), Flow(say(f"{each.a or '–'} → {each.b or '–'}")))
    yield Text("settings that differ", style="bold")
    yield Padding(rows, (0, 0, 0, 2))


def _findings(findings: Sequence[FindingMatch], say: _Say) -> Iterator[RenderableType]:
    for state, heading in _STATES:
        here = [each for each in findings if each.state == state]
        if not here:
            continue
        yield Text()
        yield Text(f"findings {heading}", style="bold")
        for each in here:
            line = Text.assemble((f"{each.shown.severity:<{INDENT}}", STYLE[each.shown.severity]))
            line.append(f"{each.shown.code} {say(each.shown.title)}")
            if each.shift and each.a is not None:
                line.append(f" (was {each.a.severity})")
            yield Padding(line, (0, 0, 0, 2))
            reason = f"{each.place}: {each.why}" if each.why else each.place
            yield Padding(Flow(say(reason), style="dim"), (0, 0, 0, 2 + INDENT))


def _figures(figures: Sequence[Measure], say: _Say, ascii_only: bool) -> Iterator[RenderableType]:
    whole = [each for each in figures if each.key not in _BY_MODULE]
    by_module = sorted((each for each in figures if each.key in _BY_MODULE), key=lambda each: not each.changed)
    yield _table([*whole, *by_module[:ROWS]], say, ascii_only)
    if len(by_module) > ROWS:
        yield Text(f"  and {count(len(by_module) - ROWS, 'more figure')} by module in the page and the JSON")


def _changed_figures(figures: Sequence[Measure], say: _Say, ascii_only: bool) -> Iterator[RenderableType]:
    changed = [each for each in figures if each.changed]
    if changed:
        yield _table(changed[:ROWS], say, ascii_only)
    told = f"{count(len(changed) - ROWS, 'more figure')} changed; " if len(changed) > ROWS else ""
    rest = count(len(figures) - len(changed), "figure")
    yield Flow(f"  {told}{rest} did not change beyond noise (--verbose lists all)", style="dim")


def _table(figures: Sequence[Measure], say: _Say, ascii_only: bool) -> Table:
    table = Table(box=ASCII if ascii_only else SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("figure", overflow="fold", max_width=38)
    for name in ("A", "B"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("change (95 % interval)", overflow="fold")
    table.add_column("", no_wrap=True)
    for each in figures:
        name = f"{each.name}, {each.place}" if each.place else each.name
        cells = (name, words.value(each, each.a), words.value(each, each.b), words.change(each))
        style = "bold" if each.changed else ""
        table.add_row(*(Text(say(cell)) for cell in cells), Text(words.standing(each), style=style))
    return table


def _notes(comparison: Comparison, say: _Say, *, verbose: bool) -> RenderableType:
    rows = grid()
    if verbose:
        rows.add_row("part", Flow(say(words.of_part(comparison.part))))
    if verbose and comparison.tested:
        rows.add_row("noise", Flow(say(capital(words.of_noise(comparison)))))
    rows.add_row("seeds", Flow(say(words.ONE_RUN)))
    return rows
