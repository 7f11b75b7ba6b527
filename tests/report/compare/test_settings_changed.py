"""In what two runs were started differently."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.report.compare.settings_changed import differences
from tests.records.pairs import falling, with_argv

BASE = falling(0)


def told(a: tuple[str, ...], b: tuple[str, ...]) -> list[tuple[str, str, str]]:
    return [(each.name, each.a, each.b) for each in differences(Facts(with_argv(BASE, *a)), Facts(with_argv(BASE, *b)))]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (("--lr", "0.1"), ("--lr", "0.2"), [("--lr", "0.1", "0.2")]),
        (("--lr=0.1",), ("--lr", "0.1"), []),
        (("--lr", "-1"), ("--lr", "-2"), [("--lr", "-1", "-2")]),
        (("data", "--amp"), ("data",), [("--amp", "given", "")]),
        (("one",), ("two",), [("argument 1", "one", "two")]),
        (("--size", "3", "4"), ("--size", "3", "5"), [("--size", "3 4", "3 5")]),
        (("-x", "1", "-x", "2"), ("-x", "1"), [("-x", "1, 2", "1")]),
        (("--", "--lr"), ("--", "--rate"), [("argument 1", "--lr", "--rate")]),
        ((), (), []),
    ],
)
def test_the_command_line_word_by_word(
    a: tuple[str, ...], b: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    assert told(a, b) == expected


def test_what_else_differs() -> None:
    steps = tuple(replace(step, threshold=0.25, clip="norm") for step in BASE.steps[:200])
    other = replace(BASE, run=replace(BASE.run, script="other.py", device="cuda", torch="2.14"), steps=steps)
    seen = {each.name: (each.a, each.b) for each in differences(Facts(BASE), Facts(other))}
    assert seen == {
        "script": ("train.py", "other.py"),
        "device": ("cpu", "cuda"),
        "torch": ("2.13.0", "2.14"),
        "clip threshold": ("none", "0.25"),
        "steps": ("300", "200"),
        "steps watched closely": ("10 %", "15 %"),
    }


def test_a_run_and_itself() -> None:
    assert differences(Facts(BASE), Facts(BASE)) == ()
