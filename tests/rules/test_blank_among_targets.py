"""GR613: the blank among the targets of a CTC loss; and GR602 of one that is given no log-probabilities."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.schema import Step
from gradreach.record.seen.loss import Alignment
from tests.records.parts import at, falling, flat, record, steps
from tests.rules.judging import codes, not_judged, the

LETTER = Alignment(0, (12, 40, 44, 0), at_end=3, last="log-softmax")
RIGHT = Alignment(3, (12, 40, 44, 0), at_end=0, last="log-softmax")


def below() -> tuple[Step, ...]:
    return steps(loss=lambda i: falling(i) - 0.5)


def test_a_letter_in_the_place_of_the_blank() -> None:
    found = the(record(below(), at(alignments=(LETTER,), count=6)), "GR613")
    assert (found.severity, found.evidence["free_class"]) == ("error", 3)
    assert found.because.startswith(
        "The blank of the CTC loss stands among its targets: it is class 0, and 12 % of the targets are that class, in "
        "6 looks. The loss puts blanks between the targets by itself and takes for granted that none of these is one. "
        "Of the 4 classes, class 3 is the one that no target ever is: it may be meant as the blank. It is at -0."
    )
    assert found.remedies[0].do == "criterion = nn.CTCLoss(blank=3)  # the class that no target ever is"


@pytest.mark.parametrize(
    ("counts", "says", "do"),
    [
        ((12, 40, 44, 8), "Each of the 4 classes is a target", "criterion = nn.CTCLoss(blank=4)  # and 5 outputs"),
        ((12, 90, 0, 0), "cannot be told from silence", "criterion = nn.CTCLoss(blank=2)  # the class that is meant"),
        ((2, 4, 4, 0), "cannot be told from silence", "criterion = nn.CTCLoss(blank=4)  # and 5 outputs"),
    ],
    ids=["none free", "two free", "too few seen"],
)
def test_without_one_class_that_is_free(counts: tuple[int, ...], says: str, do: str) -> None:
    found = the(record(steps(), at(alignments=(replace(LETTER, counts=counts, at_end=0),), count=4)), "GR613")
    assert found.severity == "warning"
    assert says in found.because
    assert found.remedies[0].do.startswith(do)


def test_padding_that_is_counted_and_blanks_in_between() -> None:
    padding = the(record(below(), at(alignments=(replace(LETTER, at_end=12),))), "GR613")
    assert padding.severity == "warning"
    assert "at the ends of their rows" in padding.because
    between = the(record(below(), at(alignments=(replace(LETTER, between=12),))), "GR613")
    assert between.severity == "warning"
    assert "stands between any two others" in between.because
    assert padding.remedies[0].do.startswith("target_lengths = (targets != 0).sum(1)")
    assert padding.remedies == between.remedies


def test_it_is_an_error_where_the_loss_does_not_fall() -> None:
    assert the(record(steps(400, loss=flat), at(alignments=(LETTER,))), "GR613").severity == "error"


@pytest.mark.parametrize(
    "looks",
    [at(alignments=(RIGHT,)), at(alignments=(LETTER,), count=2)],
    ids=["none is the blank", "two looks"],
)
def test_where_it_is_silent(looks: tuple[object, ...]) -> None:
    assert not {"GR613", "GR602"} & set(codes(record(below(), looks)))  # type: ignore[arg-type]


def test_it_is_not_judged_without_a_ctc_loss() -> None:
    assert "GR613" in not_judged(record(steps(), at()))


def test_a_ctc_loss_of_logits_and_of_probabilities() -> None:
    logits = the(record(below(), at(alignments=(replace(RIGHT, off=0.3, last="matrix product"),))), "GR602")
    assert logits.severity == "warning"
    assert "it is given what a matrix product puts out, as it is" in logits.because
    assert logits.remedies[0].do.startswith("log_probs = logits.log_softmax(-1)")
    shares = the(record(steps(loss=flat), at(alignments=(replace(RIGHT, off=2.3, are_shares=True),))), "GR602")
    assert shares.severity == "error"
    assert "it is given probabilities themselves" in shares.because


@pytest.mark.parametrize(
    "odd",
    [replace(RIGHT, off=0.3, last="subtraction"), replace(RIGHT, off=0.01, last="matrix product")],
    ids=["a penalty of the blank", "close enough"],
)
def test_what_may_be_log_probabilities(odd: Alignment) -> None:
    assert "GR602" not in codes(record(below(), at(alignments=(odd,))))
