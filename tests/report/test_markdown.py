"""The report as Markdown: what an issue or a chat shows of it."""

import re
from dataclasses import replace

import pytest

from gradreach.record.schema import Remedy
from gradreach.report.markdown import fenced, markdown, prose
from gradreach.report.report import Report
from tests.records.findings import VANISHING
from tests.records.runs import ALL
from tests.report.reports import conclusions_of, every_run, judged


def test_it_holds_verdict_remedy_answers_findings_and_layers() -> None:
    text = judged("asked").to_markdown()
    head, *rest = text.split("\n\n")
    assert head == "### Your gradients vanish before they reach what the data holds in `rnn`."
    assert "`main.py --model RNN_TANH` · 300 steps in 3.2 s, 5 watched closely · cpu · torch 2.13.0" in rest
    assert "**What to do first:**" in text
    assert "```python\n" in text
    assert "**Is my RNN vanishing?** Yes, with harm: " in text
    assert "- **error** GR402 " in text
    assert "| rnn layer 0 (RNN\\_TANH) | 60 | 12 | 0.696 | 1.2 | 182 |" in text


@pytest.mark.parametrize("name", every_run())
def test_every_run_has_one_that_ends_with_a_line(name: str) -> None:
    text = judged(name).to_markdown()
    assert text.startswith("### ")
    assert text.endswith("\n")
    assert text.count("<details>") == text.count("</details>") == bool(judged(name).findings)
    assert not re.search(r"\n{3,}", text)


def test_a_name_marks_nothing_up() -> None:
    text = Report.of(ALL["hostile"]).to_markdown()
    outside = re.sub(r"`[^`]*`", "", text)
    assert not re.search(r"(?<!\\)<(?!/?(?:details|summary)>)", outside)
    assert "\x1b" not in text
    assert prose("a_b *c* | <i> `x_y` `") == r"a\_b \*c\* \| \<i\> \`x\_y\` \`"
    assert prose("`x_y` a_b") == r"`x_y` a\_b"


def test_a_fence_is_longer_than_any_in_the_code() -> None:
    assert fenced("a\n````\nb").startswith("`````python\n")
    told = replace(VANISHING, severity="error", remedies=(Remedy("x", "a = '```'", "b"),))
    assert "````python\na = '```'\n````" in markdown(conclusions_of(ALL["vanishing"], (told,)))
