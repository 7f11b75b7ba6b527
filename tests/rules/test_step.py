from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.facts.ordinary_norm import before_growth
from gradreach.record.schema import Overhead, Step
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.records.speaking import SPEAKING
from tests.rules.judging import codes, not_judged, passed, the


def noisy(width: float, seed: int = 0, start: float = 1.0):  # type: ignore[no-untyped-def]
    return lambda i: start * math.exp(width * random.Random(1000 * seed + i).gauss(0, 1))


def with_spike(size: float, place: int = 120, width: float = 0.2):  # type: ignore[no-untyped-def]
    usual = noisy(width)
    return lambda i: size if i == place else usual(i)


def bad_batch(i: int) -> float:
    return 300.0 if i == 120 else falling(i)


def test_a_giant_norm_with_an_ordinary_loss_is_noise() -> None:
    assert "GR302" not in codes(record(steps(200, with_spike(500.0))))


def test_without_losses_the_norm_decides() -> None:
    unknown = tuple(replace(step, loss=None) for step in steps(200, with_spike(500.0)))
    assert "GR302" in codes(record(unknown))


@pytest.mark.parametrize("seed", range(4))
def test_norms_without_a_variance_are_healthy(seed: int) -> None:
    draw = random.Random(seed)
    assert "GR302" not in codes(record(steps(600, lambda _: draw.paretovariate(1.2), flat)))


def test_a_giant_spike_is_found_at_its_step() -> None:
    found = the(record(steps(200, with_spike(500.0), bad_batch)), "GR302")
    assert found.severity == "warning"
    assert found.where["step"] == 120
    assert found.evidence["steps"] == "120"


@pytest.mark.parametrize(("size", "speaks"), [(60.0, False), (160.0, True)])
def test_without_harm_it_takes_a_hundred_times_the_median(size: float, speaks: bool) -> None:
    assert ("GR302" in codes(record(steps(200, with_spike(size), bad_batch)))) == speaks


def test_harm_to_the_loss_makes_a_smaller_spike_count() -> None:
    harmed = lambda i: falling(i) + (3.0 if i > 120 else 0.0)  # noqa: E731
    assert "GR302" in codes(record(steps(200, with_spike(30.0), harmed)))
    assert "GR302" not in codes(record(steps(200, with_spike(30.0))))


@pytest.mark.parametrize("seed", range(5))
def test_heavy_tailed_noise_is_healthy(seed: int) -> None:
    assert "GR302" not in codes(record(steps(600, noisy(1.0, seed))))


def test_rare_mistakes_of_a_converged_model_are_healthy() -> None:
    converged = lambda i: 5 * math.exp(-i / 30) + (0.5 if i in (250, 300) else 0.0) + 1e-6  # noqa: E731
    assert "GR302" not in codes(record(steps(400, converged)))


def test_large_first_norms_are_healthy() -> None:
    assert codes(record(steps(200, lambda i: 1e4 if i < 3 else 1.0))) == []


def test_a_clipped_spike_is_healthy() -> None:
    assert "GR302" not in codes(record(steps(200, with_spike(500.0), bad_batch, threshold=5.0, clip="norm")))
    assert "GR302" in codes(record(steps(200, with_spike(500.0), bad_batch, threshold=1e5, clip="norm")))


def test_places_of_unequal_norm_are_judged_apart() -> None:
    turns = tuple(Step(i, 0.01 * i, i % 2, 1.0, 1.0 if i % 2 else 1000.0) for i in range(300))
    assert codes(record(turns)) == []


def test_sums_over_accumulated_batches_are_no_spikes() -> None:
    assert codes(record(steps(320, lambda i: 1.0 + i % 32))) == []


def test_a_lasting_rise_is_no_spike() -> None:
    assert "GR302" not in codes(record(steps(200, lambda i: 1.0 if i < 100 else 150.0)))


def test_twenty_norms_are_too_few() -> None:
    assert "GR302" in not_judged(record(steps(20)))
    assert "GR302" in passed(record(steps(40)))


