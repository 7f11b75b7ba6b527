"""GR303 where the script clips by value: what that leaves of the gradient, and who takes it amiss."""

from __future__ import annotations

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record, Step
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.records.speaking import clipped_by_value
from tests.rules.judging import codes, findings, not_judged, the


def creeping(i: int) -> float:
    """A loss that has fallen by a seventh at the end, and falls still."""
    return 2.0 - 0.3 * i / 400 + 0.001 * (i % 2)


def clipping(looks: tuple[Look, ...], loss=flat, count: int = 400, scale: float = 1.0) -> Record:  # type: ignore[no-untyped-def]
    run: tuple[Step, ...] = steps(count, loss=loss, threshold=1e-4, clip="value", scale=scale)
    return record(run, looks)


def test_a_limit_that_leaves_next_to_nothing_and_stops_training_is_a_warning() -> None:
    found = the(clipping(clipped_by_value()), "GR303")
    assert found.severity == "warning"
    assert found.because.startswith(
        "each element of the gradient is clipped at ±1e-4, which cuts 90 % of those that are not 0 and leaves a norm "
        "of 0.001 from 1, in the median of 4 looks: steps are 1000 times shorter than the gradient asks; "
    )
    assert found.because.endswith("and the loss does not fall.")
    assert found.remedies[0].do.startswith("torch.nn.utils.clip_grad_norm_(model.parameters(), 1)")


def test_so_is_one_under_which_the_loss_creeps() -> None:
    found = the(clipping(clipped_by_value(), creeping), "GR303")
    assert found.severity == "warning"
    assert found.because.endswith("and the loss has fallen by no more than 13 % and still falls.")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (clipping(clipped_by_value(), falling), "the loss falls"),
        (clipping(clipped_by_value(ratio=1e-3)), "the weights move as far as is usual"),
        (clipping(clipped_by_value(optimizer="Adam")), "Adam divides the factor out"),
        (clipping(clipped_by_value(optimizer="Lion")), "nothing is known of the optimizer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_information_where(made: Record, why: str) -> None:
    found = the(made, "GR303")
    assert found.severity == "info", why
    assert found.because.endswith("harmless as long as the learning rate suits it.")


def test_one_that_leaves_a_fifth_is_common() -> None:
    assert "GR303" not in codes(clipping(clipped_by_value(0.2)))


def test_one_under_the_loss_scale_moves_with_it() -> None:
    found = the(clipping(clipped_by_value(scale=1024.0), falling, scale=1024.0), "GR303")
    assert (found.severity, found.evidence["loss_scale"]) == ("warning", 1024.0)
    assert found.remedies[0].do.startswith("scaler.unscale_(optimizer)")


def test_nothing_is_said_of_two_looks_or_of_a_script_that_does_not_clip() -> None:
    assert "GR303" in not_judged(record(steps(), at(*chain(2))))
    assert "GR303" in not_judged(clipping(clipped_by_value()[:2]))
    assert not [each for each in findings(clipping(clipped_by_value()[:4])) if each.code == "GR303"]
