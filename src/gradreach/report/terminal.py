"""The report on a terminal or in a log: at most 100 columns, plain ASCII where the stream holds nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradreach.record.schema import Finding, Record
from gradreach.report import words
from gradreach.report.document import clip_rate, depth_shown, norms_of, seconds, threshold, time_shown
from gradreach.report.explanation import title
from gradreach.report.series import known, quantile
from gradreach.report.verdict import by_severity, ending, which_threshold
from gradreach.report.words import count, figure, percent

if TYPE_CHECKING:
    from gradreach.report.report import Report

WIDTH = 100
ROWS = 12
"""Recurrent layers that the table shows; the rest are in the files."""

_STYLE = {"error": "bold red", "warning": "bold yellow", "info": "bold blue", "healthy": "bold green", "unseen": "bold"}
_Say = Callable[[str], str]


class Summary:
    """A report as rich draws it; `path` names the file that holds the whole of it, and ends the text."""

    def __init__(self, report: Report, path: str = "") -> None:
        self.report = report
        self.path = path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw, with every string spelt in ASCII where the console's encoding asks for it."""
        say: _Say = (lambda s: words.to_ascii(words.printable(s))) if options.ascii_only else words.printable
        report, record = self.report, self.report.record
        yield Text(say(_headline(record)), style="dim")
        yield Text()
        yield Text(say(report.verdict.sentence), style=_STYLE[report.verdict.level])
        for finding in by_severity(report.findings):
            yield Text()
            yield _finding(finding, say)
        if record.steps:
            yield from _measured(report, say, options.ascii_only)
        yield from _closing(report, say)
        if self.path:
            yield Text(f"\nreport: {words.printable(self.path)}", no_wrap=True, overflow="ignore")


def print_summary(report: Report, console: Console, path: str = "") -> None:
    """Print a report to `console`, at most 100 columns wide; only the closing path may be longer."""
    with console.capture() as capture:
        console.print(Summary(report, path), width=min(console.width, WIDTH), crop=False)
    lines = [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]
    console.file.write("\n".join(line for line, before in zip(lines, ["", *lines], strict=False) if line or before))
    console.file.write("\n")


def console_for_stdout() -> Console:
    """A console on stdout: colour and width of the terminal, or neither colour nor more than 100 columns off one."""
    console = Console(highlight=False, markup=False, emoji=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, emoji=False, width=WIDTH)


def _headline(record: Record) -> str:
    command = " ".join((record.run.script, *record.run.argv))
    if len(command) > 60:
        command = command[:59] + "…"
    parts = [f"gradreach: {command}", count(record.passes, "step")]
    if (spent := seconds(record)) is not None:
        parts.append(f"{figure(spent)} s")
    if how := ending(record):
        parts.append(how)
    return ", ".join(parts)


def _finding(finding: Finding, say: _Say) -> RenderableType:
    style = _STYLE[finding.severity]
    head = Text.assemble(
        (f"{finding.severity:<8}", style),
        (f"{finding.code} ", "bold"),
        (say(finding.title), "bold"),
        (say(f"  {words.of_finding(finding)}"), ""),
    )
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    figures = ", ".join(
        f"{words.label(k)} {words.evidence(k, v)}" for k, v in finding.evidence.items() if v is not None
    )
    if figures:
        rows.add_row("evidence", Text(say(figures)))
    rows.add_row("because", Text(say(words.capital(finding.because))))
    for remedy in finding.remedies:
        rows.add_row("do", Text(say(remedy.do), style="cyan"))
        rows.add_row("", Text(say(remedy.why)))
    rows.add_row("more", Text(f"gradreach explain {finding.code}"))
    return Group(head, Padding(rows, (0, 0, 0, 8)))


def _measured(report: Report, say: _Say, ascii_only: bool) -> Iterator[RenderableType]:
    record = report.record
    shown = time_shown(record)
    if shown:
        yield Text()
        yield _layers(record, say, ascii_only)
        if len(shown) > ROWS:
            yield Text(f"  and {count(len(shown) - ROWS, 'more recurrent layer')} in the report")
    facts = Table.grid(padding=(0, 1))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    if depth := _depth(record):
        facts.add_row("depth", Text(say(depth)))
    facts.add_row("norm", Text(say(_norm(record))))
    facts.add_row("clip", Text(say(which_threshold(record, report.findings))))
    yield Text()
    yield facts


def _layers(record: Record, say: _Say, ascii_only: bool) -> Table:
    table = Table(box=ASCII if ascii_only else SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("recurrent layer", overflow="fold", max_width=44)
    for name in ("T", "horizon", "factor", say("γλ"), "exact"):
        table.add_column(name, justify="right", no_wrap=True)
    for _, seen in time_shown(record)[:ROWS]:
        table.add_row(
            Text(say(f"{words.of_layer(seen)} ({seen.kind})")),
            str(seen.T),
            str(seen.horizon),
            say(figure(seen.factor)),
            say(figure(seen.bound_factor)),
            "yes" if seen.exact else "no",
        )
    return table


def _depth(record: Record) -> str:
    shown = [(seen.grad_rms, seen) for _, seen in depth_shown(record) if known([seen.grad_rms]) and seen.grad_rms]
    if len(shown) < 2:
        return ""
    low, high = min(shown, key=lambda pair: pair[0] or 0.0), max(shown, key=lambda pair: pair[0] or 0.0)
    return (
        f"gradient rms over {count(len(shown), 'module')} from {figure(low[0])} (`{words.of_module(low[1])}`) "
        f"to {figure(high[0])} (`{words.of_module(high[1])}`)"
    )


def _norm(record: Record) -> str:
    norms = known(norms_of(record.steps))
    if not norms:
        return "no finite norm was measured"
    text = (
        f"median {figure(quantile(norms, 0.5))}, largest {figure(max(norms))}, of {count(len(norms), 'measured step')}"
    )
    rate = clip_rate(record.steps)
    return text if rate is None else f"{text}; threshold {figure(threshold(record.steps))} clips {percent(rate)}"


def _closing(report: Report, say: _Say) -> Iterator[RenderableType]:
    record = report.record
    rows = Table.grid(padding=(0, 1))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    if report.passed:
        names = ", ".join(title(code) for code in report.passed)
        rows.add_row("passed", Text(say(f"{count(len(report.passed), 'check')}, finding none of: {names}")))
    if report.not_judged:
        lacking = f"{count(len(report.not_judged), 'check')}, for want of evidence; the report says of what"
        rows.add_row("not made", Text(say(lacking)))
    if record.overhead:
        spent = f"{percent(record.overhead.measured)} of the wall time, budget {percent(record.overhead.budget)}"
        rows.add_row("overhead", Text(say(spent)))
    for note in record.notes:
        rows.add_row("note", Text(say(note)))
    if rows.row_count:
        yield Text()
        yield rows
