"""Each demo, cut to as few steps as show what it is for, is found to be what it is, and its page shows it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import gradreach
from gradreach.demo import DEMOS
from gradreach.record.store import read
from gradreach.report.report import Report
from tests.demo_text import STEPS, TEXTS, demo, said, without_figures

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

CODES: dict[str, set[str]] = {
    "text": {"GR101"},
    "vanishing": {"GR402", "GR101"},
    "nan": {"GR301"},
    "clip": {"GR303"},
    "deep": {"GR201"},
    "healthy": set(),
}
"""The codes that must be found."""


def test_every_demo_is_told() -> None:
    assert set(CODES) == set(STEPS) == set(DEMOS)
    assert all(each.script.is_file() for each in DEMOS.values())
    assert {path.stem for path in DEMOS["text"].script.parent.glob("[a-z]*.py")} == set(DEMOS)


def test_no_demo_knows_of_gradreach() -> None:
    for each in DEMOS.values():
        assert "gradreach" not in each.script.read_text(encoding="utf-8")


@pytest.mark.slow(7, "trains, and opens the page at every width and scheme")
@pytest.mark.parametrize("name", DEMOS)
def test_each_demo_is_found_to_be_what_it_is(name: str, tmp_path: Path, browser: Any) -> None:
    codes = CODES[name]
    done = demo(name, tmp_path / "out", "--steps", str(STEPS[name]))
    assert done.returncode == 0
    report = Report.of(read(tmp_path / "out"))
    found = {finding.code for finding in report.findings}
    assert codes <= found
    approved = (TEXTS / f"{name}.txt").read_text(encoding="utf-8")
    assert without_figures(said(name, tmp_path / "out", done.stderr)) == without_figures(approved)
    alarms = {finding.code for finding in report.findings if finding.severity != "info"}
    assert alarms <= codes
    assert (tmp_path / "out" / "report.html").is_file()
    assert DEMOS[name].question in done.stderr
    assert f"what to look at: {DEMOS[name].look_at}" in approved
    assert "\nas promised: " in approved
    assert DEMOS[name].shows in codes | {""}
    assert done.stdout.startswith("step    0  ")
    for width, scheme in product((1280, 390), ("light", "dark")):
        opens_well(browser, tmp_path / "out" / "report.html", width, scheme)


INK = """canvas => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.filter((value, at) => at % 4 === 3 && value > 200).length;
}"""


def opens_well(browser: Any, file: Path, width: int, scheme: str) -> None:
    """No complaint, no request, charts with ink, verdict, figure, remedy and on a desk all answers without scrolling,
    findings by keyboard, axe content."""
    page = browser.new_page(viewport={"width": width, "height": 800 if width > 600 else 844}, color_scheme=scheme)
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("#norm .live canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    answers = page.locator(".answers > div")
    assert answers.count() in (3, 4)
    seen = page.locator("h1, .lead figure canvas" if width < 600 else "h1, .lead figure, .first, .answers > div")
    bottoms = seen.evaluate_all("all => all.map(each => each.getBoundingClientRect().bottom)")
    assert max(bottoms) <= page.viewport_size["height"]
    for canvas in page.locator("canvas:visible").all():
        assert canvas.evaluate(INK) > 200
    assert page.locator("#lead canvas:visible, #norm canvas:visible").count() >= 2
    reached = set()
    for _ in range(200):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('details.finding > summary')?.textContent ?? ''"))
    assert len(reached - {""}) == page.locator("details.finding").count()
    assert trouble == []
    if (width, scheme) in ((1280, "light"), (390, "dark")):
        found = axe.Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"][:200]) for each in found] == []
    page.close()


@pytest.mark.slow(10, "trains under a copy of the package in a folder of its own")
def test_an_installed_demo_is_told_by_its_own_lines_and_names(tmp_path: Path) -> None:
    installed = tmp_path / "site-packages"
    shutil.copytree(
        Path(gradreach.__file__).parent, installed / "gradreach", ignore=shutil.ignore_patterns("__pycache__")
    )
    command = [sys.executable, "-m", "gradreach", "demo", "nan", "--out", str(tmp_path / "out"), "--steps", "320"]
    environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    (broken,) = (each for each in Report.of(read(tmp_path / "out")).findings if each.code == "GR301")
    assert "site-packages/gradreach/demo/nan.py:" in done.stderr
    assert str(broken.where["site"]).rpartition(":")[0].endswith("demo/nan.py")


def test_the_list_and_a_name_that_there_is_not(tmp_path: Path) -> None:
    listed = demo("--list", tmp_path / "out")
    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(DEMOS)
    unknown = demo("nothing", tmp_path / "out")
    assert unknown.returncode == 2
    assert "expected one of text, vanishing" in " ".join(unknown.stderr.split())
    assert not (tmp_path / "out").exists()
