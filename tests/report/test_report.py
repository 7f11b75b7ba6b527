"""The report as an object."""

import json
from html import unescape
from pathlib import Path

import pytest

from gradreach.report.report import Report
from tests.records.findings import BROKEN, FINDINGS
from tests.records.runs import ALL
from tests.report.reports import report_of


def test_saves_by_suffix(tmp_path: Path) -> None:
    report = report_of(ALL["broken"], FINDINGS["broken"])
    page, fields = report.save(tmp_path / "a.html"), report.save(str(tmp_path / "b.JSON"))
    assert report.save(tmp_path / "c.md").read_text(encoding="utf-8") == report.to_markdown()
    assert report.save(tmp_path / "d.svg").read_text(encoding="utf-8") == report.to_svg()
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(fields.read_text(encoding="utf-8")) == json.loads(json.dumps(report.as_dict()))


def test_refuses_other_suffixes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path: expected .* ends in \.html, .* \.svg or \.png, got 'a\.pdf'"):
        report_of(ALL["healthy"]).save(tmp_path / "a.pdf")


def test_shows_itself_in_a_notebook() -> None:
    frame = report_of(ALL["healthy"])._repr_html_()
    assert frame.startswith('<iframe sandbox="allow-scripts"')
    assert "<!doctype html>" in unescape(frame)


def test_of_applies_the_rules() -> None:
    report = Report.of(ALL["broken"])
    assert "GR301" in {finding.code for finding in report.findings}
    assert report.verdict.sentence.startswith("The script raised ValueError: loss is NaN. Training broke")
    assert "GR301" not in {finding.code for finding in Report.of(ALL["broken"], ignore=("GR301",)).findings}


def test_findings_are_at_hand() -> None:
    assert report_of(ALL["broken"], (BROKEN,)).findings[0].code == "GR301"


@pytest.mark.parametrize("name", ALL)
def test_at_a_prompt_a_report_is_ten_lines(name: str) -> None:
    shown = repr(report_of(ALL[name], FINDINGS.get(name, ()) * 8)).splitlines()
    assert len(shown) <= 10
    assert max(map(len, shown)) <= 120
    assert shown[0].startswith("<gradreach.Report of ")
    assert shown[-1].endswith(">")


def test_a_report_shows_verdict_and_findings_at_a_prompt() -> None:
    shown = repr(report_of(ALL["broken"], FINDINGS["broken"]))
    for part in (
        "The script raised ValueError: loss is NaN.",
        "  error GR301 ",
        "`rnn` layer 0",
        ".save('report.html')",
    ):
        assert part in shown
