"""GR318 and GR319: updates and gradients that half precision rounds away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.schema import NonFinite, Record
from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import INF, at, chain, falling, flat, record, steps, zero_gradient
from tests.records.speaking import SPEAKING, rounding, underflowing
from tests.rules.judging import codes, findings, not_judged, the


def creeping(i: int) -> float:
    """A loss that has fallen by a seventh at the end, and falls still."""
    return 2.0 - 0.3 * i / 400 + 0.001 * (i % 2)


def test_updates_that_are_rounded_away_are_named_with_what_the_format_keeps() -> None:
    found = the(record(steps(loss=flat), rounding()), "GR318")
    assert found.severity == "error"
    assert found.because == (
        "98 % of the weights hold the very same number after a step of Adam as before, though it asked for another: "
        "they are kept in bfloat16, in which a change under 0.195 % of a weight is rounded away, and a step asks for "
        "one of 1e-4 of their size. Weighed by what each was to bring, 95 % of a step is lost, and the loss does not "
        "fall."
    )
    assert [remedy.id for remedy in found.remedies] == ["float32-weights"]


@pytest.mark.parametrize(
    ("made", "severity"),
    [
        (record(steps(400, loss=creeping), rounding()), "warning"),
        (record(steps(loss=flat), rounding(0.8)), "warning"),
        (record(steps(loss=falling), rounding()), "info"),
        (record(steps(loss=flat), rounding(part=0.2)), "info"),
    ],
    ids=["it still falls slowly", "a fifth arrives", "it falls", "few weights are in half precision"],
)
def test_how_serious_lost_updates_are(made: Record, severity: str) -> None:
    assert the(made, "GR318").severity == severity


@pytest.mark.parametrize(
    ("looks", "why"),
    [
        (rounding(0.5), "as much arrives as is lost"),
        (rounding(asked=1e-7), "the rate is too small in any format"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_lost_updates_are_no_matter_where(looks: tuple[Look, ...], why: str) -> None:
    assert "GR318" not in codes(record(steps(loss=flat), looks)), why


def test_steps_at_a_small_part_of_the_highest_rate_are_not_judged() -> None:
    full, faded = rounding(0.3), tuple(replace(look, step=100 + look.step) for look in rounding(1.0, rate=1e-5))
    assert "GR318" not in codes(record(steps(loss=flat), (*full, *faded)))


def test_nothing_is_said_of_weights_in_float32() -> None:
    assert "GR318" in not_judged(record(steps(loss=flat), at(*chain(2))))
    assert "GR318" in not_judged(record(steps(loss=flat), rounding()[:2]))


def test_gradients_that_underflow_are_named_with_their_place() -> None:
    found = the(record(steps(loss=flat), underflowing()), "GR319")
    assert found.severity == "error"
    assert found.because == (
        "90 % of the gradient's numbers are exactly 0 in float16 without a loss scale, and are not from a loss 4,096 "
        "times as large: what falls under 5.96e-8 on its way back is 0. The gradients of 90 % of the weights are more "
        "wrong than right for it, in `model.0`, `model.1`, and the loss does not fall."
    )
    assert [remedy.id for remedy in found.remedies] == ["scale-loss", "wider-format"]


def test_under_a_loss_scale_a_higher_one_is_advised() -> None:
    found = the(record(steps(loss=flat, scale=4.0), underflowing()), "GR319")
    assert "under a loss scale of 4," in found.because
    assert found.remedies[0].do == "scaler = torch.amp.GradScaler(device, init_scale=65536.0)  # the scale was 4"


def test_weights_in_float16_are_to_be_float32() -> None:
    found = the(record(steps(loss=flat), underflowing(is_pure=True)), "GR319")
    assert [remedy.id for remedy in found.remedies] == ["float32-weights"]


@pytest.mark.parametrize(
    ("made", "severity"),
    [
        (record(steps(400, loss=creeping), underflowing()), "warning"),
        (record(steps(loss=flat), underflowing(300)), "warning"),
        (record(steps(loss=falling), underflowing()), "info"),
    ],
    ids=["it still falls slowly", "of some weights alone", "it falls"],
)
def test_how_serious_an_underflow_is(made: Record, severity: str) -> None:
    assert the(made, "GR319").severity == severity


def test_few_weights_are_no_matter() -> None:
    assert "GR319" not in codes(record(steps(loss=flat), underflowing(50)))
    assert "GR319" in not_judged(record(steps(loss=flat), underflowing()[:2]))


def test_a_gradient_of_0_for_that_reason_is_told_once_and_with_the_same_remedy() -> None:
    looks = underflowing(zero_gradient=(zero_gradient(why="underflow", operation="addmm"),))
    assert "GR307" not in codes(record(steps(loss=flat), looks))
    told = {each.code: each for each in findings(record(steps(loss=falling), looks))}
    assert told["GR319"].severity == "info"
    assert [remedy.id for remedy in told["GR307"].remedies] == ["scale-loss"]


def overflowing(made: Record) -> Record:
    """The same run, whose loss scaler left out the first 41 steps."""
    return replace(
        made, steps=tuple(replace(each, norm=INF, scale=1e9) if each.step <= 40 else each for each in made.steps)
    )


def test_steps_that_a_loss_scaler_leaves_out_are_none_that_the_script_forgot() -> None:
    thrown, moves = OptimizerSteps(0, (), (), 0.0, is_discarded=True), OptimizerSteps(1, ("model.0.weight",), (), 0.1)
    looks = (*at(*chain(2), count=4, stepped=thrown), *at(*chain(2), start=40, count=8, stepped=moves))
    forgot = record(steps(120, loss=flat), looks)
    assert "GR507" in codes(forgot)
    assert "GR507" not in codes(overflowing(forgot))
    still = SPEAKING["GR309"]
    assert all(look.step <= 40 for look in still.looks)
    assert "GR309" in codes(still)
    assert "GR309" not in codes(overflowing(still))


@pytest.mark.parametrize(("now", "begin"), [(4.0, 65536.0), (131072.0, 8388608.0)])
def test_the_scale_that_is_advised_against_an_underflow_is_a_higher_one(now: float, begin: float) -> None:
    (advised, _) = the(record(steps(loss=flat, scale=now), underflowing()), "GR319").remedies
    assert f"init_scale={begin}" in advised.do


def test_a_scale_that_is_far_too_high_is_to_begin_with_the_usual_one() -> None:
    overflow = NonFinite(128, 0, "backward", "inf", cause="loss scale", argument="a loss scale of 1e+12, and so on")
    made = record(steps(200, loss=flat, scale=1e12), nonfinite=(overflow,))
    found = the(made, "GR301")
    assert "gradients overflow under a loss scale of 1e+12" in found.because
    assert found.remedies[0].do.startswith("scaler = torch.amp.GradScaler(device, init_scale=65536.0)")
