"""Reports with findings of one's own, as the rules would hand them on; pages that are drawn once a test process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Record
from gradreach.report.conclusions import Conclusions
from gradreach.report.report import Report
from gradreach.rules.registry import ranked
from tests.records.findings import FINDINGS
from tests.records.runs import ALL

LARGE = pytest.param("large", marks=pytest.mark.slow(8, "judges twenty thousand steps and draws hundreds of modules"))


def every_run(*but: str) -> list[Any]:
    """The names of all runs but for these, as parameters of a test; the large one is slow."""
    return [LARGE if name == "large" else name for name in ALL if name not in but]


def conclusions_of(
    record: Record,
    findings: Sequence[Finding] = (),
    passed: Sequence[str] = (),
    not_judged: Mapping[str, str] | None = None,
) -> Conclusions:
    """What such findings in a record come to, in the order that the rules give them."""
    return Conclusions(Facts(record), ranked(findings), tuple(passed), not_judged or {})


def report_of(
    record: Record,
    findings: Sequence[Finding] = (),
    passed: Sequence[str] = (),
    not_judged: Mapping[str, str] | None = None,
) -> Report:
    """The report on such findings in a record."""
    return Report(conclusions_of(record, findings, passed, not_judged))


@cache
def judged(name: str) -> Report:
    """The report on a named run, with what the rules find in it."""
    return Report.of(ALL[name])


@cache
def judged_page(name: str) -> str:
    """The page of a named run, with what the rules find in it."""
    return judged(name).to_html()


@cache
def made_page(name: str) -> str:
    """The page of a named run, with the findings that are made for it, one check passed and one not judged."""
    made = report_of(ALL[name], FINDINGS.get(name, ()), ("GR201",), {"GR401": "its evidence is not recorded"})
    return made.to_html()
