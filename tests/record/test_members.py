"""Members are found in their folder, and in other packages by entry point."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from gradreach.record import members
from gradreach.rules.rule import Rule

THEIRS = "gradreach.rules.gr302_gradient_spikes:RULE"


def test_every_member_of_a_folder_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "family_of_two"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "first.py").write_text("from fractions import Fraction\nHALF = Fraction(1, 2)\n")
    (package / "second.py").write_text(
        "from fractions import Fraction\nfrom .first import HALF\nTHIRD = Fraction(1, 3)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    from fractions import Fraction

    assert list(members.in_folder("family_of_two", Fraction)) == [Fraction(1, 2), Fraction(1, 3)]
    for name in ("family_of_two", "family_of_two.first", "family_of_two.second"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("math:pi", r"odd of unknown is left out: expected a Rule, got float at its entry point in gradreach\.rules"),
        ("math:tau.lost", "odd of unknown is left out, for it failed to load: AttributeError"),
        ("no_such_package:RULE", "odd of unknown is left out, for it failed to load: ModuleNotFoundError"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_left_out_and_told_of(
    monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    entries = [EntryPoint("odd", value, "gradreach.rules"), EntryPoint("even", THEIRS, "gradreach.rules")]
    monkeypatch.setattr(members, "entry_points", lambda **_: entries)
    with pytest.warns(UserWarning, match=told):
        assert [rule.code for _, rule in members.from_others("gradreach.rules", Rule)] == ["GR302"]


def test_members_of_other_packages_come_with_the_packages_name(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("pi", "math:pi", "gradreach.rules")
    monkeypatch.setattr(members, "entry_points", lambda **_: [entry])
    assert list(members.from_others("gradreach.rules", float)) == [("unknown", 3.141592653589793)]
