"""Strings for a terminal: nothing that steers it, in ASCII where it holds no more, paths as seen from here."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradreach.facts.wording import local, safe, to_ascii
from gradreach.report.explanation import as_text
from gradreach.rules.registry import RULES


@pytest.mark.parametrize("code", sorted(RULES))
def test_every_symbol_of_the_rules_is_spelt_in_ascii(code: str) -> None:
    text = as_text(RULES[code])
    assert to_ascii(text).count("?") == text.count("?")


def test_what_is_shown_is_local_and_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = f"{tmp_path}/train.py\x1b[31m: λ ≤ 1"
    assert safe(text) == "train.py?[31m: λ ≤ 1"
    assert safe(text, ascii_only=True) == "train.py?[31m: lambda <= 1"


def test_no_break_spaces_are_shown() -> None:
    assert safe("1\u00a0% of steps") == "1\u00a0% of steps"
    assert safe("1\u00a0% of steps", ascii_only=True) == "1 % of steps"


def test_only_what_lies_under_the_current_folder_is_shortened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert local(f"{tmp_path.parent}/x.py") == f"{tmp_path.parent}/x.py"
    assert local(str(tmp_path)) == str(tmp_path)
    assert local(f"/other{tmp_path}/x.py") == f"/other{tmp_path}/x.py"
