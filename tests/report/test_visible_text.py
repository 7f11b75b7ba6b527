"""Each page read as a person reads it: whole sentences, no damaged sign, nothing that says nothing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gradreach.report.compare.comparison import compare
from gradreach.report.compare.page import render
from tests.records.pairs import bare, falling
from tests.records.runs import ALL
from tests.report.reports import every_run, judged_page
from tests.report.test_page_in_browser import opened

SENTENCES = (
    "main p:not(.chart-title, .readout, .formula, .remedies p, .more), figcaption, h1, #method dd:not(:has(> code))"
)
"""What is written in whole sentences."""

LEAVES = "body *:not(script, style, code, code *):not(:has(*))"
"""Every element with nothing but text in it, save code."""

DAMAGED = re.compile(r"\d ?\?(?!$)|\?[%×]|×\?|\ufffd|Ã|â€|&[a-z]+;|[=:,(] ?None\b|\s[,;:.](?:\s|$)|\(\)|\.\.(?!\.)|;\.")

END = re.compile(r"(?:[.!?]\)?|--ignore GR\d+|ignore = .*)$")
"""How a sentence ends: with its stop, or with what is to be typed."""


def texts(page: Any, selector: str) -> list[str]:
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    shown = page.locator(selector).evaluate_all("all => all.map(each => each.innerText ?? each.textContent)")
    return [" ".join(text.split()) for text in shown if text.strip()]


@pytest.mark.parametrize("name", every_run("hostile"))
def test_no_text_of_a_page_is_damaged(browser: Any, tmp_path: Path, name: str) -> None:
    page = opened(browser, judged_page(name), tmp_path)
    for text in texts(page, LEAVES):
        assert not DAMAGED.search(text), text
    page.close()


@pytest.mark.parametrize("name", every_run("hostile"))
def test_no_sentence_of_a_page_is_cut(browser: Any, tmp_path: Path, name: str) -> None:
    page = opened(browser, judged_page(name), tmp_path)
    for text in texts(page, SENTENCES):
        assert END.search(text), text
        assert "`" not in text, text
    for text in texts(page, "main p:not(.readout), figcaption, h1, dd, li, .title"):
        assert "…" not in text, text
        assert "..." not in text, text
        assert text.count("(") == text.count(")"), text
    page.close()


def test_a_comparison_reads_as_well(browser: Any, tmp_path: Path) -> None:
    made = compare(bare(falling(1)), bare(falling(2, level=0.3)), ("runs/one", "runs/two"))
    page = opened(browser, render(made), tmp_path)
    for text in texts(page, LEAVES):
        assert not DAMAGED.search(text), text
    for text in texts(page, "h1, figcaption, #method dd"):
        assert END.search(text), text
        assert "…" not in text, text
    page.close()


@pytest.mark.parametrize("text", ["1?%", "×?0.425", "100 ?% lower", "horizon: None", "a .", "from ()"])
def test_damage_is_seen(text: str) -> None:
    assert DAMAGED.search(text)


def test_a_cut_is_seen(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, judged_page("scarce").replace("at least 16 sequences", "at …re"), tmp_path)
    assert any("…" in text for text in texts(page, SENTENCES))
    assert ALL["scarce"].dependency
    page.close()
