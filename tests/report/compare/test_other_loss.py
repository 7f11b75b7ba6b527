"""A loss on other targets, or another loss, does not make a run better."""

from dataclasses import replace

from gradreach.facts.facts import Facts
from gradreach.record.schema import Record
from gradreach.record.seen.loss import LossKind, LossLook
from gradreach.report.compare.comparison import compare
from gradreach.report.compare.other_loss import other_loss
from tests.records.pairs import bare, falling


def held(record: Record, guess: float | None, kind: LossKind = "squared error", **more: bool) -> Record:
    """The run, with a loss that is this comparison."""
    seen = replace(LossLook(kind, (64, 1), (64, 1), (64, 1), is_whole=True, guess=guess, value=0.5), **more)
    return replace(record, looks=tuple(replace(look, losses=(seen,)) for look in record.looks))


def test_a_lower_loss_on_smaller_targets_is_not_better() -> None:
    a, b = held(falling(1), 2.0), held(falling(2, level=0.1), 0.4)
    judged = compare(bare(a), bare(b)).verdict
    assert judged.level == "incomparable"
    assert judged.sentence.startswith(
        "Not comparable: the losses cannot be held against each other (the targets differ in scale, a "
        "constant guess gets 2 in A and 0.4 in B; the loss came to 25 % and 23 % of that)"
    )
    assert "loss changed" not in judged.sentence


def test_another_kind_of_loss_is_not_better() -> None:
    a, b = held(falling(1), 1.0), held(falling(2, level=0.1), 1.0, "absolute error")
    assert "(A is trained by squared error, B by absolute error)" in compare(bare(a), bare(b)).verdict.sentence


def test_the_same_loss_on_the_same_targets_decides() -> None:
    a, b = held(falling(1), 1.0), held(falling(2, level=0.1), 1.3)
    assert compare(bare(a), bare(b)).verdict.level == "better"
    for guess in (None, 0.0):
        assert other_loss(Facts(a), Facts(held(b, guess))) == ""
    assert other_loss(Facts(a), Facts(held(b, 9.0, is_whole=False))) == ""
