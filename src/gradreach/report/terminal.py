"""The report on a terminal or in a log: at most 100 columns, plain ASCII where the stream holds nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradreach.facts.legacy_dependency import verdicts
from gradreach.facts.statistics import known, quantile
from gradreach.facts.wording import count, figure, percent, safe
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Record
from gradreach.report import dependency_text as asked
from gradreach.report import words
from gradreach.report.charts.flow import Flow
from gradreach.report.charts.terminal_card import INDENT, STYLE, Drawn, grid, head, print_within
from gradreach.report.explanation import not_made, title
from gradreach.report.finding_text import card
from gradreach.report.grouped_findings import Entry, entries
from gradreach.report.json_report import clip_rate, depth_shown, norms_of, seconds, threshold, time_shown
from gradreach.report.verdict import ending

if TYPE_CHECKING:
    from gradreach.report.report import Report
    from gradreach.report.three_questions import Answer

ROWS = 12
"""Recurrent layers that the table shows; the rest are in the files."""

_Say = Callable[[str], str]


class Summary:
    """A report as rich draws it; `path` names the file that holds the whole of it, and ends the text."""

    def __init__(self, report: Report, path: str = "") -> None:
        self.report = report
        self.path = path

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw, with every string spelt in ASCII where the console's encoding asks for it."""
        say: _Say = partial(safe, ascii_only=options.ascii_only)
        report, record = self.report, self.report.record
        yield Flow(say(_headline(record)), style="dim")
        yield Text()
        yield Flow(say(report.verdict.sentence), style=STYLE[report.verdict.level])
        if report.answers:
            yield Text()
            yield _answers(report.answers, say)
        for entry in entries(report.findings):
            yield Text()
            if entry.first.severity == "info":
                yield from _information(entry, say, options)
            else:
                yield Drawn(card(entry.first))
        if record.steps:
            yield from _measured(report, say, options.ascii_only)
        yield from _closing(report, say)
        if self.path:
            yield Text(f"\nreport: {safe(self.path)}", no_wrap=True, overflow="ignore")


def print_summary(report: Report, console: Console, path: str = "") -> None:
    """Print a report to `console`, at most 100 columns wide; only the closing path may be longer."""
    print_within(Summary(report, path), console)


def _headline(record: Record) -> str:
    parts = [f"gradreach: {words.of_command(record.run, 60)}", count(record.passes, "step")]
    if (spent := seconds(record)) is not None:
        parts.append(f"{figure(spent)} s")
    if how := ending(record):
        parts.append(how)
    return ", ".join(parts)


def _answers(answers: Sequence[Answer], say: _Say) -> Table:
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True, style="dim")
    rows.add_column(overflow="fold")
    for each in answers:
        rows.add_row(say(each.question), Flow(say(each.answer), bold=len(say(each.short))))
    return rows


def _information(entry: Entry, say: _Say, options: ConsoleOptions) -> Iterator[RenderableType]:
    """What is true and harmless: title, place and reason."""
    finding = entry.first
    yield from head(finding.severity, f"{finding.code} {finding.title}", entry.place, options)
    for where, reason in entry.reasons:
        yield Padding(Flow(say(f"{where}: {reason}" if where else reason)), (0, 0, 0, INDENT))
    if entry.common:
        yield Padding(Flow(say(entry.common)), (0, 0, 0, INDENT))
    yield Padding(Text(f"gradreach explain {entry.first.code}", style="dim"), (0, 0, 0, INDENT))


def _measured(report: Report, say: _Say, ascii_only: bool) -> Iterator[RenderableType]:
    record = report.record
    shown = time_shown(record)
    if shown:
        yield Text()
        yield _layers(record, say, ascii_only)
        if len(shown) > ROWS:
            yield Text(f"  and {count(len(shown) - ROWS, 'more recurrent layer')} in the report")
    facts = grid()
    for each in verdicts(record, report.thresholds):
        facts.add_row("data", Flow(say(asked.line(each))))
    if depth := _depth(record):
        facts.add_row("depth", Flow(say(depth)))
    facts.add_row("norm", Flow(say(_norm(record))))
    yield Text()
    yield facts


def _layers(record: Record, say: _Say, ascii_only: bool) -> Table:
    table = Table(box=ASCII if ascii_only else SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("recurrent layer", overflow="fold", max_width=44)
    shown = [seen for _, seen in time_shown(record)]
    bounded = any(seen.bound_factor is not None for seen in shown)
    for name in ("T", "horizon", "factor", *([say("γλ")] if bounded else []), "exact"):
        table.add_column(name, justify="right", no_wrap=True)
    for seen in shown[:ROWS]:
        table.add_row(
            Text(say(f"{of_layer(seen)} ({seen.kind})")),
            str(seen.T),
            str(seen.horizon) if known(seen.reach) else say("–"),
            say(figure(seen.factor)),
            *([say(figure(seen.bound_factor))] if bounded else []),
            "yes" if seen.exact else "no",
        )
    return table


def _depth(record: Record) -> str:
    """The gradient at the first and the last module with weights, of the line that calls backward most often."""
    shown = [pair for pair in depth_shown(record) if pair[1].parameters and known([pair[1].grad_rms])]
    sites = Counter(step.site for step in record.steps)
    busiest = max((look.site for look, _ in shown), key=lambda site: sites[site], default=None)
    seen = [each for look, each in shown if look.site == busiest]
    if len(seen) < 2:
        return ""
    first, last = seen[0], seen[-1]
    several = len({look.site for look, _ in shown}) > 1
    at = f"backward at {record.sites[busiest]}: " if several and busiest is not None else ""
    return (
        f"{at}gradient rms {figure(first.grad_rms)} at `{words.of_module(first)}`, the first of "
        f"{len(seen)} modules with weights, {figure(last.grad_rms)} at `{words.of_module(last)}`, the last"
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
    rows = grid()
    if report.passed:
        names = "; ".join(title(code) for code in report.passed)
        rows.add_row("passed", Flow(say(f"{count(len(report.passed), 'check')} found nothing: {names}")))
    for row, (titles, reason) in enumerate(_lacking(report)):
        rows.add_row("" if row else "not made", Flow(say(f"{'; '.join(titles)}: {reason}")))
    if record.guarded:
        rows.add_row("guard", Flow(say(words.of_guarded(record.guarded))))
    if record.overhead:
        rows.add_row("overhead", Flow(say(words.of_overhead(record.overhead))))
    for note in record.notes:
        rows.add_row("note", Flow(say(note)))
    if rows.row_count:
        yield Text()
        yield rows


def _lacking(report: Report) -> list[tuple[list[str], str]]:
    """The checks that this run gave no evidence for, those that lacked the same together, and what they lacked."""
    by_reason: dict[str, list[str]] = {}
    for code, reason in not_made(report.not_judged).items():
        by_reason.setdefault(reason, []).append(title(code))
    return [(titles, reason) for reason, titles in by_reason.items()]
