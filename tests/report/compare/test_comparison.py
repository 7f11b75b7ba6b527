"""What two runs come to: figures, part, curves, and the sentence."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import NonFinite, Overhead, Record
from gradreach.report.compare.comparison import Comparison, compare
from gradreach.report.compare.measure import Measure, common_part
from gradreach.report.conclusions import Conclusions
from tests.records.findings import BROKEN, CLIPPED, VANISHING
from tests.records.pairs import bare, falling
from tests.records.runs import ALL
from tests.report.reports import conclusions_of

A, SEED, LOWER = falling(1), falling(2), falling(3, level=0.3)


def of(a: Record, b: Record) -> Comparison:
    return compare(bare(a), bare(b))


def figure(comparison: Comparison, key: str, place: str = "") -> Measure:
    return next(each for each in comparison.figures if each.key == key and each.place.startswith(place))


def clipped(record: Record, threshold: float) -> Record:
    return replace(record, steps=tuple(replace(s, threshold=threshold, clip="norm") for s in record.steps))


def broken(record: Record, at: int) -> Record:
    steps = [replace(s, loss=math.nan, norm=math.nan) if s.step >= at else s for s in record.steps]
    return replace(record, steps=tuple(steps), nonfinite=(NonFinite(at, 0, "forward", "nan"),))


def test_another_seed_is_no_difference() -> None:
    judged = of(A, SEED).verdict
    assert judged.level == "same"
    assert judged.sentence.startswith("No difference that the noise would not make: the loss differs by ")


def test_a_lower_loss_is_better_and_a_higher_one_worse() -> None:
    better, worse = of(A, LOWER), of(LOWER, A)
    assert (better.verdict.level, worse.verdict.level) == ("better", "worse")
    loss = figure(better, "loss")
    assert loss.changed
    assert loss.change is not None
    assert loss.change.low < -0.2 < loss.change.high < 0
    assert loss.a is not None
    assert loss.b is not None
    assert loss.change.value == pytest.approx(loss.b - loss.a)
    assert better.verdict.sentence.startswith("B is better: its loss is ")
    assert " lower (" in better.verdict.sentence
    assert " higher (" in worse.verdict.sentence


def test_the_other_way_round_is_the_other_way_round() -> None:
    there, back = of(A, LOWER), of(LOWER, A)
    for one, other in zip(there.figures, back.figures, strict=True):
        assert (one.key, one.a, one.b) == (other.key, other.b, other.a)
        assert one.changed == other.changed
        if one.change is not None and other.change is not None:
            turned = 1 / other.change.value if other.ratio else -other.change.value
            assert one.change.value == pytest.approx(turned)


def test_a_run_and_itself_are_the_same() -> None:
    comparison = of(A, A)
    assert comparison.verdict.level == "same"
    assert "the same loss and norm at every one of the 300 steps" in comparison.verdict.sentence
    assert all(each.equal and not each.changed for each in comparison.figures)


def test_no_change_is_claimed_where_the_interval_holds_none() -> None:
    for a, b in ((A, SEED), (A, LOWER), (ALL["vanishing"], ALL["asked"]), (ALL["healthy"], ALL["guarded"])):
        for each in of(a, b).figures:
            if each.changed:
                assert each.change is not None
                none = 1.0 if each.ratio else 0.0
                assert not each.change.low <= none <= each.change.high


def test_p_is_corrected_for_the_number_of_figures() -> None:
    comparison = of(A, SEED)
    changes = [each.change for each in comparison.figures if each.change is not None]
    assert comparison.tested == len(changes) > 5
    least = min(change.p for change in changes)
    assert min(each.p for each in comparison.figures if each.p is not None) == pytest.approx(
        min(least * len(changes), 1.0)
    )


def test_the_shorter_run_sets_the_part_and_it_is_said() -> None:
    part = common_part(Facts(A), Facts(replace(SEED, steps=SEED.steps[:200])))
    assert (part.first, part.last, part.why) == (100, 199, "B has 200 steps")
    assert common_part(Facts(A), Facts(SEED)).why == ""


def test_a_break_ends_the_part_and_is_worse() -> None:
    comparison = of(A, broken(SEED, 240))
    assert (comparison.part.last, comparison.part.why) == (239, "B is not finite from step 240 on")
    assert comparison.verdict.level == "worse"
    assert "it is not finite from step 240 on, where A stays finite" in comparison.verdict.sentence
    healed = of(broken(SEED, 240), A)
    assert healed.verdict.level == "better"
    assert (figure(healed, "nonfinite_steps").a, figure(healed, "nonfinite_steps").b) == (60.0, 0.0)


def test_better_and_worse_at_once_is_both() -> None:
    comparison = of(A, broken(LOWER, 240))
    assert comparison.verdict.level == "mixed"
    assert "lower (" in comparison.verdict.sentence
    assert "; but it is not finite" in comparison.verdict.sentence


def test_errors_that_come_and_go_decide_where_the_loss_does_not() -> None:
    with_error = compare(bare(A), conclusions_of(SEED, (replace(VANISHING, severity="error"),)))
    assert with_error.verdict == replace(with_error.verdict, level="worse")
    assert with_error.verdict.sentence == "B is worse: error GR101 is new."
    gone = compare(conclusions_of(SEED, (replace(VANISHING, severity="error"),)), bare(A))
    assert gone.verdict.sentence == "B is better: error GR101 is gone."
    eased = compare(conclusions_of(A, (replace(VANISHING, severity="error"),)), conclusions_of(SEED, (VANISHING,)))
    assert eased.verdict.sentence == "B is better: GR101 is no longer an error."
    blind = compare(
        conclusions_of(A, (replace(BROKEN, code="GR402"),)), conclusions_of(SEED, not_judged={"GR402": "nothing asked"})
    )
    assert blind.verdict.level == "same"


def test_a_warning_that_comes_is_a_change_without_a_direction() -> None:
    judged = compare(bare(A), conclusions_of(SEED, (CLIPPED,))).verdict
    assert judged.level == "changed"
    assert judged.sentence.endswith("; but warning GR303 is new.")


def test_different_things_are_not_compared() -> None:
    assert of(ALL["empty"], A).verdict.sentence == "Not comparable: A recorded no backward pass."
    assert of(ALL["empty"], ALL["empty"]).verdict.sentence == "Not comparable: A and B recorded no backward pass."
    other = of(A, ALL["gan"]).verdict
    assert other.level == "incomparable"
    assert "different models by different scripts, train.py and dcgan.py" in other.sentence


def test_another_script_for_the_same_model_is_compared() -> None:
    renamed = replace(LOWER, run=replace(LOWER.run, script="v2.py"), sites=("v2.py:31",))
    assert of(A, renamed).verdict.level == "better"
    looks = tuple(replace(look, depth=tuple(replace(d, parameters=7) for d in look.depth)) for look in renamed.looks)
    assert of(A, replace(renamed, looks=looks)).verdict.level == "incomparable"


def test_several_losses_decide_nothing() -> None:
    gan = ALL["gan"]
    lower = replace(gan, steps=tuple(replace(s, loss=0.1 * (s.loss or 0.0)) for s in gan.steps))
    comparison = of(gan, lower)
    losses = [each for each in comparison.figures if each.key == "loss"]
    assert [each.place for each in losses] == ["dcgan.py:210", "dcgan.py:225"]
    assert all(each.changed for each in losses)
    assert comparison.verdict.level == "changed"
    assert "no loss decides (several lines call backward)" in comparison.verdict.sentence


def test_too_short_runs_are_told_so() -> None:
    a, b = replace(A, steps=A.steps[:60], looks=()), replace(SEED, steps=SEED.steps[:60], looks=())
    comparison = of(a, b)
    assert comparison.tested == 0
    assert figure(comparison, "loss").lacking == "fewer than 50 steps to compare"
    assert comparison.verdict.level == "incomparable"


def test_too_few_measured_steps_are_told_so() -> None:
    sparse = replace(SEED, steps=tuple(step for step in SEED.steps if step.step % 40 == 0))
    assert figure(of(A, sparse), "loss").lacking == "B measured too few of these steps"


def test_steps_measured_too_seldom_for_batches_are_compared_one_by_one() -> None:
    def seldom(made: Record) -> Record:
        return replace(made, steps=tuple(step for step in made.steps if step.step % 14 == 0))

    same, other = (
        figure(of(seldom(A), seldom(SEED)), "loss"),
        figure(of(seldom(A), seldom(falling(5, level=1.5))), "loss"),
    )
    assert same.change is not None
    assert not same.changed
    assert other.changed
    assert other.change is not None
    assert other.change.low < 1.0 < other.change.high
    rate = figure(of(seldom(clipped(A, 1e-6)), seldom(clipped(SEED, 1e6))), "clip_rate")
    assert (rate.a, rate.b, rate.changed) == (1.0, 0.0, True)


def test_clip_rate() -> None:
    low, high = clipped(A, 0.8), clipped(SEED, 3.0)
    rate = figure(of(low, high), "clip_rate")
    assert rate.changed
    assert rate.a is not None
    assert rate.b is not None
    assert rate.a > 0.5 > 0.1 > rate.b
    assert figure(of(low, SEED), "clip_rate").lacking == "B clips nothing by norm"
    assert not any(each.key == "clip_rate" for each in of(A, SEED).figures)


def test_norm_and_time_change_by_a_factor() -> None:
    slower = replace(SEED, steps=tuple(replace(s, norm=(s.norm or 0) * 3, seconds=2 * s.seconds) for s in SEED.steps))
    comparison = of(A, slower)
    norm, pace = figure(comparison, "norm"), figure(comparison, "seconds_a_step")
    assert norm.change is not None
    assert norm.change.low < 3 < norm.change.high
    assert pace.change is not None
    assert pace.change.value == pytest.approx(2.0, rel=0.05)
    assert norm.changed
    assert pace.changed


def test_horizon_and_depth_come_from_the_looks() -> None:
    looks = tuple(
        replace(
            look,
            time=tuple(replace(seen, horizon=seen.horizon + 20) for seen in look.time),
            depth=tuple(replace(seen, grad_rms=5 * (seen.grad_rms or 0)) for seen in look.depth),
        )
        for look in SEED.looks
    )
    comparison = of(A, replace(SEED, looks=looks))
    horizon, rms = figure(comparison, "horizon"), figure(comparison, "grad_rms", "decoder")
    assert horizon.place == "rnn layer 0"
    assert horizon.changed
    assert horizon.over == "mean of 15 and 15 looks, steps 150–299"
    assert horizon.change is not None
    assert horizon.change.value == pytest.approx(20, abs=1)
    assert rms.changed
    assert rms.change is not None
    assert rms.change.low < 5 < rms.change.high
    assert not figure(comparison, "factor").changed


def test_few_looks_are_taken_from_the_start_and_fewer_have_no_interval() -> None:
    several = replace(SEED, looks=SEED.looks[:8])
    assert figure(of(A, several), "horizon").over == "mean of 30 and 8 looks, steps 0–299"
    few = figure(of(A, replace(SEED, looks=SEED.looks[:3])), "horizon")
    assert few.change is None
    assert few.lacking == "fewer than 6 looks at B"
    assert few.a is not None


def test_overhead_has_no_interval() -> None:
    a, b = (replace(record, overhead=Overhead(0.02, share, share, 0.1)) for record, share in ((A, 0.01), (SEED, 0.03)))
    spent = figure(of(a, b), "overhead")
    assert (spent.a, spent.b, spent.change) == (0.01, 0.03, None)


def test_curves_lie_over_one_another() -> None:
    curves = {curve.title: curve for curve in of(A, SEED).curves}
    assert list(curves) == [
        "Loss by step",
        "Gradient norm by step",
        "Reach of rnn layer 0",
        "Gradient along the depth",
    ]
    assert curves["Reach of rnn layer 0"].marks == (A.looks[-1].time[0].horizon, SEED.looks[-1].time[0].horizon)
    assert curves["Gradient along the depth"].names == ("encoder", "rnn", "decoder")
    assert len(curves["Loss by step"].a) == 300


def test_long_curves_keep_their_spikes() -> None:
    curve = of(ALL["long"], ALL["long"]).curves[1]
    assert len(curve.a) <= 4000
    assert max(y for _, y in curve.a if y is not None and math.isfinite(y)) == 5e4


@cache
def judged(name: str) -> Conclusions:
    return Conclusions.of(Facts(ALL[name]))


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("long", "large")])
@pytest.mark.parametrize("other", ["vanishing", "broken", "gan", "hostile", "empty"])
def test_every_pair_of_shapes_has_a_sentence(name: str, other: str) -> None:
    for a, b in ((judged(name), judged(other)), (judged(other), judged(name))):
        comparison = compare(a, b)
        assert comparison.verdict.sentence.endswith(".")
        assert all(each.lacking or each.change is not None for each in comparison.figures)
