"""The report as GitHub-flavoured Markdown, to be pasted into an issue or a chat."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from gradreach.facts import wording
from gradreach.facts.statistics import known
from gradreach.facts.time import Shown
from gradreach.facts.wording import count, figure
from gradreach.record.kinds import of_layer
from gradreach.report import run_text
from gradreach.report.conclusions import Conclusions
from gradreach.report.grouped_findings import FindingGroup, grouped
from gradreach.report.headline import headline
from gradreach.report.key_figure import serious
from gradreach.report.verdict import ending

FINDINGS, LAYERS, COMMAND = 20, 12, 110
"""Findings and recurrent layers that are listed, and characters of the command; the JSON form holds the rest."""

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#])")
_TICKS = re.compile(r"`+")


def markdown(conclusions: Conclusions) -> str:
    """Verdict, what to do first, the three answers, findings and recurrent layers."""
    head, rest = headline(conclusions.verdict.sentence)
    parts = [f"### {prose(head)}", prose(rest), _facts(conclusions), *_first(conclusions)]
    parts += [f"**{prose(each.question)}** {prose(each.answer)}" for each in conclusions.answers]
    parts += _findings(grouped(conclusions.findings))
    parts.append(_layers(conclusions.facts.seen.time_shown))
    return "\n\n".join(part for part in parts if part) + "\n"


def prose(text: str) -> str:
    """A sentence in which only what stands between backticks is marked up."""
    pieces = " ".join(wording.safe(text).split()).split("`")
    if len(pieces) % 2 == 0:  # a backtick without its fellow is a backtick
        return _escaped("`".join(pieces))
    return "".join(f"`{piece}`" if i % 2 else _escaped(piece) for i, piece in enumerate(pieces))


def fenced(code: str) -> str:
    """Code between fences that are longer than any within it."""
    fence = "`" * max(3, *(len(found) + 1 for found in _TICKS.findall(code)), 3)
    return f"{fence}python\n{wording.printable(code)}\n{fence}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _facts(conclusions: Conclusions) -> str:
    record, seconds = conclusions.record, conclusions.facts.seconds
    took = f" in {figure(seconds)} s" if seconds is not None else ""
    said = [
        f"{run_text.of_steps(conclusions.facts)}{took}, {len(record.looks)} watched closely",
        record.run.device,
        f"torch {record.run.torch}",
        ending(record),
    ]
    command = run_text.of_command(record.run, COMMAND).replace("`", "'")
    return prose(f"`{command}` · " + " · ".join(part for part in said if part))


def _first(conclusions: Conclusions) -> Iterable[str]:
    finding = serious(conclusions)
    if finding is None or not finding.remedies:
        return ()
    remedy = finding.remedies[0]
    return f"**What to do first:** {prose(wording.capital(remedy.why))}", fenced(remedy.do)


def _findings(groups: Sequence[FindingGroup]) -> Iterable[str]:
    if not groups:
        return ()
    lines = []
    for group in groups[:FINDINGS]:
        first = group.first
        reason = " ".join(part for part in (group.reasons[0][1], group.common) if part)
        lines.append(
            f"- **{first.severity}** {first.code} {prose(first.title)} ({prose(group.place)}): {prose(reason)}"
        )
    if len(groups) > FINDINGS:
        lines.append(f"- and {len(groups) - FINDINGS} more")
    summary = f"<summary>{count(len(groups), 'finding')}</summary>"
    return (f"<details>{summary}\n\n" + "\n".join(lines) + "\n\n</details>",)


def _layers(shown: Sequence[Shown]) -> str:
    if not shown:
        return ""
    rows = [
        "| recurrent layer | steps T | horizon, steps | factor a step | bound γλ a step | look at step |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for look, seen, _ in shown[:LAYERS]:
        horizon = str(seen.horizon) if known(seen.reach) else "–"
        cells = [prose(f"{of_layer(seen)} ({seen.kind})"), str(seen.T), horizon, figure(seen.factor)]
        rows.append("| " + " | ".join([*cells, figure(seen.bound_factor), f"{look.step:,}"]) + " |")
    return "\n".join(rows)
