"""GR314: dropouts that leave next to nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.schema import Record
from gradreach.record.seen.loop import Dropping
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.records.speaking import DROPPING
from tests.rules.judging import codes, not_judged, the


def dropping(*seen: Dropping, loss=flat) -> Record:  # type: ignore[no-untyped-def]
    return record(steps(loss=loss), at(*chain(2), dropping=seen))


def test_what_drops_nearly_all_is_named_with_what_is_usual() -> None:
    found = the(dropping(*DROPPING), "GR314")
    assert found.severity == "warning"
    assert found.because == (
        "`model.1` (Dropout) and 1 more module drop up to 90 % of what passes through, and the loss does not fall. "
        "What is left, 10 % of the signal, is another part of it at each step. p is the share that is dropped, not "
        "the one that is kept."
    )
    assert found.remedies[0].do.splitlines() == [
        "model[1].p = 0.1  # p is the share that is dropped, 0.1 to 0.5 as a rule; now 0.9",
        "model.rnn.dropout = 0.1",
    ]


def test_one_alone() -> None:
    found = the(dropping(DROPPING[1]), "GR314")
    assert found.because.startswith("`model.rnn` (LSTM) drops 80 % of what passes through, and")


def test_it_is_information_where_the_loss_falls() -> None:
    found = the(dropping(*DROPPING, loss=falling), "GR314")
    assert found.severity == "info"
    assert "; the loss falls all the same, or need not. " in found.because


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (dropping(replace(DROPPING[0], p=0.75)), "a quarter is left"),
        (dropping(), "nothing drops much"),
        (
            record(steps(loss=flat), (*at(*chain(2), dropping=DROPPING), *at(*chain(2), start=60, count=1))),
            "it ended at some step",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_silent_where(made: Record, why: str) -> None:
    assert "GR314" not in codes(made), why


def test_two_looks_are_too_few() -> None:
    assert "GR314" in not_judged(record(steps(loss=flat), at(*chain(2), count=2, dropping=DROPPING)))
