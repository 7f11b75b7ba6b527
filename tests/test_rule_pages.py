"""The documentation has a page for each rule, which says what `gradreach explain` says, its formulas typeset."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html import escape, unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from gradreach.facts.wording import figure
from gradreach.report.explanation import sections
from gradreach.rules.registry import RULES
from tests.remedies.trial import SCRIPTS, read

DOCS = Path(__file__).parent.parent / "docs"


def typeset(formula: str) -> Iterator[str]:
    """The HTML of the parts of a formula."""
    formulas = pytest.importorskip("docs._ext.formulas", reason="the group docs is not installed")
    return (node.astext() if node.tagname == "raw" else escape(node.astext()) for node in formulas.typeset(formula))


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", html)).split())


def words(text: str) -> str:
    """Its letters and figures: what a fraction or a script leaves of a line."""
    return "".join(re.findall(r"[^\W_]", text.replace("²", "2").replace("ᵀ", "T").replace("Σ", "")))


NAME = """# Names

```{eval-rst}
.. py:function:: clipped(norm)

   Says whether it was.
```
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index, a page of each rule and one of a name: built as all pages are, without the others."""
    pytest.importorskip("myst_nb", reason="the group docs is not installed")
    source = tmp_path_factory.mktemp("docs")
    for page in ("rules.md", "remedies.md"):
        shutil.copy(DOCS / page, source)
    (source / "names.md").write_text(NAME, encoding="utf-8")
    settings = (
        "root_doc=rules",
        "extensions=myst_parser,mathml,rule_links,rule_pages",
        "suppress_warnings=toc.not_included",
    )
    options = [option for setting in settings for option in ("-D", setting)]
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-c", str(DOCS), *options]
    subprocess.run([*command, str(source), str(source / "built")], check=True)
    return source / "built"


@pytest.fixture(scope="module")
def pages(built: Path) -> dict[str, str]:
    """The HTML of each rule by its code."""
    return {path.stem.upper(): path.read_text(encoding="utf-8") for path in built.glob("rules/*.html")}


def test_each_rule_has_its_page_and_the_index_leads_there(built: Path, pages: dict[str, str]) -> None:
    index = (built / "rules.html").read_text(encoding="utf-8")
    assert set(pages) == set(RULES)
    for code, rule in RULES.items():
        assert f"{code}: {rule.title}" in text_of(pages[code])
        assert re.search(rf'href="rules/{code.lower()}.html"><.*>{code} {re.escape(rule.title)}<', index)


def test_each_rule_is_found_by_what_a_person_sees() -> None:
    symptoms = [line for line in (DOCS / "rules.md").read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    assert {code for line in symptoms for code in re.findall(r"GR\d+", line)} == set(RULES)


def test_a_page_says_what_explain_says(pages: dict[str, str]) -> None:
    for code, rule in RULES.items():
        page = text_of(pages[code])
        for section in sections(rule):
            said = () if section.formulas else section.paragraphs
            assert not [text for text in (section.heading, *said) if text.replace("`", "") not in page], code


def test_the_thresholds_of_a_rule_stand_on_its_page(pages: dict[str, str]) -> None:
    for code, rule in RULES.items():
        page = text_of(pages[code])
        for each in rule.thresholds:
            assert f"{each.key} = {figure(each.default)} ({each.range})" in page, code


def test_each_trial_of_a_remedy_stands_on_the_page_of_its_rule(pages: dict[str, str]) -> None:
    for script in map(read, SCRIPTS):
        assert f"Tried on: {script.about}." in text_of(pages[script.code])


def test_a_code_within_a_text_is_a_link_and_no_page_links_to_itself(pages: dict[str, str]) -> None:
    assert 'href="gr402.html"' in pages["GR101"]
    assert '<a class="reference internal" href="#"' not in pages["GR101"]


@pytest.fixture
def address(built: Path) -> Iterator[str]:
    """Where the pages are served."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(built))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.slow(6, "starts a browser and builds the pages of all rules")
def test_a_search_shows_an_excerpt_of_each_page_and_of_each_name(browser: Any, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/search.html?q=clip")
    page.wait_for_selector("text=Search finished")
    names, rules = page.locator("li.kind-object"), page.locator("li.kind-text")
    assert names.locator("p.context").inner_text() == "Says whether it was."
    assert all("clip" in rule.locator("p.context").inner_text().lower() for rule in rules.all())
    assert "GR303: clipping threshold far too low" in rules.locator("a").all_inner_texts()
    set_apart = '<div role="main"><p class="formula">g ← g</p><p>Words.</p></div>'
    assert page.evaluate("html => Search.htmlToText(html)", set_apart) == "Words."
    page.close()


def test_a_typeset_formula_keeps_every_letter_in_its_order() -> None:
    for formula in (formula for rule in RULES.values() for formula in rule.explain.mathematics):
        assert words(text_of("".join(typeset(formula)))) == words(formula)


@pytest.mark.parametrize(
    ("formula", "fraction"),
    [
        ("∂L/∂w(w_j) = 0", "∂L over ∂w"),
        ("1/(2√x) = ∞", "1 over 2√x"),
        ("g ← g · rate / ‖g‖ per step", "g · rate over ‖g‖"),
        ("r = (ln‖g‖ − median) / (2 · sd), over norms", "ln‖g‖ − median over 2 · sd"),
        ("b = ‖dW − Σ_i dW_i‖ / ‖dW‖, so", "‖dW − ∑i dWi‖ over ‖dW‖"),
        ("mean σ′ / max σ′ ≤ 1", "mean σ′ over max σ′"),
        ("‖W‖ / √units · rms(x)", "‖W‖ over √units"),
    ],
)
def test_what_stands_above_and_below_a_stroke(formula: str, fraction: str) -> None:
    set_in_mathml = "".join(typeset(formula)).replace("<msqrt>", "√").replace("<mspace", " <mspace")
    (found,) = re.findall(r"<mfrac><mrow>(.*)</mrow></mfrac>", set_in_mathml)
    assert text_of(found.replace("</mrow><mrow>", " over ")) == fraction


def test_a_bar_that_stays_open_is_refused() -> None:
    with pytest.raises(ValueError, match=r"‖w \+ 1: expected ‖ after ‖, got the end"):
        typeset("‖w + 1")


def test_every_symptom_stands_once_in_the_index() -> None:
    rows = re.findall(r"^\| (.+?) \| ", (DOCS / "rules.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) > 20
    assert len(rows) == len(set(rows))
