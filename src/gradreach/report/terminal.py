"""The report on a terminal or in a log: at most 100 columns, plain ASCII where the stream holds nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from rich.box import ASCII, SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.facts.time import Shown, rate_to_horizon
from gradreach.facts.wording import count, figure, safe
from gradreach.record.kinds import of_layer
from gradreach.report import dependency_text, run_text
from gradreach.report.charts.finding_card import card
from gradreach.report.charts.flow import Flow
from gradreach.report.charts.terminal_card import INDENT, CardDrawing, grid, head, print_within
from gradreach.report.conclusions import Conclusions
from gradreach.report.explanation import title
from gradreach.report.grouped_findings import FindingGroup, grouped
from gradreach.report.last_screen import ROWS, Say, last_screen

MOST_LAYERS = 12
"""Recurrent layers that the table shows; the rest are in the files."""


class Summary:
    """What a run comes to as rich draws it: one screen, which ends with `path`, the file that holds the whole of it.

    Where `verbose`, all that is known stands above that screen: every finding with its grounds, what was measured, and
    each check that could not be made with the reason.
    """

    def __init__(self, conclusions: Conclusions, path: str = "", *, verbose: bool = False, spare: int = 0) -> None:
        self.conclusions = conclusions
        self.path = path
        self.verbose = verbose
        self.spare = spare

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw, with every string spelt in ASCII where the console's encoding asks for it."""
        say: Say = partial(safe, ascii_only=options.ascii_only)
        if self.verbose:
            yield from _in_full(self.conclusions, say, options)
        width, rows = options.max_width, ROWS - self.spare
        yield from last_screen(self.conclusions, self.path, width, say, verbose=self.verbose, rows=rows)


def print_summary(
    conclusions: Conclusions, console: Console, path: str = "", *, verbose: bool = False, spare: int = 0
) -> None:
    """Print what a run comes to on `console`, at most 100 columns wide; only the closing path may be longer.

    The last screen leaves `spare` of its rows to what is printed after it.
    """
    print_within(Summary(conclusions, path, verbose=verbose, spare=spare), console)


def _in_full(conclusions: Conclusions, say: Say, options: ConsoleOptions) -> Iterator[RenderableType]:
    for group in grouped(conclusions.findings):
        if group.first.severity == "info":
            yield from _information(group, say, options)
        else:
            yield CardDrawing(card(group.first))
        yield Text()
    if conclusions.record.steps:
        yield from _measured(conclusions.facts, say, options.ascii_only)
        yield Text()
    yield from _closing(conclusions, say)


def _information(group: FindingGroup, say: Say, options: ConsoleOptions) -> Iterator[RenderableType]:
    """What is true and harmless: title, place and reason."""
    finding = group.first
    yield from head(finding.severity, f"{finding.code} {finding.title}", group.place, options)
    for where, reason in group.reasons:
        yield Padding(Flow(say(f"{where}: {reason}" if where else reason)), (0, 0, 0, INDENT))
    if group.common:
        yield Padding(Flow(say(group.common)), (0, 0, 0, INDENT))
    yield Padding(Text(f"gradreach explain {finding.code}", style="dim"), (0, 0, 0, INDENT))


def _measured(facts: Facts, say: Say, ascii_only: bool) -> Iterator[RenderableType]:
    layers = facts.seen.time_shown
    if layers:
        yield _layers(layers, say, ascii_only)
        if len(layers) > MOST_LAYERS:
            yield Text(f"  and {count(len(layers) - MOST_LAYERS, 'more recurrent layer')} in the report")
    rows = grid()
    for test in facts.dependency_tests:
        rows.add_row("data", Flow(say(dependency_text.line(test))))
    if depth := _depth(facts):
        rows.add_row("depth", Flow(say(depth)))
    rows.add_row("norm", Flow(say(_norm(facts))))
    if layers:
        yield Text()
    yield rows


def _layers(layers: Sequence[Shown], say: Say, ascii_only: bool) -> Table:
    table = Table(box=ASCII if ascii_only else SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("recurrent layer", overflow="fold", max_width=44)
    bounded = any(shown.layer.bound_factor is not None for shown in layers)
    for name in ("T", "horizon", "a step", *([say("γλ")] if bounded else []), "exact", "step"):
        table.add_column(name, justify="right", no_wrap=True)
    for look, seen, _ in layers[:MOST_LAYERS]:
        table.add_row(
            Text(say(f"{of_layer(seen)} ({seen.kind})")),
            str(seen.T),
            str(seen.horizon) if known(seen.reach) else say("–"),
            say(figure(rate_to_horizon(seen) or seen.factor)),
            *([say(figure(seen.bound_factor))] if bounded else []),
            "yes" if seen.exact else "no",
            f"{look.step:,}",
        )
    return table


def _depth(facts: Facts) -> str:
    """The gradient at the first and the last module with weights, of the line that calls backward most often."""
    reached = {
        shown.look.site: [seen for seen in shown.modules if seen.parameters and known([seen.grad_rms])]
        for shown in facts.seen.depth_shown
    }
    reached = {site: modules for site, modules in reached.items() if modules}
    busiest = max(reached, key=lambda site: len(facts.all_sites[site].steps), default=None)
    if busiest is None or len(reached[busiest]) < 2:
        return ""
    first, last = reached[busiest][0], reached[busiest][-1]
    at = f"backward at {facts.site_name(busiest)}: " if len(reached) > 1 else ""
    return (
        f"{at}gradient rms {figure(first.grad_rms)} at `{run_text.of_module(first)}`, the first of "
        f"{len(reached[busiest])} modules with weights, {figure(last.grad_rms)} at `{run_text.of_module(last)}`, "
        f"the last{facts.as_of(_step_of(facts, busiest))}"
    )


def _step_of(facts: Facts, site: int) -> int:
    return next(shown.look.step for shown in facts.seen.depth_shown if shown.look.site == site)


def _norm(facts: Facts) -> str:
    norms = known(facts.norms)
    if not norms:
        return "no finite norm was measured"
    text = f"median {figure(facts.norm_median)}, largest {figure(max(norms))}, of {count(len(norms), 'measured step')}"
    limit, rate = facts.clipping.threshold, facts.clipping.rate
    return text if rate is None else f"{text}; threshold {figure(limit)} clips {run_text.of_rate(facts.clipping)}"


def _closing(conclusions: Conclusions, say: Say) -> Iterator[RenderableType]:
    record = conclusions.record
    rows = grid()
    if conclusions.passed:
        names = "; ".join(title(code) for code in conclusions.passed)
        rows.add_row("passed", Flow(say(f"{count(len(conclusions.passed), 'check')} found nothing: {names}")))
    for row, (titles, reason) in enumerate(_lacking(conclusions)):
        rows.add_row("" if row else "not made", Flow(say(f"{'; '.join(titles)}: {reason}")))
    if record.guarded:
        rows.add_row("guard", Flow(say(run_text.of_guarded(record.guarded))))
    if record.overhead:
        rows.add_row("overhead", Flow(say(run_text.of_overhead(record.overhead))))
    for note in record.notes:
        rows.add_row("note", Flow(say(note)))
    if rows.row_count:
        yield rows
        yield Text()


def _lacking(conclusions: Conclusions) -> list[tuple[list[str], str]]:
    """The checks that this run gave no evidence for, those that lacked the same together, and what they lacked."""
    by_reason: dict[str, list[str]] = {}
    for code, reason in conclusions.not_judged.items():
        by_reason.setdefault(reason, []).append(title(code))
    return [(titles, reason) for reason, titles in by_reason.items()]
