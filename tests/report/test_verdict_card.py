"""The verdict as one picture: whole, within its edges, without a variable that a reader must know."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gradreach.report import verdict_card
from gradreach.report.verdict_card import WIDTH, NoBrowser
from tests.browser import CHROMIUM
from tests.records.runs import ALL
from tests.report.reports import every_run, judged

SVG = "{http://www.w3.org/2000/svg}"


def words(drawing: str) -> str:
    return " ".join("".join(each.itertext()) for each in ElementTree.fromstring(drawing).iter(f"{SVG}text"))


@pytest.mark.parametrize("name", every_run())
def test_every_run_has_one(name: str) -> None:
    drawing = judged(name).to_svg()
    assert ElementTree.fromstring(drawing).attrib["width"] == str(WIDTH)
    assert "var(" not in drawing
    assert "url(" not in drawing
    assert len(drawing) < 200_000


def test_it_says_verdict_remedy_and_answers_in_short() -> None:
    drawing = judged("asked").to_svg()
    text = words(drawing)
    finding = judged("asked").findings[0]
    assert "Your gradients vanish before they reach what the data holds in rnn." in text
    assert "What to do first" in text
    assert finding.remedies[0].do.split("\n")[0].split("  #")[0] in text
    assert "Is my RNN vanishing? Yes, with harm" in text
    assert "below" not in text
    assert "main.py --model RNN_TANH · 300 steps, 5 watched closely" in text
    assert 'class="band lost"' in drawing
    assert re.search(r"\.lost\{[^}]*fill: #d55e00", drawing)


def test_long_code_hangs() -> None:
    lines = verdict_card._hanging("    if isinstance(m, nn.Linear): nn.init.xavier_normal_(m.weight)", 44)
    assert lines == ["    if isinstance(m, nn.Linear):", "            nn.init.xavier_normal_(m.weight)"]


def test_a_png_needs_a_browser_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NoBrowser, match="Chromium or Chrome, and neither is on the PATH"):
        judged("healthy").save(tmp_path / "card.png")
    monkeypatch.setattr("shutil.which", lambda _: "/bin/false")
    with pytest.raises(NoBrowser, match="drew no PNG"):
        judged("healthy").save(tmp_path / "card.png")


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
def test_a_browser_draws_the_png(tmp_path: Path) -> None:
    picture = judged("asked").save(tmp_path / "card.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") == 2 * WIDTH


def test_nothing_leaves_the_picture(browser: object, tmp_path: Path) -> None:
    for name in ("asked", "broken", "deep", "hostile", "gan", "empty"):
        file = judged(name).save(tmp_path / f"{name}.svg")
        page = browser.new_page(viewport={"width": WIDTH, "height": 900})  # type: ignore[attr-defined]
        page.goto(file.as_uri())
        outside = page.evaluate(
            "[...document.querySelectorAll('text')].filter(t => { const b = t.getBoundingClientRect();"
            " return b.right > 1200 || b.left < 0; }).map(t => t.textContent)"
        )
        assert outside == [], (name, ALL[name].run.script)
        page.close()
