"""The page in a real browser: light and dark, wide and narrow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradreach.report import Report

from .records import ALL, FINDINGS

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", params=["vanishing", "broken", "gan", "hostile", "empty", "asked", "chunked", "probed"])
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = request.param
    report = Report(ALL[name], FINDINGS.get(name, ()), ("GR201",))
    return report.save(tmp_path_factory.mktemp("page") / f"{name}.html")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_without_a_request_or_a_complaint(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(page_file.as_uri())
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    figures = page.evaluate(
        "[...document.querySelectorAll('figure')].filter(f => f.offsetParent).map(f =>"
        " [...f.querySelectorAll('svg[role=img]')].filter(s => s.getBoundingClientRect().height > 60)"
        ".map(s => [...s.querySelectorAll('path.line')].filter(p => p.getTotalLength() > 0).length))"
    )
    assert (len(figures) > 0) == (page_file.stem != "empty")
    assert all(len(shown) == 1 and shown[0] >= 1 for shown in figures)
    page.close()


def test_dark_is_dark(browser: Any, page_file: Path) -> None:
    shades = {}
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme)
        page.goto(page_file.as_uri())
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
        page.close()
    assert shades["dark"] < 150 < 600 < shades["light"]


def test_findings_open_by_keyboard_and_lead_to_their_explanation(browser: Any, tmp_path: Path) -> None:
    file = Report(ALL["broken"], FINDINGS["broken"]).save(tmp_path / "broken.html")
    page = browser.new_page()
    page.goto(file.as_uri())
    finding = page.locator("details.finding").first
    assert finding.get_attribute("open") is not None
    finding.locator("summary").focus()
    page.keyboard.press("Enter")
    assert finding.get_attribute("open") is None
    page.keyboard.press("Enter")
    page.locator('a[href="#explain-GR301"]').click()
    page.wait_for_function("document.getElementById('explain-GR301').open")
    page.keyboard.press("Home")
    page.close()


def test_first_tab_skips_to_the_findings(browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(Report(ALL["broken"], FINDINGS["broken"]).save(tmp_path / "broken.html").as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#findings"
    page.close()
