"""What a run comes to on one screen of 80 columns and 24 rows: verdict, findings, what to do first, the page's path."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text

from gradreach.facts.wording import count, figure, percent, safe
from gradreach.record.schema import Finding
from gradreach.report import run_text
from gradreach.report.charts.flow import lines
from gradreach.report.charts.terminal_card import INDENT, STYLE
from gradreach.report.conclusions import Conclusions
from gradreach.report.finding_text import place
from gradreach.report.grouped_findings import FindingGroup, grouped
from gradreach.report.questions import Answer
from gradreach.report.verdict import ending

ROWS = 23
"""Rows that a terminal of 24 has left above its prompt: what may be told at less length is told so that all fits."""

LONGEST_CODE = 6
"""Rows of a remedy's code from which on it is left to the page."""

Say = Callable[[str], str]


def last_screen(
    conclusions: Conclusions, path: str, width: int, say: Say, *, verbose: bool = False, rows: int = ROWS
) -> list[Text]:
    """At most so many rows; where `verbose`, all of it stands above, and nothing need be said of how to have it."""
    groups = grouped(conclusions.findings)
    top = [*_headline(conclusions, width, say), Text(), *_verdict(conclusions, width, say)]
    found = [_title(group, width, say) for group in groups]
    todo = _apart(_broken_line(conclusions, width, say) + _first_remedy(conclusions.findings, width, say))
    end = _apart(_counts(conclusions, width, say, verbose=verbose) + _path(path))
    free = rows - len(top) - len(todo) - len(end) - (len(found[0]) + 1 if found else 0)
    asked = [_answer(each, each.short or each.answer, conclusions.answers, width, say) for each in conclusions.answers]
    while asked and sum(map(len, asked)) + 1 > free:
        asked.pop()  # the first questions are those that matter most
    free -= sum(map(len, asked)) + 1 if asked else 0
    titles, free = _as_many_as_fit(found, free)
    for at, each in enumerate(conclusions.answers[: len(asked)]):
        full = _answer(each, each.answer, conclusions.answers, width, say)
        if len(full) - len(asked[at]) <= free:
            free -= len(full) - len(asked[at])
            asked[at] = full
    answered = [row for each in asked for row in each]
    return [*top, *_apart(titles), *todo, *_apart(answered), *end]


def _apart(rows: list[Text]) -> list[Text]:
    """Rows with an empty one before them."""
    return [Text(), *rows] if rows else []


def _headline(conclusions: Conclusions, width: int, say: Say) -> list[Text]:
    record, spent = conclusions.record, conclusions.facts.seconds
    parts = [f"gradreach: {run_text.of_command(record.run, 40)}", run_text.of_steps(conclusions.facts)]
    if spent is not None:
        parts.append(f"{figure(spent)} s")
    if record.outcome.how != "raised" and (how := ending(record)):
        parts.append(how)
    return _flow(say(", ".join(parts)), width, "dim")


def _verdict(conclusions: Conclusions, width: int, say: Say) -> list[Text]:
    return _flow(say(conclusions.verdict.sentence), width, STYLE[conclusions.verdict.level])


def _title(group: FindingGroup, width: int, say: Say) -> list[Text]:
    """Severity, code and title; behind them the whole place or the module's alone, or the place on a row of its own."""
    level, named = group.first.severity, f"{group.first.code} {say(group.first.title)}"
    first = Text.assemble((f"{level:<{INDENT}}", STYLE[level]), (named, "bold"))
    module = {key: value for key, value in group.first.where.items() if key in ("module", "layer", "step")}
    places = [say(group.place), *([say(place(module))] if module and len(group.findings) == 1 else [])]
    behind = next((each for each in places if INDENT + len(named) + 2 + len(each) <= width), None)
    if behind is None:
        return [first, *_indented(lines(places[0], width - INDENT))]
    return [first.append(f"  {behind}" if behind else "")]


def _broken_line(conclusions: Conclusions, width: int, say: Say) -> list[Text]:
    """The script's own line that made the first value that is not finite, which the remedy speaks of."""
    if not any(finding.code == "GR301" for finding in conclusions.findings[:1]):
        return []
    origin = conclusions.facts.origin
    if origin is None or not origin.code:
        return []
    return _named("line", _indented(lines(say(origin.code), width - INDENT)[:LONGEST_CODE], "cyan"))


def _first_remedy(findings: Sequence[Finding], width: int, say: Say) -> list[Text]:
    """The code to paste, or where it is long its name alone, and why; nothing where no finding is a fault."""
    remedy = next((each for finding in findings if finding.severity != "info" for each in finding.remedies), None)
    if remedy is None:
        return []
    code = lines(say(remedy.do), width - INDENT)
    code = code if len(code) <= LONGEST_CODE else [f"{code[0]}  # and what follows it on the page"]
    why = lines(say(remedy.why[:1].upper() + remedy.why[1:]), width - INDENT)
    return _named("do", [*_indented(code, "cyan"), *_indented(why)])


def _answer(each: Answer, told: str, among: Sequence[Answer], width: int, say: Say) -> list[Text]:
    """A question and what is told of its answer, in columns that all questions share."""
    start = max(len(say(other.question)) for other in among) + 1
    text = lines(say(told), width - start)
    rows = [Text(f"{'':{start}}{line}") for line in text]
    first = Text.assemble((f"{say(each.question):<{start}}", "dim"), text[0])
    first.stylize("bold", start, start + len(say(each.short)))
    return [first, *rows[1:]]


def _as_many_as_fit(found: Sequence[list[Text]], free: int) -> tuple[list[Text], int]:
    """The first finding in any case, of the others as many as there is room for, and how many are left out."""
    shown = list(found[0]) if found else []
    for at, rows in enumerate(found[1:], 1):
        last = at == len(found) - 1
        if len(rows) + (0 if last else 1) > free:
            shown.append(Text(f"{'':{INDENT}}and {len(found) - at} more on the page"))
            return shown, free - 1
        shown += rows
        free -= len(rows)
    return shown, free


def _counts(conclusions: Conclusions, width: int, say: Say, *, verbose: bool) -> list[Text]:
    """How many checks there were, what the guard did, and what share of the wall time watching took."""
    record, lacking = conclusions.record, len(conclusions.not_judged)
    told = [f"{count(len(conclusions.passed), 'check')} passed"] if conclusions.passed else []
    told += [f"{lacking} not made"] if lacking else []
    told += [count(len(record.notes), "note")] if record.notes else []
    parts = [", ".join(told) + ("" if verbose else " (--verbose lists them)")] if told else []
    parts += [f"watching took {percent(record.overhead.measured)}"] if record.overhead else []
    rows = _flow(say("; ".join(parts) + "."), width, "dim") if parts else []
    guarded = _flow(say(f"guard: {run_text.of_guarded(record.guarded)}"), width) if record.guarded else []
    return [*guarded, *rows]


def _path(path: str) -> list[Text]:
    return [Text(f"report: {safe(path)}", no_wrap=True, overflow="ignore")] if path else []


def _flow(text: str, width: int, style: str = "") -> list[Text]:
    return [Text(line, style=style) for line in lines(text, width)]


def _named(name: str, rows: list[Text]) -> list[Text]:
    """Indented rows with a name before the first."""
    return [Text.assemble((f"{name:<{INDENT}}", "dim"), rows[0][INDENT:]), *rows[1:]]


def _indented(rows: Sequence[str], style: str = "") -> list[Text]:
    return [Text.assemble(f"{'':{INDENT}}", (row, style)) for row in rows]
