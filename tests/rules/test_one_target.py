"""Targets that are all one number: GR609."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.loop import OptimizerSteps
from gradreach.record.seen.loss import LossLook, Spread
from tests.records.parts import at, record, steps
from tests.records.speaking import ALL_ONES, ERROR, one_sided, taking_turns
from tests.rules.judging import codes, not_judged, the


def still(value: float) -> LossLook:
    return replace(ERROR, targets=Spread(value, value, value, 0.0))


CLASSES = replace(ERROR, kind="cross entropy", counts=(0, 32, 0))


@pytest.mark.parametrize(("seen", "target"), [(still(0.0), 0.0), (still(-3.5), -3.5), (CLASSES, 1.0)])
def test_one_number_in_all_looks_is_named(seen: LossLook, target: float) -> None:
    found = the(record(steps(), at(losses=(seen,))), "GR609")
    assert (found.severity, found.evidence["target"]) == ("error", target)
    assert [remedy.id for remedy in found.remedies] == ["look-at-targets"]


def changing(*seen: LossLook) -> tuple[Look, ...]:
    return tuple(replace(look, losses=(seen[i % len(seen)],)) for i, look in enumerate(at()))


@pytest.mark.parametrize(
    "looks",
    [
        changing(still(0.0), still(1.0)),
        changing(CLASSES, replace(CLASSES, counts=(32, 0, 0))),
        at(losses=(still(0.0), still(1.0))),
        at(losses=(still(0.0), replace(ERROR))),
        at(losses=(replace(still(0.0), module=""),)),
        at(losses=(replace(CLASSES, counts=(32,)),)),
        at(losses=(replace(still(0.0), shape=(2, 1)),)),
        at(losses=(replace(still(0.0), is_whole=False),), count=50),
        at(losses=(replace(CLASSES, is_whole=False),)),
        at(losses=(still(0.0),), count=2),
    ],
    ids=[
        "changes",
        "classes change",
        "two sides",
        "beside others",
        "a residual",
        "single",
        "few",
        "a condition among others",
        "few beside others",
        "few looks",
    ],
)
def test_all_else_is_quiet(looks: tuple[Look, ...]) -> None:
    assert "GR609" not in codes(record(steps(), looks))


def test_beside_other_terms_many_labels_tell() -> None:
    seen = (replace(CLASSES, is_whole=False), replace(ERROR, module="model.other", is_whole=False))
    assert the(record(steps(400), at(losses=seen, count=40)), "GR609").where["module"] == "model.2"
    places = replace(CLASSES, counts=(0, 32 * 60, 0), is_whole=False)
    few, more = (record(steps(400), at(losses=(places,), count=count)) for count in (6, 8))
    assert "GR609" not in codes(few)
    assert the(more, "GR609").severity == "warning"


def test_a_class_that_the_loss_leaves_out_is_named() -> None:
    halves = replace(ERROR, kind="cross entropy", counts=(0, 16), ignored=0, is_whole=False)
    assert "ignore_index=0" in the(record(steps(), at(losses=(halves,))), "GR609").because


def test_a_rare_target_between_the_looks_shows_in_the_losses() -> None:
    def rare(step: int) -> float:
        return 0.9 if step % 37 == 5 else 0.03

    assert "GR609" not in codes(record(steps(loss=rare), at(losses=(CLASSES,), count=20)))


def test_adversaries_have_one_target_in_turns() -> None:
    taken = tuple(step for i in range(100) for step in (replace(steps(1)[0], step=i, site=i % 2),))
    looks = tuple(replace(look, site=i % 2, losses=(still(1.0),)) for i, look in enumerate(at(count=20, every=5)))
    assert "GR609" not in codes(record(taken, looks))


TWO = (replace(ALL_ONES, terms=2), replace(ALL_ONES, terms=2, term=2))
ZEROS = Spread(0.0, 0.0, 0.0, 0.0)


def test_an_adversary_that_is_asked_for_one_alone() -> None:
    found = the(taking_turns(one_sided(*TWO)), "GR609")
    assert (found.severity, found.where["module"], found.evidence["comparisons"]) == ("error", "critic", 2)
    assert found.because.startswith(
        "All the targets by which `critic` is trained are exactly 1: those of 2 comparisons of some 32 rows each, in "
        "12 looks. Another model learns through this one, and with one target for all rows there is nothing to tell "
        "apart"
    )
    assert found.remedies[0].do.startswith("loss_fake = criterion(fake_score, torch.zeros_like(fake_score))")
    joined = the(taking_turns(one_sided(ALL_ONES)), "GR609")
    assert joined.remedies[0].do.startswith("labels = torch.cat(")


def test_what_no_module_put_out_is_told_of_where_it_is_a_whole_binary_loss() -> None:
    alone = replace(still(1.0), kind="binary cross entropy", module="")
    assert the(record(steps(), at(losses=(alone,))), "GR609").evidence["target"] == 1.0
    for other in (replace(alone, is_whole=False), replace(CLASSES, module=""), replace(still(0.0), module="")):
        assert "GR609" not in codes(record(steps(400), at(losses=(other,), count=40)))


def test_a_loss_that_falls_on_has_no_jumps() -> None:
    falls = record(steps(400, loss=lambda i: 0.98**i), at(losses=(still(1.0),)))
    assert "GR609" in codes(falls)
    rare = record(steps(400, loss=lambda i: 0.98**i * (50 if i == 333 else 1)), at(losses=(still(1.0),)))
    assert "GR609" not in codes(rare)


def test_one_that_gets_no_gradient_from_the_other_line() -> None:
    looks = tuple(
        replace(look, depth=tuple(replace(each, grad_rms=None) for each in look.depth)) if look.site else look
        for look in one_sided(ALL_ONES)
    )
    found = the(taking_turns(looks), "GR609")
    assert "as well, but no gradient comes back to it from there: it puts out that one value" in found.because
    assert "learns through" not in found.because
    assert [remedy.id for remedy in found.remedies] == ["look-at-targets"]


def apart(looks: tuple[Look, ...]) -> tuple[Look, ...]:
    """Looks none of whose passes goes through both models."""
    return tuple(replace(look, depth=look.depth[look.site :][:1]) for look in looks)


@pytest.mark.parametrize(
    "made",
    [
        taking_turns(one_sided(TWO[0], replace(TWO[1], targets=ZEROS))),
        taking_turns(one_sided(TWO[0])),
        taking_turns(one_sided(replace(ALL_ONES, terms=0))),
        taking_turns(one_sided(replace(ALL_ONES, last="subtraction"))),
        taking_turns(one_sided(*TWO, count=14)),
        taking_turns(one_sided(*TWO), loss=lambda _: 0.5),
        taking_turns(tuple(replace(look, stepped=None) for look in one_sided(*TWO))),
        taking_turns(tuple(look for look in one_sided(*TWO) if look.site == 0)),
        taking_turns(apart(one_sided(*TWO))),
        taking_turns(one_sided(*TWO, turn=4)),
    ],
    ids=[
        "two sides",
        "another term",
        "not the whole of its term",
        "a difference of two outputs",
        "few looks",
        "a loss that stays",
        "no steps seen",
        "the other line unseen",
        "nothing learns through it",
        "looks at each other turn alone",
    ],
)
def test_other_adversaries_are_quiet(made: Record) -> None:
    assert "GR609" not in codes(made)


def test_both_targets_at_two_lines_are_two_sides() -> None:
    real, fake = one_sided(ALL_ONES), one_sided(replace(ALL_ONES, targets=ZEROS))
    unstepped = OptimizerSteps(0, (), (), 0.0)
    looks = tuple(
        replace(one, site=0, stepped=unstepped) if one.site == 0 else replace(fake[i - 1], site=1, step=one.step)
        for i, one in enumerate(real)
    )
    assert "GR609" not in codes(taking_turns(looks))


def test_no_comparison_is_not_judged() -> None:
    assert "GR609" in not_judged(record(steps(), at()))


TAGS = replace(ERROR, kind="binary cross entropy on logits", shape=(32, 8), targets=Spread(0.0, 1.0, 0.3, 0.46))
GONE, FEW_LEFT = replace(TAGS, targets=ZEROS), replace(TAGS, targets=Spread(0.0, 1.0, 0.05, 0.2))


def in_turn(*seen: LossLook) -> Record:
    looks = at(count=len(seen))
    return record(steps(400), tuple(replace(look, losses=(one,)) for look, one in zip(looks, seen, strict=True)))


def test_targets_of_one_kind_that_go_away() -> None:
    found = the(in_turn(*[TAGS] * 4, *[GONE] * 5, FEW_LEFT, GONE), "GR609")
    assert (found.severity, found.evidence["since"], found.evidence["share"]) == ("error", 40, 0.3)
    assert found.because.startswith(
        "The targets change while the training runs: from step 40 on all those that the binary cross entropy on logits "
        "of the output of `model.2` is held against are 0, in 6 of 7 looks, where 30 % of them were not before."
    )
    assert [remedy.id for remedy in found.remedies] == ["copy-rows"]


@pytest.mark.parametrize(
    "seen",
    [
        [TAGS] * 10,
        [*[TAGS] * 2, *[GONE] * 8],
        [*[TAGS] * 4, *[GONE] * 4],
        [*[TAGS] * 4, *[GONE, GONE, FEW_LEFT] * 3],
        [*[TAGS] * 4, *[GONE] * 6, TAGS],
        [replace(each, shape=(8, 8)) for each in (*[TAGS] * 4, *[GONE] * 6)],
        [replace(each, kind="squared error") for each in (*[TAGS] * 4, *[GONE] * 6)],
    ],
    ids=["none", "soon", "few looks", "often some", "back again", "few targets", "numbers"],
)
def test_targets_that_come_and_go_are_silent(seen: list[LossLook]) -> None:
    assert "GR609" not in codes(in_turn(*seen))
