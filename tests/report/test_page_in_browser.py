"""The page in a real browser: light and dark, wide and narrow, by keyboard, on paper."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradreach.report.report import Report
from tests.records.findings import FINDINGS
from tests.records.runs import ALL, hostile
from tests.report.reports import every_run, judged, judged_page, made_page

SHAPES = "path.line, .cell path, circle.dot, canvas"
HOSTILE = {
    "long": "layer." * 1700,
    "long_word": "x" * 10_000,
    "quotes": "\"'><img src=x onerror=alert(1)>`${alert(1)}`",
    "newlines": "a\n</code></script><script>alert(1)</script>\r\n\tb",
    "controls": "a\x00\x07\x1b[2J\x9b31m\u2028\u2029b",
    "overrides": "a\u202egnp.exe\u2066\u200b\ufeffb",
    "closings": "]]></title></style></svg></details><!--",
}


@pytest.fixture(scope="module", params=["vanishing", "broken", "gan", "hostile", "empty", "asked", "chunked", "probed"])
def page_file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name = request.param
    file = tmp_path_factory.mktemp("page") / f"{name}.html"
    file.write_text(made_page(name), encoding="utf-8")
    return file


def opened(browser: Any, text: str, folder: Path, width: int = 1280, height: int = 800) -> Any:
    page = browser.new_page(viewport={"width": width, "height": height})
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    page.goto(file.as_uri())
    return page


def bottom(page: Any, selector: str) -> float:
    """Where the last such element ends, in pixels from the top of the window."""
    return float(page.locator(selector).last.evaluate("e => e.getBoundingClientRect().bottom"))


def complaints_of(page: Any) -> list[str]:
    """What the page says wrong from now on, as it comes."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    return complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_opens_without_a_request_or_a_complaint(browser: Any, page_file: Path, width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    requests: list[str] = []
    complaints = complaints_of(page)
    page.on("request", lambda request: requests.append(request.url))
    page.goto(page_file.as_uri())
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    visible = "[...document.querySelectorAll('figure')].filter(f => f.offsetParent)"
    figures = page.evaluate(f"{visible}.map(f => f.querySelectorAll('{SHAPES}').length)")
    assert (len(figures) > 0) == (page_file.stem != "empty")
    assert all(figures)
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


