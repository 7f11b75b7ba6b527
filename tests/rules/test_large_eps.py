"""GR313: an eps that outweighs the roots of the second moments from the start."""

from __future__ import annotations

import pytest

from gradreach.record.schema import Record
from gradreach.report.finding_text import evidence
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.records.speaking import with_eps
from tests.rules.judging import codes, not_judged, the


def creeping(i: int) -> float:
    """A loss that has fallen by a seventh at the end, and falls still."""
    return 2.0 - 0.3 * i / 400 + 0.001 * (i % 2)


def test_an_eps_that_shortens_every_step_is_named_with_what_it_should_be() -> None:
    found = the(record(steps(loss=flat), with_eps()), "GR313")
    assert found.severity == "warning"
    assert found.because == (
        "the eps of Adam, 1, outweighs the gradient: it is added to the root of the second moment, which is 0.02 in "
        "the median and smaller than eps for 90 % of the weights, so that steps are 51 times shorter than the "
        "learning rate of 0.001 asks. An update changes the weights by 1e-4 of their size in the median, and the loss "
        "does not fall."
    )
    assert [remedy.do for remedy in found.remedies] == [
        "eps=1e-8  # for the optimizer, in place of 1; the learning rate stays"
    ]


def test_a_loss_that_still_falls_slowly_is_harm_too() -> None:
    found = the(record(steps(400, loss=creeping), with_eps()), "GR313")
    assert found.severity == "warning"
    assert found.because.endswith("the loss has fallen by no more than 13 % and still falls.")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (record(steps(loss=falling), with_eps()), "the loss falls"),
        (record(steps(loss=flat), with_eps(ratio=2e-3)), "the rate was chosen for it, and the weights move"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_information_where(made: Record, why: str) -> None:
    found = the(made, "GR313")
    assert found.severity == "info", why
    assert found.because.endswith("; harmless where the learning rate was chosen for it.")


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        (with_eps(1e-3), "a twentieth of the root shortens nothing"),
        (with_eps(0.1), "a sixth of the step is left"),
        (with_eps(1e-6, root=1e-9), "the gradient is what is too small"),
        (with_eps(1e-3, root=1e-2, later=1e-6), "the gradient has become small since"),
        (with_eps(1e-3, root=1e-6, later=1.0), "it outweighed at first alone"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_silent_where(looks, why: str) -> None:  # type: ignore[no-untyped-def]
    assert "GR313" not in codes(record(steps(loss=flat), looks)), why


def test_beside_a_warning_updates_that_are_too_small_are_no_fault_of_their_own() -> None:
    looks = with_eps(ratio=1e-8)
    assert codes(record(steps(loss=flat), looks)) == ["GR313"]


def test_nothing_is_known_of_an_optimizer_without_an_eps() -> None:
    assert "GR313" in not_judged(record(steps(loss=flat), at(*chain(2))))
    assert "GR313" in not_judged(record(steps(loss=flat), with_eps()[:2]))


def test_a_learning_rate_is_no_share() -> None:
    assert [evidence(code, key, 0.01) for code, key in (("GR313", "rate"), ("GR316", "highest_rate"))] == ["0.01"] * 2
    assert evidence("GR303", "clip_rate", 0.01) == "1 %"
