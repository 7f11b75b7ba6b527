"""How figures, places and units read."""

import math

import pytest

from gradreach.facts import wording
from gradreach.record.schema import Finding
from gradreach.report.finding_text import evidence, of_finding, place


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "NaN"),
        (math.inf, "inf"),
        (0.0, "0"),
        (1.0, "1"),
        (100.0, "100"),
        (0.25, "0.25"),
        (0.70834, "0.708"),
        (1234.5, "1234"),
        (2.5e-7, "2.5e-7"),
        (3e9, "3e9"),
        (-0.5, "-0.5"),
    ],
)
def test_figure(value: float | None, text: str) -> None:
    assert wording.figure(value) == text


@pytest.mark.parametrize(
    ("share", "text"), [(None, "–"), (0.0, "0 %"), (1.0, "100 %"), (0.013, "1.3 %"), (0.994, "99 %"), (1e-5, "0.001 %")]
)
def test_percent(share: float | None, text: str) -> None:
    assert wording.percent(share) == text


def test_evidence_carries_its_unit() -> None:
    assert evidence("GR101", "horizon", 12) == "12 steps"
    assert evidence("GR101", "factor", 0.68) == "0.68 per step"
    assert evidence("GR303", "clip_rate", 0.5) == "50 %"
    assert evidence("GR101", "exact", True) == "yes"
    assert evidence("GR301", "value", "nan") == "nan"
    assert evidence("GR301", "norm", None) == "–"


def test_place() -> None:
    assert place({"module": "rnn", "layer": 1, "direction": "reverse", "step": 7}) == "`rnn` layer 1, reverse, step 7"
    assert place({"module": "seq.lstm1", "kind": "LSTMCell", "layer": 0, "direction": "forward"}) == (
        "`seq.lstm1`, LSTMCell"
    )
    assert place({"module": "rnn", "kind": "GRU", "layer": 0}) == "`rnn` layer 0, GRU"
    assert place({"site": "train.py:3"}) == "train.py:3"
    assert place({"module": "", "step": 3}) == "step 3"
    assert of_finding(Finding("GR301", "error", "t", {}, {}, "b")) == "the whole run"


def test_shortened_keeps_both_ends() -> None:
    text = "encoder." + "block." * 50 + "weight"
    short = wording.shortened(text, 30)
    assert short == "encoder.….block.block.weight"
    assert len(short) <= 30
    assert short.startswith("encoder")
    assert short.endswith("weight")
    assert wording.shortened("rnn", 30) == "rnn"


def test_ascii_spells_the_symbols() -> None:
    assert wording.to_ascii("‖W‖ ≤ γλ × 2 … ✓ 語") == "||W|| <= gamma*lambda x 2 ... + ?"


def test_printable_disarms_escape_codes() -> None:
    assert wording.printable("a\x1b[2Jb\nc\x07") == "a?[2Jb\nc?"
    assert wording.printable("a \x1b[1;31mred\x1b[0m word") == "a red word"


@pytest.mark.parametrize(
    ("text", "most", "short"),
    [
        ("all of it", 20, "all of it"),
        ("12 positions in 3 sequences are too few", 22, "12 positions in 3 …"),
        ("it broke in `a.b c`, which is code", 17, "it broke in …"),
        ("unbreakableword again", 5, "unbreakableword …"),
    ],
)
def test_a_sentence_is_cut_between_words_and_never_in_code(text: str, most: int, short: str) -> None:
    assert wording.cut(text, most) == short
