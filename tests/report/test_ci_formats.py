"""What a check found, as build servers read it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gradreach.record.schema import Finding
from gradreach.report.ci_formats import as_github, as_junit
from gradreach.report.report import Report
from gradreach.rules.registry import RULES
from tests.records.findings import BROKEN, CLIPPED, FINDINGS, VANISHING
from tests.records.runs import ALL
from tests.report.reports import conclusions_of, report_of

COMMAND = re.compile(r"::(?P<name>error|warning|notice) (?P<properties>[^:\n]*)::(?P<message>.*)")


def read(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    properties = dict(pair.split("=", 1) for pair in found["properties"].split(","))
    return found["name"], {key: plain(value) for key, value in properties.items()}, plain(found["message"])


def plain(text: str) -> str:
    for escaped, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escaped, char)
    return text


def test_a_command_for_each_severity() -> None:
    told = [read(line)[0] for line in as_github(conclusions_of(ALL["vanishing"]), [BROKEN, CLIPPED, VANISHING])]
    assert told == ["error", "warning", "notice"]


def test_title_place_reason_and_remedy() -> None:
    ((_, properties, message),) = map(read, as_github(conclusions_of(ALL["vanishing"]), [CLIPPED]))
    assert properties["title"] == "GR303 clipping threshold far too low"
    first, remedy = message.split("\n")
    assert first == "main.py:180: The threshold 0.25 lies under 100 % of the norms."
    assert remedy.startswith("clip_grad_norm_(model.parameters(), 3.0)")


def test_what_would_end_a_command_is_escaped() -> None:
    nasty = replace(CLIPPED, title="a,b: c%\r\n::error::d", because="50%\n::stop-commands::x\r%0A")
    (line,) = as_github(conclusions_of(ALL["vanishing"]), [nasty])
    assert "\n" not in line
    assert "\r" not in line
    _, properties, message = read(line)
    assert properties == {"title": "GR303 a,b: c%?\n::error::d"}
    assert message.split("\n")[1] == "::stop-commands::x?%0A"


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("src/train.py:12", {"file": "src/train.py", "line": "12"}),
        ("{here}/src/train.py:12", {"file": "src/train.py", "line": "12"}),
        ("src/train.py:0", {"file": "main.py"}),
        ("src/gone.py:12", {"file": "main.py"}),
        ("../outside.py:12", {"file": "main.py"}),
        ("src:12", {"file": "main.py"}),
        ("unknown", {"file": "main.py"}),
        ("", {"file": "main.py"}),
    ],
)
def test_a_line_is_named_where_it_is_one_of_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, site: str, expected: dict[str, str]
) -> None:
    here = tmp_path / "here"
    (here / "src").mkdir(parents=True)
    for file in (here / "src" / "train.py", here / "main.py", tmp_path / "outside.py"):
        file.write_text("")
    monkeypatch.chdir(here)
    finding = replace(CLIPPED, where={"site": site.format(here=here)})
    ((_, properties, _),) = map(read, as_github(conclusions_of(ALL["vanishing"]), [finding]))
    assert {key: value for key, value in properties.items() if key != "title"} == expected


def test_in_a_repository_paths_count_from_its_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tmp_path / "models" / "rnn"
    here.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (here / "train.py").write_text("")
    monkeypatch.chdir(here)
    finding = replace(CLIPPED, where={"site": "train.py:7"})
    ((_, properties, _),) = map(read, as_github(conclusions_of(ALL["vanishing"]), [finding]))
    assert (properties["file"], properties["line"]) == ("models/rnn/train.py", "7")


def test_no_file_is_invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ((_, properties, _),) = map(read, as_github(conclusions_of(ALL["vanishing"]), [CLIPPED]))
    assert list(properties) == ["title"]


def suite(report: Report, failing: tuple[Finding, ...]) -> ElementTree.Element:
    text = as_junit(report.conclusions, failing)
    assert text.isascii()
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    (found,) = root
    return found


def cases(found: ElementTree.Element) -> dict[str, ElementTree.Element]:
    return {case.get("name", "")[:5]: case for case in found.iter("testcase")}


def test_one_case_a_rule_with_its_outcome() -> None:
    report = report_of(ALL["vanishing"], (CLIPPED, VANISHING), ("GR102",), {"GR201": "no chain was watched"})
    found = suite(report, (CLIPPED,))
    by_code = cases(found)
    assert set(by_code) == set(RULES)
    failure = by_code["GR303"].find("failure")
    assert failure is not None
    assert failure.get("type") == "warning"
    assert "The threshold 0.25" in (failure.text or "")
    assert "clip_grad_norm_(model.parameters(), 3.0)" in (failure.text or "")
    assert list(by_code["GR102"]) == []
    skipped = by_code["GR201"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "no chain was watched"
    below = by_code["GR101"]
    assert below.find("failure") is None
    assert (below.findtext("system-out") or "").startswith("info: `rnn` layer 0")


def test_the_counts_are_those_of_the_cases() -> None:
    report = report_of(ALL["broken"], (BROKEN,), ("GR102",), {"GR201": "no chain was watched"})
    found = suite(report, (BROKEN,))
    by_code = cases(found)
    assert int(found.get("tests", "")) == len(by_code)
    assert int(found.get("failures", "")) == 1
    assert int(found.get("errors", "")) == 0
    assert int(found.get("skipped", "")) == sum(case.find("skipped") is not None for case in by_code.values())
    assert float(found.get("time", "")) == pytest.approx(1.3)


def test_only_what_junit_10_knows() -> None:
    """The elements and attributes of junit-10.xsd of Jenkins' xUnit plugin, of those that are written here."""
    known = {
        "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        "properties": set(),
        "property": {"name", "value"},
        "testcase": {"name", "time", "classname"},
        "failure": {"type", "message"},
        "skipped": {"type", "message"},
        "system-out": set(),
    }
    for name in ("vanishing", "broken", "hostile"):
        for element in suite(Report.of(ALL[name]), FINDINGS[name]).iter():
            assert set(element.keys()) <= known[element.tag]


def test_characters_that_xml_cannot_hold_are_removed() -> None:
    nasty = replace(CLIPPED, because="a\x00b\x1b[31m\ufffe]]>&<b>\ud800")
    report = report_of(ALL["hostile"], (nasty,))
    failure = cases(suite(report, (nasty,)))["GR303"].find("failure")
    assert failure is not None
    assert (failure.text or "").split("\n")[0].endswith("A?b?[31m?]]>&<b>?")


def test_several_findings_of_a_rule_fail_it_once() -> None:
    other = replace(CLIPPED, where={"site": "main.py:190"})
    failures = cases(suite(report_of(ALL["vanishing"], (CLIPPED, other)), (CLIPPED, other)))["GR303"].findall("failure")
    assert len(failures) == 1
    assert "(and 1 more)" in (failures[0].get("message") or "")
    assert "main.py:190" in (failures[0].text or "")
