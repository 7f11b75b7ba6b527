"""Which place of one run is which of the other: lines of a script that moved, layers, modules, findings."""

from __future__ import annotations

import ntpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.facts import Facts
from gradreach.record.schema import SEVERITIES, Finding
from gradreach.report.conclusions import Conclusions
from gradreach.report.finding_text import of_finding
from gradreach.rules.registry import ranked

State = Literal["gone", "new", "changed", "not judged", "stayed"]
"""Of a finding: in A alone; in B alone; in both, of another severity; in one alone while the other gave no evidence to
judge by; in both alike."""


@dataclass(frozen=True, slots=True)
class FindingMatch:
    """A finding of either run, or the same of both; `why` says what the other run lacked to judge by."""

    state: State
    a: Finding | None
    b: Finding | None
    why: str = ""

    @property
    def shown(self) -> Finding:
        """The finding as the later run has it, else as the earlier."""
        finding = self.b or self.a
        assert finding is not None
        return finding

    @property
    def place(self) -> str:
        """Where it stands."""
        return of_finding(self.shown)

    @property
    def shift(self) -> int:
        """By how many levels it grew more severe in B: negative where it grew less."""
        if self.a is None or self.b is None:
            return 0
        return SEVERITIES.index(self.a.severity) - SEVERITIES.index(self.b.severity)


def sites(a: Facts, b: Facts) -> tuple[tuple[int, int], ...]:
    """Pairs of the lines that call backward in both runs, as indices of `sites`, in the order of their first call in B.

    Lines of one file are the same where as many are in both, in their order; else where their numbers agree, and the
    rest in their order. A file is the same by its name, or as the script that was run.
    """
    lines_a, lines_b = _by_file(a), _by_file(b)
    pairs: list[tuple[int, int]] = []
    for file, there in lines_b.items():
        here = lines_a.get(file, [])
        same = [] if len(here) == len(there) else [(x, y) for x in here for y in there if x[0] == y[0]]
        left = [x for x in here if x not in {x for x, _ in same}]
        right = [y for y in there if y not in {y for _, y in same}]
        pairs += [(x[1], y[1]) for x, y in [*same, *zip(left, right, strict=False)]]
    order = [site.number for site in b.sites]
    return tuple(sorted(pairs, key=lambda pair: order.index(pair[1])))


def findings(a: Conclusions, b: Conclusions, pairs: Sequence[tuple[int, int]]) -> tuple[FindingMatch, ...]:
    """The findings of both runs, matched by code, module, layer, direction and the line that calls backward.

    What changed comes first, then what stayed, each the most serious first.
    """
    names = {a.facts.site_name(x): b.facts.site_name(y) for x, y in pairs}
    waiting: dict[tuple[object, ...], list[Finding]] = defaultdict(list)
    for finding in a.findings:
        waiting[_key(finding, names)].append(finding)
    matched = []
    for finding in b.findings:
        partners = waiting[_key(finding, {})]
        if partners:
            earlier = partners.pop(0)
            matched.append(
                FindingMatch("stayed" if earlier.severity == finding.severity else "changed", earlier, finding)
            )
        else:
            matched.append(_alone("new", finding, a.not_judged))
    matched += [_alone("gone", finding, b.not_judged) for left in waiting.values() for finding in left]
    ranks = {id(finding): rank for rank, finding in enumerate(ranked(each.shown for each in matched))}
    return tuple(sorted(matched, key=lambda each: (each.state == "stayed", ranks[id(each.shown)])))


def _alone(state: State, finding: Finding, not_judged: Mapping[str, str]) -> FindingMatch:
    """A finding of one run that the other has not, or could not have."""
    why = not_judged.get(finding.code, "")
    here, there = (finding, None) if state == "gone" else (None, finding)
    return FindingMatch("not judged" if why else state, here, there, why)


def _key(finding: Finding, names: Mapping[str, str]) -> tuple[object, ...]:
    where = finding.where
    site = str(where.get("site", ""))
    return (finding.code, where.get("module"), where.get("layer"), where.get("direction"), names.get(site, site))


def _by_file(facts: Facts) -> dict[str, list[tuple[int, int]]]:
    """Of each file the lines that called backward with their index, in their order."""
    script = _name(facts.record.run.script)
    files: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for site in facts.sites:
        file, _, line = site.name.rpartition(":")
        name = _name(file)
        files["" if name == script else name].append((int(line) if line.isdecimal() else 0, site.number))
    return {name: sorted(lines) for name, lines in files.items()}


def _name(path: str) -> str:
    """The last part of a path, as any system writes it."""
    return ntpath.basename(path)
