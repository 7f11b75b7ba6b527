"""Cards in a notebook: well-formed, self-contained, readable without any style, and harmless whatever they name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from gradreach.record.schema import Remedy
from gradreach.report.charts import notebook_card as notebook
from gradreach.report.charts.card import Card, Drawing, Row, Table
from gradreach.report.charts.chart import SERIES, Frame, Line, Mark, plot
from gradreach.report.charts.finding_card import card
from tests.records.findings import BROKEN, CLIPPED, VANISHING

HOSTILE = "x<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&`\x1b[31m\x00"
FORMULA = "clip rate = #{‖g‖ > 0.25} / 300 = 100 %"

EVERY_ROW = replace(CLIPPED, formula=FORMULA)
NAMED_BADLY = replace(
    CLIPPED,
    title=HOSTILE,
    where={"module": HOSTILE, "site": HOSTILE},
    evidence={HOSTILE: HOSTILE},
    because=HOSTILE,
    formula=HOSTILE,
    remedies=(Remedy(HOSTILE, HOSTILE, HOSTILE),),
)


def parsed(fragment: str) -> ElementTree.Element:
    return ElementTree.fromstring(fragment)


def text_of(fragment: str) -> str:
    return " ".join("".join(parsed(fragment).itertext()).split())


@pytest.mark.parametrize("finding", [EVERY_ROW, VANISHING, BROKEN, NAMED_BADLY])
def test_a_finding_is_well_formed_and_loads_and_runs_nothing(finding: Any) -> None:
    root = parsed(finding._repr_html_())
    tags = {element.tag for element in root.iter()}
    assert tags <= {"div", "p", "strong", "code", "table", "tbody", "tr", "th", "td", "pre"}
    assert all(set(element.attrib) <= {"style", "scope"} for element in root.iter())
    assert "url(" not in finding._repr_html_()


def test_a_finding_says_where_on_what_by_which_formula_why_and_what_to_do() -> None:
    text = text_of(EVERY_ROW._repr_html_())
    parts = ["warning GR303", "main.py:180", "clip rate 100 %", FORMULA, "The threshold 0.25", "3.0)", "explain GR303"]
    assert [text.index(part) for part in parts] == sorted(text.index(part) for part in parts)


def test_what_a_finding_does_not_have_has_no_row() -> None:
    text = text_of(replace(CLIPPED, evidence={}, because="", remedies=())._repr_html_())
    assert "evidence" not in text
    assert "formula" not in text
    assert "because" not in text


def test_hostile_names_stay_text() -> None:
    fragment = NAMED_BADLY._repr_html_()
    assert "alert(1)" in text_of(fragment)
    assert "<script" not in fragment
    assert "<img" not in fragment
    assert "\x1b" not in fragment
    assert "\x00" not in fragment


def test_names_between_backticks_are_code() -> None:
    assert str(notebook.inline("in `a<b>` and c")) == "in <code>a&lt;b&gt;</code> and c"
    assert str(notebook.inline("a ` alone")) == "a ` alone"


def test_a_figure_needs_no_style_sheet() -> None:
    lines = [Line(f"<{n}>", [(0, 1.0), (1, 0.1 + n)], n, dots=n == 2) for n in range(SERIES)]
    marks = [Mark("limit", y=0.5, word="1 %"), Mark("h", x=1, style="horizon", word="horizon")]
    drawn = notebook.inked(plot(Frame('a "title"', "x", "y", log=True), lines, marks))
    root = parsed(drawn)
    assert not re.search(r'<[^>]* class="', drawn)
    assert all("fill" in element.attrib for element in root.iter() if element.tag in ("path", "circle", "text"))
    colours = {e.attrib["stroke"] for e in root.iter("path") if e.attrib.get("stroke-width") == "1.8"}
    assert len(colours) == SERIES - 1
    assert all(e.attrib["fill"] == "currentColor" for e in root.iter("text"))


def test_a_table_stands_under_its_headings() -> None:
    made = Card("t", rows=(Row("a", "b"),), table=Table(("lag", "r<"), (("1", "0.5"), ("2", "<b>"))))
    root = parsed(notebook.html(made))
    assert [e.text for e in root.iter("th") if e.text != "a"] == ["lag", "r<"]
    assert [[cell.text for cell in row] for row in root.findall("div/table/tbody/tr")] == [["1", "0.5"], ["2", "<b>"]]


def test_a_figure_keeps_its_caption() -> None:
    svg = plot(Frame("t", "x", "y"), [Line("l", [(0, 1.0), (1, 2.0)])])
    assert "what it is" in text_of(notebook.html(Card("t", figures=(Drawing(svg, "what it is"),))))


@pytest.mark.parametrize(("ground", "ink"), [("#ffffff", "#000000"), ("#111111", "#e6e6e6")])
def test_a_card_takes_the_colours_of_its_notebook(browser: Any, ground: str, ink: str) -> None:
    svg = plot(Frame("t", "x", "y"), [Line("l", [(0, 1.0), (1, 2.0)])])
    shown = notebook.html(replace(card(NAMED_BADLY), figures=(Drawing(svg, "c"),), table=Table(("a",), (("1",),))))
    page = browser.new_page(viewport={"width": 390, "height": 800})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.set_content(f'<!doctype html><body style="background:{ground};color:{ink};margin:8px">{shown}')
    look = "e => { const s = getComputedStyle(e); return [e.tagName == 'text' ? s.fill : s.color, s.opacity] }"
    wanted = f"rgb({', '.join(str(int(ink[i : i + 2], 16)) for i in (1, 3, 5))})"
    for kind in ("strong", "th", "td", "pre", "text", "figcaption"):
        colour, opacity = page.locator(kind).first.evaluate(look)
        assert colour == wanted
        assert float(opacity) >= 0.75
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert asked == []
    page.close()