def clipping(norm: float, threshold: float, ratio: float, loss=flat):  # type: ignore[no-untyped-def]
    run = steps(200, lambda _: norm, loss, threshold=threshold, clip="norm", pre_clip=norm)
    return record(run, at(*chain(3, update_ratio=ratio)))


def test_a_threshold_that_stops_training_is_a_warning() -> None:
    found = the(clipping(1.0, 1e-3, 1e-6), "GR303")
    assert found.severity == "warning"
    assert found.evidence["clip_rate"] == 1.0
    assert found.evidence["times"] == pytest.approx(1000)


@pytest.mark.parametrize(("ratio", "loss"), [(1e-3, flat), (1e-6, falling)])
def test_normalised_steps_that_move_or_learn_are_information(ratio: float, loss) -> None:  # type: ignore[no-untyped-def]
    assert the(clipping(1.0, 1e-3, ratio, loss), "GR303").severity == "info"


def test_its_title_says_what_it_judges_so_that_passing_it_contradicts_nothing() -> None:
    assert the(clipping(1.0, 1e-3, 1e-6), "GR303").title == "clipping threshold far too low"
    clipped_always = record(steps(200, lambda _: 0.5, threshold=0.25, clip="norm"), at(*chain(3)))
    assert "GR303" in passed(clipped_always)


def test_a_quarter_in_a_language_model_is_silent() -> None:
    run = steps(200, noisy(0.3, start=0.6), threshold=0.25, clip="norm")
    assert "GR303" not in codes(record(run, at(*chain(3))))


@pytest.mark.parametrize(("times", "speaks"), [(9.9, False), (10.1, True)])
def test_the_edge_of_far_below(times: float, speaks: bool) -> None:
    assert ("GR303" in codes(clipping(times, 1.0, 1e-3))) == speaks


def test_no_clipping_is_not_judged() -> None:
    assert "GR303" in not_judged(record(steps()))


def test_a_threshold_of_zero_does_not_divide() -> None:
    assert the(clipping(1.0, 0.0, 1e-9), "GR303").severity == "warning"


def blowing(i: int) -> float:
    return 1.0 if i < 60 else 2.0 ** (i - 60)


def test_divergence_without_clipping() -> None:
    found = the(record(steps(80, blowing, blowing)), "GR304")
    assert found.severity == "error"
    assert found.evidence["times"] == pytest.approx(2.0**19)


def test_a_norm_that_grew_from_the_first_steps_on_has_no_ordinary_one_to_clip_at() -> None:
    """A momentum that diverges from the start: what is usual over the last steps lies far above the first norms."""

    def climbing(i: int) -> float:
        return 1.6 * 2.5 ** max(i - 5, 0)

    run = record(steps(45, climbing, climbing))
    found = the(run, "GR304")
    assert [each.id for each in found.remedies] == ["lower-rate", "scale-input"][: len(found.remedies)]
    assert "from the first steps on" in found.because
    assert found.evidence["usual_norm"] == 1.6
    late = the(record(steps(80, blowing, blowing)), "GR304")
    assert late.remedies[0].id == "clip"
    assert "first steps" not in late.because


def test_where_updates_were_too_large_before_the_norm_grew_the_rate_comes_first() -> None:
    for size, first in ((0.15, "lower-rate"), (1e-2, "clip")):
        looks = at(*chain(2, update_ratio=size), count=8)
        found = the(record(steps(80, blowing, blowing), looks), "GR304")
        assert found.remedies[0].id == first
        assert {"clip", "lower-rate"} <= {each.id for each in found.remedies}
    only_late = (*at(*chain(2, update_ratio=1e-2), count=4), *at(*chain(2, update_ratio=0.5), start=50, count=4))
    assert the(record(steps(80, blowing, blowing), only_late), "GR304").remedies[0].id == "clip"


def usual(norms: Sequence[float], every: int = 1) -> float | None:
    return before_growth([(every * i, norm) for i, norm in enumerate(norms)])


@pytest.mark.parametrize("pace", [1.1, 1.3, 2.0, 10.0])
def test_no_threshold_is_taken_from_norms_that_grew_already(pace: float) -> None:
    assert usual([pace**i for i in range(120)]) is None


