"""Which place of one run is which of the other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Record, Step
from gradreach.report.compare import matching as places
from tests.records.findings import BROKEN, CLIPPED, VANISHING
from tests.records.parts import run
from tests.report.reports import conclusions_of


def calling(*lines: str, script: str = "train.py") -> Record:
    """A run that called backward from these lines, in this order."""
    steps = tuple(Step(i, 0.1 * i, i, loss=1.0, norm=1.0) for i in range(len(lines)))
    return Record(run(script), steps, sites=lines)


def named(a: Record, b: Record) -> list[tuple[str, str]]:
    return [(a.sites[x], b.sites[y]) for x, y in places.sites(Facts(a), Facts(b))]


@pytest.mark.parametrize(
    ("before", "after", "pairs"),
    [
        (["train.py:31"], ["train.py:40"], [("train.py:31", "train.py:40")]),
        (["/old/train.py:31"], ["/new/train.py:31"], [("/old/train.py:31", "/new/train.py:31")]),
        (
            ["train.py:10", "train.py:20"],
            ["train.py:30", "train.py:20"],
            [("train.py:20", "train.py:30"), ("train.py:10", "train.py:20")],
        ),
        (["train.py:10", "train.py:20"], ["train.py:20"], [("train.py:20", "train.py:20")]),
        (["train.py:10", "train.py:20"], ["train.py:15"], [("train.py:10", "train.py:15")]),
        (["loop.py:5", "train.py:9"], ["train.py:9", "loop.py:7"], [("train.py:9",) * 2, ("loop.py:5", "loop.py:7")]),
        (["loop.py:5"], ["engine.py:5"], []),
        (["unknown"], ["unknown"], [("unknown", "unknown")]),
        ([r"C:\a\train.py:3"], [r"D:\b\train.py:4"], [(r"C:\a\train.py:3", r"D:\b\train.py:4")]),
    ],
)
def test_lines_are_matched_where_they_moved(before: list[str], after: list[str], pairs: list[tuple[str, str]]) -> None:
    assert named(calling(*before), calling(*after)) == pairs


def test_the_script_is_the_script_under_another_name() -> None:
    a, b = calling("v1.py:10", script="v1.py"), calling("v2.py:12", script="v2.py")
    assert named(a, b) == [("v1.py:10", "v2.py:12")]


def matched(a: tuple[Finding, ...], b: tuple[Finding, ...], **lacking: str) -> list[tuple[str, str]]:
    here = conclusions_of(calling("main.py:180", script="main.py"), a)
    there = conclusions_of(calling("main.py:190", script="main.py"), b, not_judged=lacking)
    pairs = places.sites(here.facts, there.facts)
    return [(each.state, each.shown.code) for each in places.findings(here, there, pairs)]


def test_findings_go_come_and_stay() -> None:
    moved = replace(CLIPPED, where={"site": "main.py:190"})
    assert matched((CLIPPED, VANISHING), (moved, BROKEN)) == [("new", "GR301"), ("gone", "GR101"), ("stayed", "GR303")]


def test_a_finding_elsewhere_is_another() -> None:
    other = replace(VANISHING, where={**VANISHING.where, "layer": 1})
    assert sorted(matched((VANISHING,), (other,))) == [("gone", "GR101"), ("new", "GR101")]


def test_what_could_not_be_judged_is_not_gone() -> None:
    assert matched((VANISHING,), (), GR101="no recurrent layer was watched") == [("not judged", "GR101")]


def test_severity_that_changed_is_a_change() -> None:
    worse = replace(VANISHING, severity="error")
    here, there = conclusions_of(calling("main.py:1"), (VANISHING,)), conclusions_of(calling("main.py:1"), (worse,))
    (one,) = places.findings(here, there, ((0, 0),))
    assert (one.state, one.shift) == ("changed", 2)
    (back,) = places.findings(there, here, ((0, 0),))
    assert (back.state, back.shift) == ("changed", -2)


def test_two_findings_at_one_place_are_two() -> None:
    assert matched((CLIPPED, CLIPPED), (replace(CLIPPED, where={"site": "main.py:190"}),)) == [
        ("gone", "GR303"),
        ("stayed", "GR303"),
    ]
