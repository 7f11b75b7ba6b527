"""How long the window of a stream should be: told where it can be, and asked of streams alone."""

from __future__ import annotations

import pytest

from gradreach.record.schema import Lag, Record
from gradreach.record.seen.recurrence import ChunkSeam
from gradreach.report.report import Report
from tests.records.parts import at, dependency, falling, free, lag, record, steps, time_look

CHUNK = 60
QUESTION = "How long should my window be?"


def of_stream(*lags: Lag, factor: float = 0.99, **more: object) -> Record:
    found = dependency(*lags, **{"T": 180, **more})
    return record(steps(loss=falling), at(time_look(factor=factor)), dependency=(found,))


def answer(made: Record) -> str:
    return next((each.answer for each in Report.of(made).answers if each.question == QUESTION), "")


def test_what_lies_past_the_chunk_asks_for_whole_chunks_that_reach_over_it() -> None:
    assert answer(of_stream(free(1, 59), lag(60, 90, at=70))) == (
        "180 steps, yours has 60: the error depends on the input 60–90 steps back (24 % of the error's variance), and "
        "no gradient goes back there."
    )


def test_a_chunk_past_which_nothing_was_found_will_do() -> None:
    assert answer(of_stream(free(1, 59), free(60, 90), free(91, 137, detectable=0.03))) == (
        "60 steps will do: nothing worth learning was found up to 137 steps back, where 3 % of the error's variance "
        "would have been."
    )


def test_what_is_too_slight_to_be_worth_it_asks_for_no_longer_one() -> None:
    told = answer(of_stream(free(1, 59), lag(60, 90, share=1e-4)))
    assert told == "60 steps will do: nothing worth learning was found up to 90 steps back."


def test_a_gradient_that_dies_within_the_chunk_is_told() -> None:
    assert answer(of_stream(free(1, 59), free(60, 90), factor=0.5)).endswith(
        "; the gradient gets 6 of its 59 steps back as it is."
    )


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (of_stream(free(1, 59), free(60, 90, detectable=0.4)), "whether 60 steps are enough: not enough data yet"),
        (of_stream(why_not="the chunks do not go on"), "whether 60 steps are enough: the chunks do not go on"),
        (of_stream(free(1, 20)), "whether 60 steps are enough: too few lags past the chunk could be asked"),
        (
            record(steps(), at(chunk_seam=ChunkSeam("model.rnn", "GRU", 16, 8, 8, 0.07, "carried"))),
            "beyond its chunks of 16 steps the stream was not followed",
        ),
    ],
)
def test_where_it_cannot_be_told_yet_the_answer_says_why(made: Record, why: str) -> None:
    told = answer(made)
    assert told.startswith("It cannot be told yet")
    assert why in told


@pytest.mark.parametrize(
    "made",
    [
        record(steps(), at(time_look(factor=0.9)), dependency=(dependency(free(1, 59), T=CHUNK),)),
        record(steps(), at(chunk_seam=ChunkSeam("model.rnn", "GRU", 16, 8, 1, 0.07, "carried"))),
        record(steps(), at(chunk_seam=ChunkSeam("model.rnn", "GRU", 16, 8, 8, 0.07, "anew"))),
    ],
    ids=["whole sequences", "rows that do not go on", "a state that is not carried"],
)
def test_no_stream_is_not_asked(made: Record) -> None:
    assert answer(made) == ""
