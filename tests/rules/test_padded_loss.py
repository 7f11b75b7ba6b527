"""GR708: most rows that a loss is the mean of stand at padding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gradreach.record.look import Look
from tests.records.parts import at, record, steps
from tests.records.speaking import padded
from tests.rules.judging import codes, not_judged, the


def without(looks: tuple[Look, ...]) -> tuple[Look, ...]:
    """The same looks without padding."""
    return tuple(replace(look, losses=tuple(replace(each, padded=None) for each in look.losses)) for look in looks)


def test_what_is_left_on_the_data() -> None:
    found = the(record(steps(400), padded(0.01, 2.2)), "GR708")
    assert (found.severity, found.where["module"]) == ("warning", "model.head")
    assert found.because == (
        "Most rows of the loss are padding: 90 % of the rows of the output of `model.head` stand where the input is "
        "filled up with one value, and their target is always 0. At last the loss is 0.01 on them and 2.2 on the other "
        "rows, where a constant gets 2.2. The mean over both is 0.229, which hides how much is left on the "
        "data."
    )
    assert "ignore_index=0" in found.remedies[0].do
    numbers = the(record(steps(400), padded(0.01, 2.2, label=None)), "GR708")
    assert "their target is always the same" in numbers.because
    assert "[real].mean()" in numbers.remedies[0].do


def test_a_class_that_data_have_too_is_not_ignored() -> None:
    assert "masked_fill" in the(record(steps(400), padded(0.01, 2.2, elsewhere=True)), "GR708").remedies[0].do


@pytest.mark.parametrize(
    ("loss", "others", "share", "severity"),
    [
        (0.01, 1.9, 0.6, "warning"),
        (0.01, 1.2, 0.9, "warning"),
        (0.01, 1.2, 0.6, "info"),
        (0.001, 0.1, 0.95, "info"),
    ],
    ids=["hardly learned", "hidden", "half learned", "learned"],
)
def test_it_warns_of_what_the_mean_hides(loss: float, others: float, share: float, severity: str) -> None:
    found = the(record(steps(400), padded(loss, others, share=share)), "GR708")
    assert found.severity == severity
    assert ("hides" in found.because) == (severity == "warning")


def test_too_short_a_training_or_an_unknown_constant_is_information() -> None:
    assert the(record(steps(100), padded(0.01, 2.2)), "GR708").severity == "info"
    looks = padded(0.01, 2.2)
    no_counts = tuple(
        replace(look, losses=tuple(replace(e, padded=replace(e.padded, counts=())) for e in look.losses if e.padded))
        for look in looks
    )
    found = the(record(steps(400), no_counts), "GR708")
    assert (found.severity, found.evidence["guess_others"]) == ("info", None)
    assert "a constant gets" not in found.because


@pytest.mark.parametrize(
    "looks",
    [
        padded(0.01, 2.2, share=0.4),
        padded(0.0, 2.2),
        without(padded(0.01, 2.2)),
        (*padded(0.01, 2.2)[:3], *without(padded(0.01, 2.2))),
        padded(0.01, 2.2)[:2],
        padded(0.01, float("nan")),
    ],
    ids=["less than half", "masked output", "no padding", "seldom", "two looks", "not finite"],
)
def test_other_losses_are_not_told(looks: Any) -> None:
    assert "GR708" not in codes(record(steps(400), looks))


def test_without_a_known_loss_it_is_not_judged() -> None:
    assert "GR708" in not_judged(record(steps(400), at()))
