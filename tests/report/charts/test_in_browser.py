"""The charts in a real browser: drawn, read, zoomed, linked, steered by keys, recoloured, printed, left as drawings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gradreach.record.schema import Record
from tests.records.runs import ALL
from tests.report.reports import made_page, report_of

INK = """(plot) => {
  const canvas = plot.querySelector("canvas");
  const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
  const context = copy.getContext("2d", { willReadFrequently: true });
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  const shades = new Map();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) {
    const shade = `${data[i]},${data[i + 1]},${data[i + 2]}`;
    shades.set(shade, (shades.get(shade) || 0) + 1);
  }
  return [...shades].sort((a, b) => b[1] - a[1]).map(([shade]) => shade);
}"""
"""The opaque colours on a chart's canvas, the commonest first."""

Opened = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens the report of a record, its charts drawn; what the browser complains of or asks for fails the test."""
    pages: list[Any] = []
    trouble: list[str] = []

    def watched(name: str | Record, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Any:
        file = tmp_path / "page.html"
        text = made_page(name) if isinstance(name, str) else report_of(name).to_html()
        file.write_text(text, encoding="utf-8")
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        page.on("console", lambda message: trouble.append(message.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("dialog", lambda dialog: trouble.append(dialog.message))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or trouble.append(request.url))
        page.goto(file.as_uri())
        if scripts:
            page.wait_for_selector("#norm .live canvas")
        pages.append(page)
        return page

    yield watched
    for page in pages:
        page.close()
    assert trouble == []


OVER_STEPS = ("Global gradient norm by step", "Loss by step")
"""The charts that are linked by their steps; one of them may stand under the verdict."""


def stage(page: Any, number: int = 0) -> Any:
    title = page.locator(".chart-title").get_by_text(OVER_STEPS[number], exact=True)
    return page.locator("figure").filter(has=title).locator(".stage")


def until(page: Any, holds: str) -> None:
    """Waits for an expression to hold; Playwright's own waiting evaluates text, which the page's policy refuses."""
    for _ in range(200):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never held: {holds}")


def across(page: Any, number: int, *shares: float) -> None:
    """Moves the pointer over a plot, by shares of its width; where several are given, pressed from first to last."""
    field = stage(page, number).locator(".u-over")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    for turn, share in enumerate(shares):
        page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2, steps=4)
        if turn == 0 and len(shares) > 1:
            page.mouse.down()
    if len(shares) > 1:
        page.mouse.up()


def readout(page: Any, number: int = 0) -> str:
    return " ".join(stage(page, number).locator(".readout").inner_text().split())


def read_steps(page: Any, number: int = 0) -> tuple[int, int]:
    """The first and the last step in view, as the keys find them."""
    stage(page, number).locator(".plot").focus()
    ends = []
    for key in ("Home", "End"):
        page.keyboard.press(key)
        ends.append(int(readout(page, number).split()[1].replace(",", "")))
    return ends[0], ends[1]


@pytest.mark.parametrize("name", ["broken", "gan", "hostile", "asked", "probed"])
def test_every_chart_in_view_is_drawn_in_place_of_its_drawing(opened: Opened, name: str) -> None:
    page = opened(name)
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        until(page, f"document.querySelector('#norm .uplot').getBoundingClientRect().width < {width}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        plots = page.locator(".stage.live .plot")
        assert plots.count() >= 2
        for box in plots.evaluate_all("(all) => all.map((plot) => plot.getBoundingClientRect().toJSON())"):
            assert box["height"] > 150
            assert 0 <= box["left"] < box["right"] <= width
        hidden = page.locator(".stage.live .drawing").evaluate_all(
            "(all) => all.map((drawing) => getComputedStyle(drawing).clipPath)"
        )
        assert set(hidden) == {"inset(50%)"}
    assert all(len(plots.nth(i).evaluate(INK)) > 2 for i in range(min(plots.count(), 5)))


@pytest.mark.slow(8, "draws the large page")
def test_a_chart_in_closed_details_is_drawn_once_they_open(opened: Opened) -> None:
    page = opened("large")
    closed = page.locator("details.layer:not([open]) .stage").first
    assert closed.locator("canvas").count() == 0
    page.locator("details.layer:not([open]):has(.stage) summary").first.click()
    until(page, "document.querySelectorAll('details.layer[open]')[2].querySelector('.live canvas')")


def test_hover_reads_step_norm_and_what_is_marked_there(opened: Opened) -> None:
    page = opened("vanishing")
    across(page, 0, 0.5)
    values = readout(page).split()
    assert values[:1] == ["step"]
    assert abs(int(values[1]) - 150) <= 1
    step = ALL["vanishing"].steps[int(values[1])]
    assert values[2:4] == ["norm", f"{step.norm:.3g}"]
    assert values[4:] == ["clipped"]
    page.mouse.move(5, 5)
    assert "norm" not in readout(page)


def test_cursors_of_linked_charts_go_together(opened: Opened) -> None:
    page = opened("vanishing")
    across(page, 0, 0.25)
    upper, lower = readout(page).split(), readout(page, 1).split()
    assert upper[:2] == lower[:2]
    assert lower[2] == "loss"
    assert float(lower[3]) == pytest.approx(3 - int(lower[1]) / 150, rel=0.01)


def test_a_drag_zooms_both_linked_charts_and_the_button_shows_all_again(opened: Opened) -> None:
    page = opened("vanishing")
    button = stage(page).get_by_role("button", name="Show all")
    assert not button.is_visible()
    across(page, 0, 0.4, 0.6)
    for number in (0, 1):
        first, last = read_steps(page, number)
        assert abs(first - 0.4 * 299) <= 2
        assert abs(last - 0.6 * 299) <= 2
    assert button.is_visible()
    assert stage(page, 1).get_by_role("button", name="Show all").is_visible()
    button.click()
    assert not button.is_visible()
    assert [read_steps(page, number) for number in (0, 1)] == [(0, 299), (0, 299)]


def test_a_double_click_shows_all_again(opened: Opened) -> None:
    page = opened("vanishing")
    across(page, 1, 0.1, 0.2)
    assert read_steps(page)[1] < 100
    stage(page).locator(".u-over").dblclick()
    assert read_steps(page) == (0, 299)


def test_other_charts_keep_their_own_window(opened: Opened) -> None:
    page = opened("vanishing")
    across(page, 0, 0.4, 0.6)
    assert page.locator("#time .live button", has_text="Show all").evaluate_all("(all) => all.every((b) => b.hidden)")


def test_lags_of_one_layer_are_linked_and_those_of_another_are_not(opened: Opened) -> None:
    page = opened("vanishing")
    plots = page.locator("#time .live .plot")
    names = plots.evaluate_all("(all) => all.map((plot) => plot.getAttribute('aria-label').split('.')[0])")
    reach = next(i for i, name in enumerate(names) if name == "Reach curve of rnn layer 0")
    plots.nth(reach).focus()
    page.keyboard.press("Home")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    said = page.locator("#time .live .readout").all_inner_texts()
    moved = {name for name, words in zip(names, said, strict=True) if words.startswith("lag 3")}
    assert moved == {"Reach curve of rnn layer 0", "Truncation bias and lag share of rnn layer 0"}


def test_keys_move_zoom_and_let_go(opened: Opened) -> None:
    page = opened("vanishing")
    plot = stage(page).locator(".plot")
    plot.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert readout(page).startswith("step 1 ")
    page.keyboard.press("Shift+ArrowRight")
    assert readout(page).startswith("step 11 ")
    page.keyboard.press("ArrowLeft")
    assert readout(page).startswith("step 10 ")
    page.keyboard.press("End")
    assert readout(page).startswith("step 299 ")
    page.keyboard.press("+")
    first, last = read_steps(page)
    assert 145 <= first <= 151
    assert last == 299
    page.keyboard.press("-")
    assert read_steps(page)[0] == 0
    page.keyboard.press("+")
    page.keyboard.press("Escape")
    assert "norm" not in readout(page)
    assert read_steps(page) == (0, 299)
    page.keyboard.press("Tab")
    assert not plot.evaluate("(e) => e === document.activeElement")
    assert "escape shows all" in plot.get_attribute("aria-label")
    assert plot.get_attribute("role") == "application"


def test_what_is_marked_is_told_under_the_cursor(opened: Opened) -> None:
    page = opened("broken")
    stage(page).locator(".plot").focus()
    page.keyboard.press("End")
    assert readout(page).startswith("step 126 norm – not finite from step 121 to 126")


def test_lines_over_steps_of_their_own_say_where_their_value_is_from(opened: Opened) -> None:
    page = opened("gan")
    stage(page).locator(".plot").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    said = readout(page)
    assert said.startswith("step 1 norm, dcgan.py:210 ")
    assert "at 0" in said or "at 2" in said
    assert said.count(" at ") == 1


def test_colours_follow_the_scheme_even_when_it_changes(opened: Opened) -> None:
    page = opened("vanishing", scheme="dark")
    dark = stage(page).locator(".plot").evaluate(INK)
    assert "86,180,233" in dark
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(200)
    light = stage(page).locator(".plot").evaluate(INK)
    assert "0,114,178" in light
    assert "86,180,233" not in light


def test_a_chart_follows_the_width_of_the_window(opened: Opened) -> None:
    page = opened("vanishing")
    wide = stage(page, 1).locator(".plot canvas").bounding_box()["width"]
    page.set_viewport_size({"width": 500, "height": 900})
    until(page, "document.querySelector('#norm .uplot').getBoundingClientRect().width < 500")
    assert wide > 900
    assert page.evaluate("document.documentElement.scrollWidth") <= 500


def test_print_shows_the_drawing(opened: Opened) -> None:
    page = opened("vanishing")
    page.emulate_media(media="print")
    assert not stage(page).locator(".plot").is_visible()
    drawing = stage(page).locator(".drawing")
    assert drawing.evaluate("(e) => getComputedStyle(e).clipPath") == "none"
    assert drawing.bounding_box()["height"] > 100


def test_without_scripts_the_drawing_stands(opened: Opened) -> None:
    page = opened("vanishing", scripts=False)
    assert page.locator("canvas").count() == 0
    for svg in (stage(page).locator("svg[role=img]"), stage(page, 1).locator(".wide svg")):
        assert svg.is_visible()
        assert svg.bounding_box()["height"] > 150


def test_a_hostile_name_is_only_text(opened: Opened) -> None:
    name = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028"
    base = ALL["gan"]
    page = opened(replace(base, sites=(name, name + "2")))
    across(page, 0, 0.5)
    assert "<script>alert(1)" in readout(page)
    assert page.locator("img").count() == 0
    assert page.locator("script:not([type])").count() == 1


def test_one_step_alone_is_a_point(opened: Opened) -> None:
    base = ALL["vanishing"]
    page = opened(replace(base, steps=base.steps[:1], looks=()))
    stage(page).locator(".plot").focus()
    page.keyboard.press("ArrowRight")
    assert readout(page).startswith("step 0 norm 3")
    assert "0,114,178" in stage(page).locator(".plot").evaluate(INK)


def test_the_script_formats_figures_as_the_text_does(browser: Any, opened: Opened) -> None:
    from gradreach.facts.wording import figure

    values = [0.0, 1.0, -0.0123456, 999.6, 123456.0, 1234567.0, 0.00099994, 1e-12, 2.5e300, 0.1 + 0.2, 9.995, 45.0]
    base = ALL["vanishing"]
    steps = tuple(replace(base.steps[0], step=i, loss=v, threshold=None) for i, v in enumerate(values))
    page = opened(replace(base, steps=steps, looks=()))
    stage(page, 1).locator(".plot").focus()
    told = json.loads(stage(page, 1).locator("script").text_content())
    for value in told["tables"][0]["lines"][0]["y"]:
        page.keyboard.press("ArrowRight")
        assert readout(page, 1).split()[3] == figure(value)