@pytest.mark.parametrize("name", every_run("empty"))
def test_first_screen_holds_verdict_figure_remedy_and_answers(browser: Any, tmp_path: Path, name: str) -> None:
    report = judged(name)
    page = opened(browser, judged_page(name), tmp_path)
    serious = [finding for finding in report.findings if finding.severity != "info"]
    assert page.locator(".lead figure").count() == 1
    assert page.locator(".first pre").count() == bool(serious)
    assert page.locator(".answers > div").count() == len(report.answers) >= 3
    assert bottom(page, "h1") < bottom(page, ".lead figure") <= 800
    assert bottom(page, ".answers > div") <= 800
    if serious:
        assert page.locator(".first code").inner_text() == serious[0].remedies[0].do
        assert bottom(page, ".first pre") <= 800
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(100)
    drawn = page.locator(".lead .plot, .lead .drawing, .lead svg[role=img]").first
    assert bottom(page, "h1") < drawn.evaluate("e => e.getBoundingClientRect().bottom") <= 844
    page.close()


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_no_name_breaks_the_page(browser: Any, tmp_path: Path, name: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    complaints = complaints_of(page)
    page.goto(Report.of(hostile(name)).save(tmp_path / "report.html").as_uri())
    page.wait_for_timeout(50)
    assert complaints == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("img, body > :not(a, header, main, footer, script)").count() == 0
    assert page.locator("main > :not(section)").count() == 0
    shown = page.locator("body").inner_text()
    assert not [char for char in shown if not char.isprintable() and char not in "\n\t\xa0"]
    page.set_viewport_size({"width": 1280, "height": 800})
    assert bottom(page, ".answers > div") <= 800
    page.close()


def test_findings_open_by_keyboard_and_lead_to_their_explanation(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, made_page("broken"), tmp_path)
    finding = page.locator("details.finding").first
    assert finding.get_attribute("open") is not None
    finding.locator("summary").focus()
    page.keyboard.press("Enter")
    assert finding.get_attribute("open") is None
    page.keyboard.press("Enter")
    page.locator('a[href="#explain-GR301"]').focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('explain-GR301').open")
    assert page.locator("#explain-GR301").evaluate("e => e.getBoundingClientRect().top") >= 0
    page.close()


@pytest.mark.parametrize("name", ["vanishing", "broken", "deep", "asked"])
def test_tab_reaches_every_finding_and_every_explanation(browser: Any, tmp_path: Path, name: str) -> None:
    page = opened(browser, judged_page(name), tmp_path)
    wanted = set(
        page.locator("summary, a, nav a").evaluate_all(
            "all => all.filter(e => e.checkVisibility()).map(e => e.outerHTML)"
        )
    )
    seen = set()
    for _ in range(400):
        page.keyboard.press("Tab")
        now = page.evaluate("document.activeElement.outerHTML")
        if now in seen and wanted <= seen:
            break
        seen.add(now)
    assert wanted <= seen
    page.close()


def test_first_tab_skips_to_the_findings(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, made_page("broken"), tmp_path)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('href')") == "#findings"
    page.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_navigation_names_the_sections_that_are_there_and_leads_to_them(
    browser: Any, tmp_path: Path, width: int
) -> None:
    page = opened(browser, judged_page("asked"), tmp_path, width)
    links = page.locator("nav a")
    assert links.all_inner_texts() == ["Findings", "Norm", "Time", "Depth", "Data", "Checks", "Method"]
    for number in range(links.count()):
        link = links.nth(number)
        link.focus()
        page.keyboard.press("Enter")
        section = page.locator(str(link.get_attribute("href")))
        page.wait_for_function("e => Math.abs(e.getBoundingClientRect().top) < 800", arg=section.element_handle())
        assert section.locator("h2").count() >= 1
    assert page.locator(".bar").evaluate("e => e.getBoundingClientRect().top") == 0
    page.close()


def test_a_finding_is_reached_from_the_module_that_it_concerns(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, judged_page("deep"), tmp_path)
    link = page.locator(".tree a").first
    assert link.inner_text() == "GR201"
    target = page.locator(str(link.get_attribute("href")))
    target.locator("summary").click()
    assert target.get_attribute("open") is None
    link.click()
    page.wait_for_function("e => e.open", arg=target.element_handle())
    assert page.locator(".tree .sign.error").count() >= 1
    page.close()


def test_the_remedy_is_copied(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, made_page("broken"), tmp_path)
    page.evaluate("navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve(); }")
    page.locator(".remedies button").first.click()
    assert page.evaluate("window.copied") == FINDINGS["broken"][0].remedies[0].do
    page.close()


def test_on_paper_all_is_open_and_no_button_is_left(browser: Any, tmp_path: Path) -> None:
    page = opened(browser, judged_page("vanishing"), tmp_path)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    assert page.locator("button:visible, nav:visible").count() == 0
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.set_viewport_size({"width": 794, "height": 1123})  # A4
    assert page.evaluate("document.documentElement.scrollWidth") <= 794
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() > 0
    page.close()


def test_a_run_that_goes_on_says_so(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    going = replace(ALL["healthy"], outcome=replace(ALL["healthy"].outcome, how="unknown"))
    for answer, words in (
        (True, "As of step 199, still running"),
        (False, "it was killed"),
        (None, "or is still running"),
    ):
        monkeypatch.setattr("gradreach.report.page.still_running", lambda _record, answer=answer: answer)
        page = opened(browser, Report.of(going).to_html(), tmp_path)
        assert words in page.locator(".facts").inner_text()
        page.close()
