"""Plain PyTorch scripts under `gradreach run`: no alarm on healthy ones, the right one in its place on faulty ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradreach.rules.registry import RULES
from tests import forked
from tests.rules.arithmetic import holds, relations

ZOO = Path(__file__).parent
HEALTHY = sorted(ZOO.glob("healthy/*.py"))
FAULTY = sorted(ZOO.glob("faulty/*.py"))
ALARMS = ("error", "warning")
CODES = set(RULES) - {"GR104", "GR320", "GR401", "GR501"}
"""Those that a script of the zoo shows: the others take too long, speak on some CPUs alone, find nothing wrong, or end
a script."""

Finding = dict[str, Any]
Count = Callable[[str, object], None]


def run(script: Path, folder: Path) -> dict[str, Any]:
    """The report of `gradreach run SCRIPT`, whose exit code must be the script's own, 0, and each formula true.

    It is watched as a user's script is, without options: looks are planned in steps, and take less time than would
    delay one.
    """
    report = folder / "report.json"
    options = ["--out", str(folder / "out"), "--json", str(report)]
    done = forked.run("-m", "gradreach", "run", *options, script, cwd=folder, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(report.read_text())
    for finding in told["findings"]:
        assert finding["formula"], finding
        assert all(map(holds, relations(finding["formula"]))), finding["formula"]
    return told


def expectations(script: Path) -> dict[str, Any]:
    """What the script's first line says it should be found to be."""
    head = script.read_text().splitlines()[0]
    assert head.startswith("# expect: "), f"{script.name}: its first line must be `# expect: {{…}}`"
    return dict(json.loads(head.removeprefix("# expect: ")))


def meets(finding: Finding, expected: dict[str, Any]) -> bool:
    """Whether a finding has the code, and at the place all that is expected of it."""
    told = {**finding["evidence"], **finding["where"], "code": finding["code"], "severity": finding["severity"]}
    wanted = {key: value for key, value in expected.items() if key not in ("also", "has")}
    return all(told.get(key) == value for key, value in wanted.items()) and all(
        key in told for key in expected.get("has", ())
    )


def told(findings: list[Finding]) -> str:
    return "\n".join(f"{f['severity']} {f['code']} {f['where']}: {f['because']}" for f in findings) or "no findings"


def test_every_code_has_its_script() -> None:
    assert {expectations(script)["code"] for script in FAULTY} == CODES
    assert len(HEALTHY) >= 14


@pytest.mark.slow(5, "trains a whole script under watch")
@pytest.mark.parametrize("script", HEALTHY, ids=lambda script: script.stem)
def test_healthy(script: Path, tmp_path: Path, record_property: Count) -> None:
    record_property("scripts", 1)
    report = run(script, tmp_path)
    findings = report["findings"]
    alarms = [finding for finding in findings if finding["severity"] in ALARMS]
    record_property("wrong", len(alarms))
    assert not alarms, told(alarms)
    assert report["verdict"]["level"] in ("learns", "unseen"), report["verdict"]


@pytest.mark.slow(5, "trains a whole script under watch")
@pytest.mark.parametrize("script", FAULTY, ids=lambda script: script.stem)
def test_faulty(script: Path, tmp_path: Path, record_property: Count) -> None:
    record_property("scripts", 1)
    record_property("planted", 1)
    findings = run(script, tmp_path)["findings"]
    expected = expectations(script)
    right = [finding for finding in findings if meets(finding, expected)]
    granted = {expected["code"], *expected.get("also", ())}
    wrong = [finding for finding in findings if finding["severity"] in ALARMS and finding["code"] not in granted]
    record_property("found", min(len(right), 1))
    record_property("wrong", len(wrong))
    assert right, f"expected {expected}, got\n{told(findings)}"
    assert not wrong, f"not planted:\n{told(wrong)}"
