"""The page: one file that loads nothing and lets no name of the user's run."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from gradreach.report.charts.module_tree import MOST
from gradreach.report.headline import headline
from gradreach.report.html import inline
from gradreach.report.page import render
from gradreach.report.report import Report
from tests.records.findings import VANISHING
from tests.records.parts import depth_look
from tests.records.runs import ALL
from tests.report.reports import conclusions_of, every_run, judged_page, made_page

LOADS = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href", "formaction"}


class Page(HTMLParser):
    """The tags, ids, attributes and scripts of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.content: dict[str, list[str]] = {"script": [], "style": [], "data": []}
        self._open: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        inert = dict(attrs).get("type") == "application/json"
        self._open = "data" if inert else tag if tag in self.content else None

    def handle_data(self, data: str) -> None:
        if self._open:
            self.content[self._open].append(data)
            self._open = None

    def values(self, name: str) -> list[str]:
        return [value for _, key, value in self.attributes if key == name]


@pytest.fixture(params=every_run(), scope="module")
def page(request: pytest.FixtureRequest) -> tuple[str, Page]:
    text = made_page(request.param)
    return text, Page(text)


def test_no_page_has_a_question_mark_in_a_figure(page: tuple[str, Page]) -> None:
    text, _ = page
    assert not re.search(r"\d\?%|×\?\d", re.sub(r"<script.*?</script>", "", text, flags=re.S))


def test_loads_nothing(page: tuple[str, Page]) -> None:
    _, seen = page
    loaded = [(tag, name, value) for tag, name, value in seen.attributes if name in LOADS and not value.startswith("#")]
    assert loaded == [("link", "href", "data:,")]
    assert "@import" not in seen.content["style"][0]
    assert "url(" not in seen.content["style"][0]


def test_styles_and_script_carry_their_hashes(page: tuple[str, Page]) -> None:
    _, seen = page
    policy = next(value for value in seen.values("content") if value.startswith("default-src"))
    assert policy.startswith("default-src 'none'")
    for kind in ("style", "script"):
        (source,) = seen.content[kind]
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy


def test_no_inline_handler_and_no_inline_style(page: tuple[str, Page]) -> None:
    _, seen = page
    assert [name for _, name, _ in seen.attributes if name.startswith("on") or name == "style"] == []
    assert len(seen.content["script"]) == len(seen.content["style"]) == 1
    for data in seen.content["data"]:
        json.loads(data)


def test_links_lead_somewhere_and_ids_are_unique(page: tuple[str, Page]) -> None:
    _, seen = page
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in seen.values("href") if value.startswith("#")} <= set(ids)


def test_figures_are_well_formed(page: tuple[str, Page]) -> None:
    text, _ = page
    for drawn in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        ElementTree.fromstring(drawn)


def test_hostile_names_are_only_text() -> None:
    text = made_page("hostile")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_first_screen_holds_verdict_and_findings() -> None:
    text = made_page("broken")
    assert text.index("Training broke at step 121") < text.index('id="findings"') < text.index("GR301")
    assert text.index("norm before") < text.index('id="norm"')
    assert 'href="#explain-GR301"' in text


def test_information_of_one_code_shares_an_entry() -> None:
    second = replace(VANISHING, where={**VANISHING.where, "layer": 1})
    text = render(conclusions_of(ALL["vanishing"], (VANISHING, second)))
    assert text.count('<details class="finding info"') == 1
    assert "layer 0:" in text
    assert "layer 1:" in text
    assert text.count("Every singular value of W_hh starts at 1.") == 1
    assert "If you need a longer reach" in text
    assert "What to do</h3>\n      <ol" not in text


def test_norm_figure_marks_broken_steps() -> None:
    text = made_page("broken")
    assert text.count("not finite from step 121 to 126</title>") == 3  # norm, and loss for each width
    assert 'class="broken"' in text


def test_reach_figure_has_bound_and_horizon() -> None:
    text = made_page("vanishing")
    assert "bound (γλ)^ℓ" in text
    assert "horizon 12 of 59 steps" in text


def test_the_lags_that_the_error_depends_on_are_marked_and_told() -> None:
    text = judged_page("asked")
    assert text.count("lags 29–43: 24 % of the error&#39;s variance, q = 0.0014, vanishing</title>") == 2  # each layer
    assert 'class="band lost"' in text
    assert 'class="band learnable"' in text
    assert "Shaded: the lags that the error depends on, 29–43 (vanishing), 2–3 and 19–28 (reached)." in text
    assert "Does the error at the output of <code>rnn</code> still depend on the input 1–59 steps back" in text
    assert "256 sequences with 2,560 errors, from 5 watched steps up to step 242" in text
    assert '<th scope="row">29–43</th><td>36</td>' in text
    assert 'class="band' not in judged_page("free")


def test_a_model_without_a_recurrence_shows_how_far_it_was_probed() -> None:
    text = judged_page("probed")
    assert "Reach curve of model.head" in text
    assert "horizon 15 of 63 steps" in text
    assert "31–46 (vanishing), 1–15 (reached)" in text
    assert 'aria-label="Recurrent layers"' not in text


