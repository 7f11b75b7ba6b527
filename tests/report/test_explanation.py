"""What `explain` says of each rule: all parts, the keys that move it, how to silence it."""

from __future__ import annotations

import pytest

from gradreach.facts.wording import figure
from gradreach.report.explanation import WIDTH, as_text, sections, title, titled
from gradreach.rules.registry import RULES
from gradreach.rules.rule import Rule

HEADINGS = [
    "What it is",
    "The mathematics",
    "When it speaks",
    "Keys of [tool.gradreach.thresholds] that move it",
    "What to do",
    "How to silence it",
    "References",
]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_has_every_part_in_this_order(rule: Rule) -> None:
    headings = [section.heading for section in sections(rule)]
    assert headings == [heading for heading in HEADINGS if rule.thresholds or not heading.startswith("Keys")]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_text_fits_the_terminal_and_leaves_nothing_unfilled(rule: Rule) -> None:
    text = as_text(rule)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.startswith(f"{rule.code} {rule.title} (")
    assert not [name for name in ("DEFAULT", ":g}", "percent(", "nan") if name in text]


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.judge], ids=lambda rule: rule.code)
def test_how_to_silence_it_names_both_ways(rule: Rule) -> None:
    text = as_text(rule)
    assert f"On the command line: --ignore {rule.code}" in text
    assert f'In pyproject.toml, under [tool.gradreach]: ignore = ["{rule.code}"]' in text


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_keys_are_named_with_default_and_range(rule: Rule) -> None:
    text = " ".join(as_text(rule).split())
    for each in rule.thresholds:
        assert f"{each.key} = {figure(each.default)} ({each.range}): {each.meaning}" in text


def test_titles_of_codes_and_of_what_is_none() -> None:
    assert (title("GR101"), titled("GR101")) == ("vanishing through time", "GR101 vanishing through time")
    assert (title("GR999"), titled("GR999")) == ("GR999", "GR999")
