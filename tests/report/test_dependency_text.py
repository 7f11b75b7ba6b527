"""What the data was asked, in sentences."""

from dataclasses import replace

import pytest

from gradreach.facts.dependency import DependencyTest
from gradreach.facts.facts import Facts
from gradreach.record.schema import Record
from gradreach.report.dependency_text import answers, line, question
from tests.records.parts import dependency, free, lag
from tests.records.runs import ALL


def of(record: Record) -> DependencyTest:
    (found,) = Facts(record).dependency_tests
    return found


def test_the_question_says_what_it_rests_on() -> None:
    assert question(of(ALL["asked"])) == (
        "Does the error at the output of `rnn` still depend on the input 1–59 steps back, given the nearer inputs and "
        "the model's own state? Asked of 256 sequences with 2,560 errors, from 5 watched steps up to step 242."
    )
    assert "Asked of 256 blocks of 25 steps" in question(of(ALL["chunked"]))
    assert "still depend on the input further back" in question(of(ALL["scarce"]))


def test_the_worst_is_answered_first_and_every_lag_once() -> None:
    told = answers(of(ALL["asked"]))
    assert [sentence.split(" steps back")[0].rpartition(" the input ")[2] for sentence in told] == [
        "29–43", "2–3 and 19–28", "4–6", "1 and 7–18", "44–59",
    ]  # fmt: skip
    assert told[0] == (
        "The error still depends on the input 29–43 steps back (share 24 % of its variance, q = 0.0014); the gradient "
        "that comes from there is 0.00438 of the near one: it vanishes."
    )
    assert "(most at 2–3: share 8 %" in told[1]
    assert told[1].endswith("it arrives.")


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("chunked", "that lies before the chunk of 35 steps, and no gradient comes from there."),
        ("probed", "; no gradient comes from there."),
        ("free", "a share of 1.8 % would have been found 95 times in 100."),
        ("scarce", "at least 16 sequences are needed."),
    ],
)
def test_each_kind_of_answer(name: str, end: str) -> None:
    assert answers(of(ALL[name]))[0].endswith(end)


def test_without_a_reach_none_is_told() -> None:
    made = replace(ALL["asked"], looks=(), dependency=(dependency(lag(40, share=0.2), module=""),))
    assert answers(of(made))[0].endswith("; how much of the gradient comes from there is not known.")
    assert line(of(made)).startswith("the model, 256 sequences up to step 90: The error still")


def test_no_more_can_be_missed_than_all() -> None:
    made = replace(ALL["asked"], dependency=(dependency(free(40, detectable=7.0)),))
    assert answers(of(made))[0].endswith("a share of 100 % could have been missed.")
