"""Comparing and checking recordings, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gradreach.cli import main
from tests.records.pairs import falling
from tests.records.runs import ALL
from tests.records.writing import write


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("pair")
    return str(write(folder / "a", falling(1))), str(write(folder / "b", falling(2, level=0.3)))


@pytest.fixture
def broken(tmp_path: Path) -> str:
    return str(write(tmp_path / "broken", ALL["broken"]))


def test_compare_prints_the_sentence_and_ends_with_the_page(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, fields = tmp_path / "change.html", tmp_path / "change.json"
    assert main(["compare", *pair, "--html", str(page), "--json", str(fields)]) == 0
    told = capsys.readouterr()
    assert "B is better: its loss is" in told.out
    assert told.out.splitlines()[-1] == f"comparison: {page}"
    assert told.err == ""
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads(fields.read_text(encoding="utf-8"))["schema"] == "gradreach-compare/1"


def test_compare_as_json_is_json_alone(pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *pair, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["judgement"]["level"] == "better"


def test_compare_leaves_rules_out(broken: str, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", pair[0], broken, "--ignore", "gr301", "--format", "json"]) == 0
    assert "GR301" not in {each["code"] for each in json.loads(capsys.readouterr().out)["findings"]}


def test_compare_refuses_what_it_cannot_use(
    pair: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", pair[0], str(tmp_path / "none")]) == 3
    assert main(["compare", str(tmp_path / "none"), pair[0]]) == 3
    assert main(["compare", pair[0]]) == 2
    assert main(["compare", *pair, "--ignore", "GR999"]) == 2
    assert main(["compare", *pair, "--html", str(tmp_path)]) == 2
    assert capsys.readouterr().out == ""


def test_compare_never_imports_torch(pair: tuple[str, str], tmp_path: Path) -> None:
    script = (
        "import sys; from gradreach.cli import main; code = main(sys.argv[1:]); "
        "sys.exit(f\"{code} {sorted({'torch', 'numpy', 'scipy'} & set(sys.modules))}\")"
    )
    command = [sys.executable, "-c", script, "compare", *pair, "--html", str(tmp_path / "page.html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "0 []"


def test_check_breaks_lines_between_words_at_a_terminal_alone(
    broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["check", broken]) == 1
    in_a_log = capsys.readouterr().out
    assert max(map(len, in_a_log.splitlines())) > 100
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["check", broken]) == 1
    at_a_terminal = capsys.readouterr().out
    assert max(map(len, at_a_terminal.splitlines())) <= 60
    assert at_a_terminal.split() == in_a_log.split()


def test_check_as_github(broken: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", broken, "--format", "github"]) == 1
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("::error title=GR301 ")
    assert last.endswith(" in all")


def test_check_as_junit(broken: str, pair: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", broken, "--format", "junit"]) == 1
    root = ElementTree.fromstring(capsys.readouterr().out)
    assert int(root.get("failures", "")) >= 1
    assert main(["check", pair[0], "--format", "junit"]) == 0
    assert ElementTree.fromstring(capsys.readouterr().out).get("failures") == "0"


def test_settings_of_the_project_are_in_force(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.gradreach]\nignore = ["GR102", "GR301", "GR304"]\n')
    monkeypatch.chdir(tmp_path)
    assert main(["check", broken]) == 0
    (tmp_path / "pyproject.toml").write_text("[tool.gradreach]\nignored = []\n")
    assert main(["check", broken]) == 2
    assert "did you mean ignore" in capsys.readouterr().err