def test_the_norm_before_the_growth_is_the_ordinary_one() -> None:
    wandering = [3.0 + (i * 7 % 5) for i in range(60)]
    assert usual([*wandering, *(3.0 * 2.0**i for i in range(60))]) == pytest.approx(5.0, abs=1.0)
    assert usual([40.0, 20.0, 10.0, *[2.0] * 40, *(2.0 * 3.0**i for i in range(20))]) == 2.0
    assert usual([1.0] * 20 + [50.0] * 60 + [1e3 * 4.0**i for i in range(9)]) is None
    assert usual([1.0] * 5 + [1e3, 1e6]) is None
    assert usual([1.0] * 5 + [1e3, 1e6], every=50) == 1.0
    assert usual([]) is None


def test_a_few_steps_to_infinity() -> None:
    run = (
        *steps(3, lambda i: 10.0 ** (5 * i), lambda i: 10.0 ** (5 * i)),
        replace(steps(1)[0], step=3, loss=math.inf, norm=math.nan),
    )
    found = the(record(run), "GR304")
    assert found.evidence["ends_nonfinite"] is True


def test_a_norm_that_was_back_to_ordinary_long_before_the_break_is_not_its_reason() -> None:
    """Of a fast run most norms are those of its first steps: what counts is when, not after how many measured ones."""
    early = steps(60, lambda i: 900.0 if i == 54 else 1.0, falling)
    late = tuple(replace(steps(1)[0], step=step, norm=1.0, loss=1e-3) for step in range(70, 500, 40))
    end = replace(steps(1)[0], step=504, loss=math.nan, norm=math.nan)
    assert "GR304" not in codes(record((*early, *late, end)))
    assert "GR304" in codes(record((*early[:50], *late, replace(late[-1], step=500, norm=900.0), end)))


def test_a_clipped_run_is_not_blamed() -> None:
    assert "GR304" not in codes(record(steps(80, blowing, blowing, threshold=1.0, clip="norm")))


def test_a_norm_that_grows_while_the_loss_falls_is_healthy() -> None:
    assert "GR304" not in codes(record(steps(80, blowing, falling)))


def test_a_loss_that_grows_with_ordinary_norms_does_not_explode() -> None:
    assert "GR304" not in codes(record(steps(80, lambda _: 1.0, blowing)))


def test_an_adversary_that_loses_ground_is_healthy() -> None:
    generator = tuple(Step(2 * i, 0.0, 0, 0.7 + 0.02 * i, 0.1 + 0.02 * i) for i in range(200))
    critic = tuple(Step(2 * i + 1, 0.0, 1, 1.4 * math.exp(-i / 50), 0.5) for i in range(200))
    assert codes(record(sorted((*generator, *critic), key=lambda step: step.step))) == []


def test_nan_out_of_the_blue_is_not_an_explosion() -> None:
    run = (*steps(50), replace(steps(1)[0], step=50, loss=math.nan, norm=math.nan))
    assert codes(record(run)) == ["GR301"]


def test_a_loss_that_spikes_counts_where_its_norm_was_not_measured() -> None:
    every_40th = lambda i: falling(i) * (300.0 if i % 40 == 39 else 1.0)  # noqa: E731
    measured = {*range(10), *range(10, 200, 13)}
    made = steps(200, noisy(0.2), every_40th)
    sparse = tuple(step if step.step in measured else replace(step, norm=None) for step in made)
    found = the(record(sparse), "GR302")
    assert found.evidence["steps"] == "39, 79, 119, 159, 199"
    assert "the loss was" in found.because
    assert "its norm was not measured" in found.because
    clipped = tuple(replace(step, pre_clip=step.norm, threshold=5.0, clip="norm") for step in sparse)
    assert "GR302" not in codes(record(clipped))