def test_a_probe_is_shown_without_a_test_too() -> None:
    assert "Reach curve of model.head" in render(Report.of(replace(ALL["probed"], dependency=())).conclusions)


def test_lags_before_the_chunk_lie_past_the_end_of_the_curve() -> None:
    assert "35–52 (cut off)" in judged_page("chunked")


def test_a_run_without_backward_has_no_figures() -> None:
    assert "<figure>" not in made_page("empty")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("in `rnn` layer", "in <code>rnn</code> layer"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
        ("`<i>`", "<code>&lt;i&gt;</code>"),
    ],
)
def test_inline(text: str, html: str) -> None:
    assert inline(text) == html


@pytest.mark.parametrize("name", every_run())
def test_stays_under_a_megabyte(name: str) -> None:
    size = len(judged_page(name).encode())
    assert size <= (3_000_000 if name == "large" else 1_000_000)  # ten layers of a thousand steps, five hundred modules


def test_the_map_and_the_spectrum_stand_with_their_layer() -> None:
    looks = (
        replace(look, time=tuple(replace(seen, local_error=(1e-2,) * seen.T, anchors=seen.T) for seen in look.time))
        for look in ALL["vanishing"].looks
    )
    text = render(Report.of(replace(ALL["vanishing"], looks=tuple(looks))).conclusions)
    assert text.count('aria-label="Reach map of rnn layer 0"') == 1
    assert text.count('aria-label="Adjoint over time of rnn layer 0"') == 1
    assert "Largest exponent −0.36: the state forgets" in text
    empty = {"log10_map": (), "map_rows": (), "map_columns": (), "lyapunov": ()}
    bare = (replace(look, time=tuple(replace(seen, **empty) for seen in look.time)) for look in ALL["vanishing"].looks)
    without = render(Report.of(replace(ALL["vanishing"], looks=tuple(bare))).conclusions)
    assert "Reach map" not in without
    assert "Lyapunov" not in without


def test_what_only_repeats_the_reach_curve_is_not_drawn() -> None:
    text = judged_page("vanishing")
    assert "Reach map of" not in text
    assert "Adjoint over time of" not in text
    assert text.count("Only one step carries an error, so the adjoint over time and the reach map are") == 2


def test_the_formula_stands_with_its_finding() -> None:
    told = replace(VANISHING, formula="r(ℓ) ≤ (γλ)^ℓ = 1.2^<59>")
    text = render(conclusions_of(ALL["vanishing"], (told,)))
    assert '<p class="formula"><code>r(ℓ) ≤ (γλ)^ℓ = 1.2^&lt;59&gt;</code></p>' in text
    assert 'class="formula"' not in render(conclusions_of(ALL["vanishing"], (VANISHING,)))


@pytest.mark.slow(4, "draws a page of twenty thousand modules")
def test_a_tree_of_twenty_thousand_modules_does_not_swell_the_page() -> None:
    depth = tuple(depth_look(f"net.b{i // 20}.l{i}", "Linear", i) for i in range(20_000))
    record = replace(ALL["deep"], looks=(replace(ALL["deep"].looks[0], depth=depth),))
    text = render(conclusions_of(record))
    assert text.count('class="node') <= MOST
    assert len(text.encode()) <= 1_000_000


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("Training broke at step 3: the first NaN.", ("Training broke at step 3.", "The first NaN.")),
        ("Healthy.", ("Healthy.", "")),
        ("No backward pass was seen: train.py ended.", ("No backward pass was seen.", "train.py ended.")),
        ("Gradients vanish in `a: b`: so.", ("Gradients vanish in `a: b`: so.", "")),
    ],
)
def test_a_headline_is_the_first_clause(sentence: str, parts: tuple[str, str]) -> None:
    assert headline(sentence) == parts


def test_no_line_ends_within_a_figure() -> None:
    assert inline("it fell to 1.77e-20 <b>") == 'it fell to <span class="number">1.77e-20</span> &lt;b&gt;'
    assert '<span class="number">5.5e-14</span>' in judged_page("deep")


def test_symbols_say_what_they_mean() -> None:
    text = judged_page("asked")
    for word in ("γ", "mean γ", "λ", "ρ", "q", "horizon, steps", "factor a step", "bound γλ a step", "T, steps"):
        assert re.search(rf'<abbr tabindex="0" title="[^"]{{20,}}\.">{word}</abbr>', text), word


def test_the_loss_shows_where_it_broke_and_says_what_its_axis_is() -> None:
    text = made_page("broken")
    loss = text[text.index("Loss by step") :]
    assert "not finite from step 121 to 126</title>" in loss
    assert loss.index('class="broken"') < loss.index("The loss that backward was called on.")
    steps = tuple(replace(step, loss=10.0 ** (step.step / 20)) for step in ALL["deep"].steps)
    assert "The loss that backward was called on. On a log axis." in render(
        conclusions_of(replace(ALL["deep"], steps=steps))
    )


def test_a_step_of_the_looks_is_named_wherever_their_figures_stand() -> None:
    text = judged_page("vanishing")
    assert "at step 182: horizon 12 of 59 steps." in text
    assert "At step 242; modules in execution order" in text
    assert "32 units, look at step 182" in text
    assert ">at step</abbr></th>" in text
