"""GR614: an output that comes straight from a normalisation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.loss import LossLook, NormedOutput, Spread
from tests.records.parts import at, flat, record, steps
from tests.rules.judging import codes, the

TARGETS = Spread(2.0, 6.0, 4.0, 1.0)
NORMED = LossLook(
    "squared error", (32, 6), (32, 6), (32, 6), "layernorm", "model.3", True, targets=TARGETS, guess=1.0, value=18.0,
    normed=NormedOutput("layer norm", 6, 17.0),
)  # fmt: skip


def test_no_better_than_a_constant_is_possible() -> None:
    found = the(record(steps(), at(losses=(NORMED,), count=6)), "GR614")
    assert (found.severity, found.where["module"]) == ("warning", "model.3")
    assert found.because == (
        "The output of `model.3` comes straight from a layer norm, and the squared error of such an output is at least "
        "17 on these targets, however it is trained. Each row, 6 numbers together, has mean 0 and deviation 1 there, "
        "whatever the input. The loss of this output has come to 18, and a constant guess gets 1."
    )
    assert found.remedies[0].do == "model[3] = nn.Identity()  # no layer norm behind the last layer"


@pytest.mark.parametrize(
    ("value", "least", "severity"), [(1.2, 0.7, "warning"), (0.6, 0.4, "info"), (0.6, 0.2, None), (0.2, 0.15, None)]
)
def test_the_rest_is_judged_by_what_the_loss_came_to(value: float, least: float, severity: str | None) -> None:
    seen = replace(NORMED, value=value, normed=NormedOutput("layer norm", 6, least))
    made = record(steps(400), at(losses=(seen,), count=8))
    assert ("GR614" in codes(made)) is (severity is not None)
    if severity is not None:
        assert the(made, "GR614").severity == severity


def test_a_loss_that_does_not_fall_is_harm() -> None:
    seen = replace(NORMED, value=0.6, normed=NormedOutput("layer norm", 6, 0.4))
    assert the(record(steps(400, loss=flat), at(losses=(seen,), count=8)), "GR614").severity == "warning"


@pytest.mark.parametrize(("least", "says"), [(17.0, True), (1.9, False)])
def test_a_scale_and_a_shift_may_come_to_fit(least: float, says: bool) -> None:
    seen = replace(NORMED, value=least + 0.5, normed=NormedOutput("layer norm", 6, least, is_scaled=True))
    made = record(steps(400), at(losses=(seen,), count=8))
    assert ("GR614" in codes(made)) is says
    if says:
        assert "with the scale and the shift that it has by now" in the(made, "GR614").because


def test_it_is_told_in_place_of_the_constant_guess() -> None:
    made = record(steps(400, loss=flat), at(losses=(NORMED,), count=8))
    assert "GR604" in codes(record(steps(400, loss=flat), at(losses=(replace(NORMED, normed=None),), count=8)))
    assert "GR604" not in codes(made)


def test_silence_without_one_guess_for_all_batches_and_where_looks_differ() -> None:
    apart = [replace(NORMED, targets=replace(TARGETS, mean=10.0 * at_)) for at_ in range(6)]
    assert "GR614" not in codes(
        record(steps(), tuple(at(losses=(seen,), count=1, start=i)[0] for i, seen in enumerate(apart)))
    )
    mixed = (*at(losses=(NORMED,), count=4), *at(losses=(replace(NORMED, normed=None),), count=4, start=50))
    assert "GR614" not in codes(record(steps(), mixed))
    assert "GR614" not in codes(record(steps(), at(losses=(NORMED,), count=1)))