@pytest.mark.parametrize("seed", range(5))
def test_losses_of_single_samples_are_healthy(seed: int) -> None:
    draw = random.Random(seed)
    losses = lambda i: math.exp(-i / 80 + draw.gauss(0, 1.5)) + 1e-3  # noqa: E731
    unmeasured = tuple(replace(step, norm=None) for step in steps(600, loss=losses))
    assert "GR302" not in codes(record(unmeasured))


def test_an_explosion_among_the_first_steps_counts_where_the_loss_grew_with_it() -> None:
    early = lambda i: 17032.0 if i == 6 else 500.0 if i < 11 else 3.7  # noqa: E731
    thrown = lambda i: falling(i) * (1e4 if i == 6 else 1.0)  # noqa: E731
    found = the(record(steps(200, early, thrown)), "GR302")
    assert (found.severity, found.where["step"]) == ("info", 6)
    assert "where 3.7 is usual around it" in found.because
    assert "GR302" not in codes(record(steps(200, early, falling)))


def test_a_clip_before_unscale_is_named_and_its_norms_are_not_mixed_with_the_gradients_own() -> None:
    scaled = steps(100, lambda _: 0.464, flat, threshold=1.0, clip="norm", pre_clip=0.464 * 65536, scale=65536.0)
    sparse = tuple(step if step.step % 9 == 0 else replace(step, norm=None) for step in scaled)
    found = the(record(sparse, at(*chain(3, update_ratio=1e-7))), "GR303")
    assert found.severity == "warning"
    assert "before `scaler.unscale_`" in found.because
    assert "30409 in the median where the gradient's own is 0.464" in found.because
    (only,) = found.remedies
    assert only.do.startswith("scaler.unscale_(optimizer)")
    assert "clip_grad_norm_(model.parameters(), 0.46)" in only.do
    facts = Facts(record(sparse))
    assert set(facts.norms) == {0.464}
    assert facts.clipping.scaled
    assert facts.clipping.rate == 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_clip_rate_of_a_sample_is_unbiased_and_has_its_interval(seed: int) -> None:
    draw = random.Random(seed)
    early = lambda i: 2.5 if i < 12 else draw.choices((0.5, 1.5), (0.98, 0.02))[0]  # noqa: E731
    whole = steps(1500, early, threshold=1.0, clip="norm")
    true = sum(step.norm > 1.0 for step in whole) / len(whole)  # type: ignore[operator]
    assert Facts(record(tuple(replace(s, pre_clip=s.norm, norm=None) for s in whole))).clipping.rate == true
    sampled = tuple(s for s in whole if s.step < 30 or s.step % 13 == 0)
    overhead = Overhead(0.02, 0.01, 0.01, 0.1, passes=1500)
    found = Facts(record(sampled, overhead=overhead)).clipping
    assert found.low is not None
    assert found.high is not None
    assert found.low <= true <= found.high
    assert found.rate < 0.06
    assert found.is_sampled


def test_no_rate_is_raised_more_than_tenfold_at_once() -> None:
    for ratio in (1e-7, 1e-9):
        found = the(clipping(1.0, 1e-3, ratio), "GR303")
        assert [each.do.split("  #")[0] for each in found.remedies if each.id == "raise-rate"] == ["lr = lr * 10"]


def test_a_blow_up_of_summed_passes_says_so() -> None:
    found = the(SPEAKING["GR304 of a sum"], "GR304")
    assert "The gradients of up to 4 passes are summed for a step." in found.because
    assert found.remedies[0].id == "average-passes"
    assert "summed" not in the(SPEAKING["GR304"], "GR304").because


def test_too_large_a_step_by_a_sum_of_passes_names_their_mean_first() -> None:
    first = {code: the(SPEAKING[code], "GR305").remedies[0].id for code in ("GR305 of a sum", "GR305 too large")}
    assert first == {"GR305 of a sum": "average-passes", "GR305 too large": "lower-rate"}
    of_a_sum = SPEAKING["GR305 of a sum"]
    looks = (
        replace(look, stepped=look.stepped and replace(look.stepped, optimizers=("Adam",))) for look in of_a_sum.looks
    )
    assert the(replace(of_a_sum, looks=tuple(looks)), "GR305").remedies[0].id == "lower-rate"
