"""axe-core on every shape of page, light and dark, wide and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.records.runs import ALL
from tests.report.reports import judged_page

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


def violations(page: Any) -> list[tuple[str, str]]:
    """The rules that the page breaks, each with the first element that does."""
    found = axe.Axe().run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"][:200]) for each in found]


@pytest.mark.parametrize("name", [name for name in ALL if name != "large"])
def test_axe_finds_no_violation(browser: Any, tmp_path: Path, name: str) -> None:
    file = tmp_path / "report.html"
    file.write_text(judged_page(name), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(file.as_uri())
    for width, scheme in ((1280, "light"), (390, "dark")):  # colours do not depend on the width, nor places on colours
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == [], (width, scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    assert violations(page) == [], "all open"
    page.close()


def test_axe_would_find_one(browser: Any, tmp_path: Path) -> None:
    page = browser.new_page()
    file = tmp_path / "report.html"
    file.write_text(judged_page("vanishing"), encoding="utf-8")
    page.goto(file.as_uri())
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate("document.querySelector('.facts').style.color = '#ddd'")
    assert {rule for rule, _ in violations(page)} == {"html-has-lang", "color-contrast"}
    page.close()
