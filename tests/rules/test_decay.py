"""GR312: weight decay that outweighs the gradient from the start, and takes the weights away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import at, chain, falling, flat, record, steps, zero_gradient
from tests.records.speaking import decaying
from tests.rules.judging import codes, findings, not_judged, the


def only_first_gone() -> tuple[Look, ...]:
    """Looks at two weights, of which one is gone, and at a third and fourth that stay."""
    kept = decaying(left=0.9)
    return tuple(_joined(look, other) for look, other in zip(decaying(), kept, strict=True))


def _joined(look: Look, other: Look) -> Look:
    assert look.stepped is not None
    assert other.stepped is not None
    more = [replace(each, name=f"model.more.{at}.{i}") for at in (4, 5) for i, each in enumerate(other.stepped.decays)]
    return replace(look, stepped=replace(look.stepped, decays=(*look.stepped.decays, *more)))


def test_a_decay_that_draws_the_weights_to_nothing_is_named_with_what_it_should_be() -> None:
    found = the(record(steps(loss=flat), decaying()), "GR312")
    assert found.severity == "error"
    assert found.because.startswith(
        "a weight decay of 0.5 draws the weights of `model` to 0: it pulls at the weights 8 times as hard as the "
        "gradient of the loss, and the loss does not fall."
    )
    assert "2 of 2 weight matrices" in found.because
    assert found.remedies[0].do.startswith("weight_decay=0.0001 ")


def test_one_that_is_taken_from_the_weights_is_held_against_the_rest_of_the_step() -> None:
    found = the(record(steps(loss=flat), decaying(is_decoupled=True)), "GR312")
    assert "it moves the weights 8 times as far as the rest of the step" in found.because
    assert found.remedies[0].do.startswith("weight_decay=0.005 ")


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (record(steps(loss=falling), decaying()), "the loss falls all the same"),
        (record(steps(loss=flat), decaying(left=0.2)), "the weights are at a balance"),
        (record(steps(loss=flat), decaying(pull=0.1)), "the decay came to outweigh the gradient only later"),
        (record(steps(loss=flat), decaying(pull=float("inf"))), "the gradient was 0 from the start"),
        (record(steps(loss=flat), only_first_gone()), "most of the weights are still there"),
        (record(steps(15, loss=flat), decaying()), "too few losses to tell"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_is_silent_where(made, why: str) -> None:  # type: ignore[no-untyped-def]
    assert "GR312" not in codes(made), why


def test_a_warm_up_begins_with_a_rate_of_0() -> None:
    first, *others = decaying(is_decoupled=True)
    assert first.stepped is not None
    still = tuple(replace(each, by_decay=0.0, by_gradient=0.0) for each in first.stepped.decays)
    looks = (replace(first, stepped=replace(first.stepped, decays=still)), *others)
    assert the(record(steps(loss=flat), looks), "GR312").evidence["pull"] == pytest.approx(8.0)


def test_it_is_not_judged_without_a_decay() -> None:
    stepped = OptimizerSteps(1, ("model.0.weight",), (), 0.1)
    assert "GR312" in not_judged(record(steps(loss=flat), at(*chain(2), stepped=stepped)))


def test_what_weights_of_nearly_0_do_is_not_told_beside_it() -> None:
    cut = zero_gradient(why="off", operation="relu")
    looks = [
        replace(look, depth=chain(2, update_ratio=0.3), zero_gradient=(cut,) if look.step >= 80 else ())
        for look in decaying()
    ]
    assert codes(record(steps(loss=flat), looks)) == ["GR312"]
    assert {"GR305", "GR307"} <= set(codes(record(steps(loss=flat), [replace(look, stepped=None) for look in looks])))


def test_what_stands_at_another_line_is_told_all_the_same() -> None:
    other = at(*chain(2, update_ratio=0.3), site=1)
    lines = (*steps(loss=flat), *steps(loss=flat, site=1))
    lines = tuple(replace(step, step=i) for i, step in enumerate(lines))
    found = findings(record(lines, (*decaying(), *(replace(look, step=look.step + 200) for look in other))))
    assert [(each.code, each.where["site"]) for each in found if each.code in ("GR305", "GR312")] == [
        ("GR312", "train.py:20"),
        ("GR305", "train.py:30"),
    ]
