"""The page of a comparison in a real browser: light and dark, wide and narrow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradreach.report.compare.comparison import Comparison, compare
from gradreach.report.compare.page import render
from tests.records.findings import BROKEN, FINDINGS
from tests.records.pairs import bare, falling
from tests.records.runs import ALL
from tests.report.reports import conclusions_of
from tests.report.test_accessibility import violations

PAIRS = {
    "better": compare(bare(falling(1)), bare(falling(2, level=0.3)), ("runs/one", "runs/two")),
    "hostile": compare(
        conclusions_of(ALL["hostile"], FINDINGS["hostile"]), conclusions_of(ALL["broken"], (BROKEN,)), ("<b>", "'\"")
    ),
    "empty": compare(conclusions_of(ALL["empty"]), conclusions_of(ALL["gan"])),
}


def opened(browser: Any, tmp_path: Path, comparison: Comparison, **options: Any) -> tuple[Any, list[str]]:
    """The page, and all that it asked for or complained of."""
    file = tmp_path / "comparison.html"
    file.write_text(render(comparison), encoding="utf-8")
    page, told = browser.new_page(**options), []
    page.on(
        "request", lambda request: told.extend([request.url] if not request.url.startswith(("file:", "data:")) else [])
    )
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: told.append(dialog.message))
    page.goto(file.as_uri())
    return page, told


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAIRS)
def test_opens_without_a_request_or_a_complaint(
    browser: Any, tmp_path: Path, name: str, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 900}
    page, told = opened(browser, tmp_path, PAIRS[name], viewport=viewport, color_scheme=scheme)
    assert told == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []
    page.close()


def test_both_curves_are_drawn(browser: Any, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, PAIRS["better"])
    drawn = page.evaluate(
        "[...document.querySelectorAll('figure')].map(f =>"
        " [...f.querySelectorAll('svg[role=img]')][0].querySelectorAll('path.line').length)"
    )
    assert drawn == [2, 2, 2, 2]
    page.close()


def test_names_are_text() -> None:
    text = render(PAIRS["hostile"])
    assert "<script>alert" not in text
    assert "\x1b" not in text
    assert "&lt;b&gt;" in text


def test_the_page_says_what_the_comparison_says() -> None:
    text = render(PAIRS["better"])
    for part in ("B is better: its loss is", "runs/one", "figures compared", "One run a side", "steps 150–299"):
        assert part in text
    assert len(text) < 400_000
