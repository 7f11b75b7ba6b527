"""A comparison on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from gradreach.report.compare.comparison import Comparison, compare
from gradreach.report.compare.terminal import print_comparison
from tests.records.findings import BROKEN, CLIPPED, FINDINGS
from tests.records.pairs import bare, falling
from tests.records.runs import ALL
from tests.report.reports import conclusions_of


class Stream(io.StringIO):
    """A stream of this encoding."""

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self.name_of_encoding = encoding

    @property
    def encoding(self) -> str:
        return self.name_of_encoding


def printed(
    comparison: Comparison, encoding: str = "utf-8", width: int = 100, path: str = "", *, verbose: bool = True
) -> str:
    stream = Stream(encoding)
    print_comparison(
        comparison, Console(file=stream, width=width, highlight=False, markup=False, emoji=False), path, verbose=verbose
    )
    return stream.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", [name for name in ALL if name != "large"])
def test_fits_a_hundred_columns(name: str, encoding: str) -> None:
    text = printed(compare(conclusions_of(ALL["hostile"], FINDINGS["hostile"]), conclusions_of(ALL[name])), encoding)
    assert max(map(len, text.splitlines())) <= 100
    assert "\x1b" not in text
    assert text.isascii() or encoding != "ascii"


def test_the_sentence_comes_first_and_the_page_last() -> None:
    made = compare(bare(falling(1)), bare(falling(2, level=0.3)), ("one", "two"))
    lines = printed(made, path="change.html").splitlines()
    assert lines[0] == "A  one: train.py --lr 0.1, 300 steps; learns, and nothing found"
    assert lines[1] == "B  two: train.py --lr 0.1, 300 steps; learns, and nothing found"
    assert lines[3].startswith("B is better: its loss is ")
    assert lines[-1] == "comparison: change.html"


def test_findings_stand_under_what_became_of_them() -> None:
    made = compare(conclusions_of(falling(1), (CLIPPED,)), conclusions_of(falling(2), (BROKEN,)))
    text = printed(made)
    gone, new = text.index("findings gone"), text.index("findings new")
    assert gone < text.index("GR303", gone) < new < text.index("GR301 non-finite gradient", new)
    assert "findings stayed" not in text


def test_the_noise_and_the_seeds_are_said() -> None:
    text = " ".join(printed(compare(bare(falling(1)), bare(falling(2)))).split())
    assert "11 figures compared" in text
    assert "One run a side" in text
    assert "Compared are steps 150 to 299, the later half of those that both have." in text


def test_a_figure_that_changed_is_marked() -> None:
    lines = printed(compare(bare(falling(1)), bare(falling(2, level=0.3)))).splitlines()
    (loss,) = [line for line in lines if line.startswith(" loss ")]
    assert loss.endswith("changed")
    (factor,) = [line for line in lines if line.startswith(" factor, rnn layer 0")]
    assert factor.endswith("noise")


def test_what_did_not_change_is_a_number_unless_all_is_asked_for() -> None:
    made = compare(bare(falling(1)), bare(falling(2, level=0.3)), ("one", "two"))
    changed = [each for each in made.figures if each.changed]
    text = printed(made, verbose=False)
    assert 0 < len(changed) < len(made.figures)
    assert text.count(" changed\n") == len(changed)
    rest = len(made.figures) - len(changed)
    assert f"  {rest} figures did not change beyond noise (--verbose lists all)\n" in text
    assert "Holm" not in text
    assert "seeds One run a side" in text
    assert "Holm" in printed(made)
