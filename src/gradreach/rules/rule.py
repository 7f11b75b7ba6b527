"""What a rule is: a code, a text that explains it, and one pure function from a record to findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from gradreach.facts.legacy_thresholds import Thresholds
from gradreach.record.schema import Finding, Record, Severity

Where = dict[str, str | int | float]
Evidence = dict[str, str | int | float | bool | None]
Family = Literal["time", "depth", "step", "data"]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check came to: its findings, or in `why_not` what the record lacked to judge by."""

    findings: tuple[Finding, ...] = ()
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """What `explain CODE` prints. `thresholds` says when the rule speaks and why then; `remedies` name each its
    trade-off, `silence` when it is right to ignore the rule; `references` give author, year and title."""

    cause: str
    mathematics: tuple[str, ...]
    thresholds: str
    remedies: tuple[str, ...]
    silence: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `severities` lists what its findings may be, worst first; `check` is None where the evidence for it is
    not recorded."""

    code: str
    slug: str
    title: str
    severities: tuple[Severity, ...]
    family: Family
    explain: Explain
    check: Callable[[Record, Thresholds], Judged] | None = None
