"""Numbers in a sentence, and strings for a terminal: in ASCII where it holds no more, paths as seen from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradreach.facts.wording import figure, local, percent, safe, to_ascii
from gradreach.rules.registry import RULES


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_symbol_of_the_rules_is_spelt_in_ascii(code: str) -> None:
    rule, explain = RULES[code], RULES[code].explain
    parts = (rule.title, explain.cause, explain.thresholds, explain.silence, *explain.mathematics, *explain.remedies)
    text = "\n".join((*parts, *explain.references, *(each.meaning for each in rule.thresholds)))
    assert to_ascii(text).count("?") == text.count("?")


def test_what_is_shown_is_local_and_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"{tmp_path}/train.py\x1b[31m\x07: λ ≤ 1"
    assert safe(text) == "train.py?: λ ≤ 1"
    assert safe(text, ascii_only=True) == "train.py?: lambda <= 1"


def test_no_break_spaces_are_shown() -> None:
    assert safe("1\u00a0% of steps") == "1\u00a0% of steps"
    assert safe("1\u00a0% of steps", ascii_only=True) == "1 % of steps"


def test_only_what_lies_under_the_current_folder_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local(f"{tmp_path.parent}/x.py") == f"{tmp_path.parent}/x.py"
    assert local(str(tmp_path)) == str(tmp_path)
    assert local(f"/other{tmp_path}/x.py") == f"/other{tmp_path}/x.py"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (1e-5, "1e-5"), (1.23e-4, "1.23e-4"), (2.4e7, "2.4e7"), (2.4e17, "2.4e17"), (0.1234, "0.123")],
)
def test_figure(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0.295, 2, "30 %"), (0.295, 3, "29.5 %"), (1.0, 2, "100 %"), (0.0813, 2, "8.1 %"), (0.999, 2, "100 %")],
)
def test_percent(share: float, digits: int, text: str) -> None:
    assert percent(share, digits) == text
