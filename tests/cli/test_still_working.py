"""What takes long after the script's end is said, and what does not is not."""

from __future__ import annotations

from threading import Event

import pytest

from gradreach.cli.output import fitting
from gradreach.cli.still_working import still_working


def test_what_takes_long_is_said_once() -> None:
    heard, said = Event(), list[str]()

    def tell(line: str) -> None:
        said.append(line)
        heard.set()

    with still_working("making the report", tell, patience=0.0):
        assert heard.wait(60)
    assert said == ["gradreach: making the report"]


def test_what_does_not_is_not() -> None:
    said = list[str]()
    with still_working("making the report", said.append, patience=3600.0):
        pass
    assert said == []


def test_a_sentence_breaks_between_words_at_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    sentence = "gradreach: a sentence that is longer than a row"
    assert fitting(sentence, at_a_terminal=False) == sentence
    assert fitting(sentence, at_a_terminal=True) == "gradreach: a\nsentence that is\nlonger than a row"
