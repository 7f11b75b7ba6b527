"""The rules on what a loss holds against what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.seen.loss import CopiedTargets, LossLook, OutputLook
from tests.records.parts import at, falling, flat, record, steps, time_look
from tests.records.speaking import BROADCAST, CUT_OFF, ERROR, SQUASHED, UNBOUNDED, WIDE
from tests.rules.judging import codes, findings, not_judged, the


def of(*losses: LossLook, loss: object = falling, count: int = 4) -> list[str]:
    return codes(record(steps(400, loss=loss), at(losses=losses, count=count)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "seen",
    [
        replace(ERROR, shape=(32, 32), output_shape=(32,), target_shape=(32, 1)),
        replace(ERROR, shape=(8, 32, 32), output_shape=(8, 32, 1), target_shape=(8, 1, 32)),
        replace(ERROR, shape=(32, 32), output_shape=(1, 32), target_shape=None),
    ],
)
def test_a_square_of_two_rows_is_named(seen: LossLook) -> None:
    assert "GR601" in of(seen)


@pytest.mark.parametrize(
    "seen",
    [
        ERROR,
        replace(ERROR, shape=(32, 32), output_shape=(32, 32), target_shape=(32, 32)),
        replace(ERROR, shape=(32, 32), output_shape=(32, 32), target_shape=(32,)),
        replace(ERROR, shape=(32, 5), output_shape=(32, 5), target_shape=(32, 1)),
        replace(BROADCAST, kind="product", target_shape=(32, 32)),
        replace(ERROR, shape=(1, 1), output_shape=(1, 1), target_shape=(1,)),
        replace(ERROR, shape=(), output_shape=(), target_shape=()),
    ],
)
def test_what_belongs_together_or_is_a_square_of_its_own_is_none(seen: LossLook) -> None:
    assert "GR601" not in of(seen)


def test_a_single_look_of_another_shape_takes_it_back() -> None:
    looks = (*at(losses=(BROADCAST,), count=3), *at(losses=(ERROR,), start=50, count=1))
    assert "GR601" not in codes(record(steps(), looks))


def test_the_lowest_loss_of_a_softmax_before_a_softmax() -> None:
    found = the(record(steps(), at(losses=(SQUASHED,))), "GR602")
    assert found.severity == "warning"
    assert found.evidence["least_loss"] == pytest.approx(1.4612, abs=1e-4)
    assert the(record(steps(loss=flat), at(losses=(SQUASHED,))), "GR602").severity == "error"


def test_of_a_sigmoid_before_a_sigmoid_it_depends_on_the_targets() -> None:
    seen = replace(SQUASHED, kind="binary cross entropy on logits", last="sigmoid", targets=replace(WIDE, mean=1.0))
    assert the(record(steps(), at(losses=(seen,))), "GR602").evidence["least_loss"] == pytest.approx(0.3133, abs=1e-4)


def test_logits_and_logarithms_are_what_the_losses_take() -> None:
    below = replace(UNBOUNDED, last="log", outputs=replace(WIDE, high=-1e-7))
    for seen in (replace(SQUASHED, last="matrix product"), replace(SQUASHED, last="log-softmax"), below):
        assert "GR602" not in of(seen)


def test_targets_outside_count_where_they_make_up_a_part_of_the_loss() -> None:
    assert "GR603" in of(CUT_OFF)
    assert "GR603" not in of(replace(CUT_OFF, outside=0.04))
    assert "GR603" not in of(replace(CUT_OFF, floor=1e-4))


def test_a_loss_that_rests_where_a_constant_gets_it() -> None:
    def resting(value: float, guess: float, loss: object = flat, *, whole: bool = True) -> list[str]:
        return of(replace(ERROR, guess=guess, value=value, is_whole=whole), loss=loss, count=8)

    level = flat(0)
    assert "GR604" in resting(level, level)
    assert "GR604" not in resting(level, 1.2 * level)
    assert "GR604" not in resting(level, level, loss=falling), "it still falls"
    assert "GR604" in resting(0.8 * level, 0.8 * level, whole=False), "the rest of the loss is small"
    assert "GR604" not in resting(0.1 * level, 0.1 * level, whole=False), "the loss is mostly something else"


@pytest.mark.parametrize(("apart", "is_told"), [(0.5, True), (50.0, False)])
def test_batches_of_one_episode_each_have_no_constant_in_common(apart: float, is_told: bool) -> None:
    def around(mean: float) -> LossLook:
        return replace(ERROR, guess=flat(0), value=flat(0), targets=replace(WIDE, mean=mean, deviation=1.0))

    looks = tuple(replace(look, losses=(around(apart * (-1) ** i),)) for i, look in enumerate(at(count=8)))
    assert ("GR604" in codes(record(steps(400, loss=flat), looks))) == is_told


@pytest.mark.parametrize(("factor", "is_told"), [(0.5, True), (0.99, False)])
def test_a_guess_where_the_gradient_fades_through_time_says_so(factor: float, is_told: bool) -> None:
    resting = replace(ERROR, guess=flat(0), value=flat(0), is_whole=True)
    found = the(record(steps(400, loss=flat), at(time_look(factor=factor), losses=(resting,), count=8)), "GR604")
    short = "1 % or more of the gradient of `model.rnn layer 0` gets only 6 of 59 steps back (GR101)"
    assert (short in found.because) == is_told


def test_of_classes_the_guess_is_the_entropy_over_all_looks() -> None:
    pure = [replace(SQUASHED, last="matrix product", counts=counts, guess=0.0) for counts in ((32, 0), (0, 32))]
    looks = tuple(replace(look, losses=(pure[i % 2],)) for i, look in enumerate(at(count=8)))
    found = the(record(steps(400, loss=lambda _: 0.6931), looks), "GR604")
    assert found.evidence["constant_guess"] == pytest.approx(0.6931, abs=1e-4)


def test_without_a_known_comparison_nothing_is_judged() -> None:
    unknown = not_judged(record(steps(), at()))
    assert {"GR601", "GR602", "GR603", "GR604"} <= set(unknown)


def test_outputs_that_drew_together() -> None:
    def collapsed(last: float, rms: float = 1.0, loss: object = flat) -> list[str]:
        looks = (
            *at(outputs=(OutputLook("model", 32, 1.0, 0.4),), count=1),
            *at(outputs=(OutputLook("model", 32, rms, last),), start=50, count=8),
        )
        return codes(record(steps(400, loss=loss), looks))  # type: ignore[arg-type]

    assert "GR703" in collapsed(1e-4)
    assert "GR703" in collapsed(1e-4, rms=1e-4), "all at 0"
    assert "GR703" not in collapsed(0.1)
    assert "GR703" not in collapsed(1e-4, loss=falling)


def test_cosines_as_logits_are_named_where_they_hold_the_loss_up() -> None:
    def of_cosines(apart: float, loss: float, classes: int = 40) -> list[str]:
        seen = replace(SQUASHED, last="matrix product", output_shape=(32, classes), counts=(), apart=apart)
        return of(seen, loss=lambda _: loss, count=8)

    assert "GR602" in of_cosines(1.6, 2.75)
    assert "GR602" not in of_cosines(2.5, 2.75), "no cosines"
    assert "GR602" not in of_cosines(1.6, 3.6), "far from what holds it up"
    assert "GR602" not in of_cosines(1.6, 1.0), "lower than cosines go"
    assert "GR602" not in of_cosines(1.6, 0.4, classes=2)


def test_a_training_that_has_only_begun_is_told_as_information() -> None:
    def said(count: int) -> list[str]:
        parts = at(losses=(replace(ERROR, guess=2.0, value=2.0),), count=8, every=5)
        made = record(steps(count, loss=lambda i: flat(i) - 0.0002 * i), parts)
        return [f.severity for f in findings(made) if f.code == "GR604"]

    assert said(150) == ["info"]
    assert said(250) == ["warning"]


def test_targets_that_the_model_is_just_given() -> None:
    copied = CopiedTargets("model.embed", 12, 288)
    found = the(record(steps(), at(copied_targets=copied)), "GR605")
    assert (found.severity, found.where["module"], found.remedies[0].id) == ("warning", "model.embed", "shift-targets")
    of_masked = the(record(steps(), at(copied_targets=replace(copied, picked=True))), "GR605")
    assert of_masked.remedies[0].id == "mask-inputs"
    assert "nothing is masked there" in of_masked.because
    assert "GR605" not in codes(record(steps(), at(copied_targets=copied)[:2]))
    assert "GR605" not in codes(record(steps(), at()))


def test_targets_that_were_shifted_twice() -> None:
    made = record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, ahead=2)))
    assert [remedy.id for remedy in the(made, "GR612").remedies] == ["shift-once"]
    assert "GR605" not in codes(made)
    assert "GR612" not in codes(record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, ahead=1))))


def test_targets_that_a_place_sees_ahead() -> None:
    found = the(record(steps(), at(copied_targets=CopiedTargets("model.embed", 12, 288, ahead=1))), "GR605")
    assert "reads the very symbol that it is to tell" in found.because
    assert [remedy.id for remedy in found.remedies] == ["see-nothing-ahead"]
