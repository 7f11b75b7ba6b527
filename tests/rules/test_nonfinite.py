from __future__ import annotations

import math
from dataclasses import replace
from typing import get_args

import pytest

from gradreach.facts.breaks import fault, spot
from gradreach.facts.facts import Facts
from gradreach.record.nonfinite import Cause
from gradreach.record.schema import GuardDeed, GuardSummary, NonFinite, Record
from gradreach.report.questions import answers
from gradreach.report.verdict import verdict
from gradreach.rules.registry import RULES
from tests.records.parts import at, chain, record, steps, time_look
from tests.rules.judging import codes, not_judged, passed, the

NAN, INF = float("nan"), float("inf")


def test_the_first_one_is_named_with_its_place() -> None:
    first = NonFinite(41, 0, "forward", "nan", "model.log", "LogBackward0", replayed=True, detail="The input is −0.2.")
    later = NonFinite(42, 0, "parameters", "nan", "model.body")
    made = record((*steps(41), replace(steps(1, loss=lambda _: NAN)[0], step=41)), nonfinite=(later, first))
    found = the(made, "GR301")
    assert found.severity == "error"
    assert (found.where["step"], found.where["module"]) == (41, "model.log")
    assert found.evidence["phase"] == "forward"
    assert found.evidence["operation"] == "LogBackward0"
    assert found.evidence["nonfinite_steps"] == 2
    assert "the first NaN" in found.because
    assert "forward pass in `model.log`" in found.because
    assert found.because.endswith("−0.2.")


def test_time_step_layer_and_direction_are_told() -> None:
    found = NonFinite(
        0, 0, "forward", "inf", "model.rnn", "RNN", time_step=190, layer=0, direction="forward", cause="overflow"
    )
    told = the(record(steps(1), nonfinite=(found,)), "GR301")
    assert (told.where["time_step"], told.where["layer"], told.where["direction"]) == (190, 0, "forward")
    assert "the value itself was not seen" in told.because


def test_the_matrix_that_overflowed_is_named_and_a_cell_has_no_layer() -> None:
    found = NonFinite(
        20,
        0,
        "forward",
        "inf",
        "model.rnn",
        "matrix product",
        time_step=190,
        layer=1,
        direction="reverse",
        cause="overflow",
    )
    layer = the(record(steps(21), at(time_look(layer=1, direction="reverse")), nonfinite=(found,)), "GR301")
    assert layer.remedies[0].do == "nn.init.orthogonal_(model.rnn.weight_hh_l1_reverse)"
    cell = the(record(steps(21), at(time_look(kind="RNNCell")), nonfinite=(replace(found, layer=0),)), "GR301")
    assert cell.remedies[0].do == "nn.init.orthogonal_(model.rnn.weight_hh)"
    assert "layer" not in cell.where


@pytest.mark.parametrize("phase", ["input", "parameters", "forward", "loss", "backward"])
def test_every_phase_has_a_sentence_and_a_remedy(phase: str) -> None:
    found = NonFinite(3, 0, phase, "inf", replayed=True)  # type: ignore[arg-type]
    told = the(record(steps(3), nonfinite=(found,)), "GR301")
    assert "infinity" in told.because
    assert told.remedies
    assert ("skip-step" in [remedy.id for remedy in told.remedies]) == (phase != "parameters")


def test_a_non_finite_step_without_replay_is_found_too() -> None:
    made = record(steps(50, norm=lambda i: INF if i >= 30 else 1.0))
    found = the(made, "GR301")
    assert found.where["step"] == 30
    assert "norm is not finite" in found.because


def test_overflows_of_a_loss_scaler_are_healthy() -> None:
    run = steps(50, norm=lambda i: INF if i < 3 else 1.0, scale=65536.0)
    handled = tuple(NonFinite(i, 0, "backward", "inf", scaled_away=True) for i in range(3))
    made = record(run, nonfinite=handled)
    assert codes(made) == []
    assert "GR301" in passed(made)


def test_a_nan_loss_under_a_scaler_is_not_its_overflow() -> None:
    assert "GR301" in codes(record(steps(50, loss=lambda i: NAN if i == 20 else 1.0, scale=65536.0)))


def test_no_steps() -> None:
    assert "GR301" in not_judged(record())


def test_spoiled_weights_tell_since_when_nothing_was_measured() -> None:
    found = NonFinite(75, 0, "parameters", "nan", "net.q", detail="net.q.weight was not finite before the step began.")
    told = the(record(steps(71), nonfinite=(found,)), "GR301")
    assert told.evidence["last_sound_step"] == 70
    assert "between 70," in told.because
    assert " net.q.weight" in told.because


def test_what_a_guard_kept_out_is_a_warning_and_breaks_nothing() -> None:
    found = NonFinite(30, 0, "input", "nan", replayed=True)
    run = steps(60, loss=lambda i: NAN if i == 30 else 1.0)
    kept_out = GuardSummary(1, 59, deeds=(GuardDeed(30, "skipped", "the loss is nan"),))
    told = the(record(run, nonfinite=(found,), guarded=kept_out), "GR301")
    assert told.severity == "warning"
    assert told.because.endswith("The guard took no update from it, and the training went on.")
    assert Facts(record(run, nonfinite=(found,), guarded=kept_out)).first_break is None


def test_what_broke_in_spite_of_the_guard_is_an_error_of_its_own_step() -> None:
    found = NonFinite(30, 0, "input", "nan", replayed=True)
    run = steps(60, loss=lambda i: NAN if i == 30 or i >= 40 else 1.0)
    kept_out = GuardSummary(1, 59, deeds=(GuardDeed(30, "skipped", "the loss is nan"),))
    told = the(record(run, nonfinite=(found,), guarded=kept_out), "GR301")
    assert (told.severity, told.where["step"]) == ("error", 40)


def test_a_loss_that_could_not_be_run_again_is_where_it_shows_and_no_more() -> None:
    found = NonFinite(20, 0, "loss", "nan", operation="log")
    told = the(record(steps(20), nonfinite=(found,)), "GR301")
    assert "it shows first in the loss (log)" in told.because
    assert "whether the model's output was finite is not known" in told.because
    assert told.remedies[0].id == "look-more-often"


CAUSES = [cause for cause in get_args(Cause) if cause]


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_is_told_with_its_argument_its_line_and_a_remedy_of_its_own(cause: Cause) -> None:
    found = NonFinite(
        30, 0, "backward", "nan", "net", "acos", cause=cause, argument="acos of 1", index=(3, 0), shape=(8, 2),
        source="train.py:12", code="angle = torch.acos(c)", replayed=True,
    )  # fmt: skip
    made = record(steps(30), nonfinite=(found,))
    told = the(made, "GR301")
    assert fault(found) in told.because
    assert "train.py:12 (`angle = torch.acos(c)`)" in told.because
    assert told.where["site"] == "train.py:12"
    assert headline(made).startswith(f"Training broke at step 30: {fault(found)}")
    assert "train.py:12" in headline(made)
    assert told.remedies[0].id not in ("skip-step", "look-more-often", "name-operation")


@pytest.mark.parametrize(
    ("index", "shape", "said"), [((3,), (8,), "row 3 of 8"), ((3, 1), (8, 2), "row 3 of 8"), ((), (), "")]
)
def test_the_place_among_the_values(index: tuple[int, ...], shape: tuple[int, ...], said: str) -> None:
    assert spot(NonFinite(1, 0, "input", "nan", index=index, shape=shape)) == said
    assert spot(NonFinite(1, 0, "input", "nan", index=(1, 2, 3), shape=(4, 4, 4))) == "index (1, 2, 3) of (4, 4, 4)"


def test_growth_before_an_overflow_is_told_to_be_clipped() -> None:
    run = (*steps(40), *(replace(step, norm=100.0 * step.step) for step in steps(41)[40:]))
    found = NonFinite(41, 0, "forward", "inf", operation="matrix product", cause="overflow", replayed=True)
    told = the(record(run, nonfinite=(found,)), "GR301")
    assert told.remedies[0].id == "clip"
    assert "had grown" in told.remedies[0].why


def test_an_overflow_of_norms_that_grew_from_the_first_steps_on_is_answered_by_the_rate() -> None:
    run = steps(45, norm=lambda i: 1.6 * 2.5 ** max(i - 5, 0))
    found = NonFinite(45, 0, "loss", "inf", operation="mean squared error", cause="overflow", replayed=True)
    made = record((*run, replace(run[-1], step=45, norm=math.nan)), nonfinite=(found,))
    told = the(made, "GR301")
    assert [each.id for each in told.remedies][:1] == ["lower-rate"]
    assert "clip" not in [each.id for each in told.remedies]
    assert answers(Facts(made), (told,))[0].answer.endswith("Way out: lower the learning rate.")


def headline(made: Record) -> str:
    write = RULES["GR301"].headline
    assert write is not None
    return write(Facts(made), the(made, "GR301"))


def test_the_verdict_names_the_step_and_the_place() -> None:
    found = NonFinite(40, 0, "forward", "inf", "model.rnn", "RNN", time_step=190, replayed=True)
    assert headline(record(steps(40), nonfinite=(found,))) == (
        "Training broke at step 40: the first infinity arose in the forward pass of `model.rnn` (RNN), "
        "at its time step 190."
    )
    unseen = record(steps(40), nonfinite=(NonFinite(40, 0, "loss", "nan"),))
    assert headline(unseen) == "Training broke at step 40: the first NaN shows in the loss."
    assert headline(record(steps(50, norm=lambda i: INF if i >= 30 else 1.0))) == (
        "Training broke at step 30: the loss or the gradient is not finite from there on, its origin was not recorded."
    )


def test_the_verdict_says_what_a_guard_kept_out() -> None:
    kept_out = GuardSummary(1, 59, deeds=(GuardDeed(30, "skipped", "the loss is nan"),))
    made = record(steps(60), nonfinite=(NonFinite(30, 0, "input", "nan"),), guarded=kept_out)
    assert headline(made) == "The guard kept step 30 out of the weights: the first NaN arose in the data."


def test_a_step_that_spoilt_no_weight_is_a_warning() -> None:
    found = NonFinite(5, 0, "loss", "nan", operation="nll loss", cause="division by zero", replayed=True)
    rows = tuple(replace(step, loss=NAN, norm=0.0) if step.step == 5 else step for step in steps(40))
    made = record(rows, nonfinite=(found,))
    told = the(made, "GR301")
    assert told.severity == "warning"
    assert told.because.endswith("no weight was spoilt, and the training went on.")
    assert "skip-step" not in [remedy.id for remedy in told.remedies]
    assert verdict(Facts(made), (told,)).sentence.startswith("Step 5 was not finite, and spoilt no weight:")
    assert answers(Facts(made), (told,))[1].short == "Yes, at 1 step"
    ended = replace(made, steps=rows[:6])
    assert the(ended, "GR301").severity == "error"


def test_an_overflow_at_the_end_of_a_divergence_is_answered_by_the_rate() -> None:
    grown = steps(60, norm=lambda i: 3.0 if i < 30 else 3.0 * 4.0 ** (i - 30), loss=lambda i: 2.0 * 1.2**i)
    slow = (*grown, *(replace(grown[-1], step=i, norm=grown[-1].norm) for i in range(60, 90)))
    seen = NonFinite(90, 0, "forward", "inf", "model.2", "convolution", cause="overflow", replayed=True)
    diverged = the(record((*slow, replace(slow[-1], step=90, loss=math.inf)), nonfinite=(seen,)), "GR301")
    assert diverged.remedies[0].id == "lower-rate"
    at_once = the(
        record((*steps(90), replace(slow[-1], step=90, loss=math.inf, norm=None)), nonfinite=(seen,)), "GR301"
    )
    assert at_once.remedies[0].id == "normalise-state"


def test_a_finite_loss_over_weights_that_are_nan_spares_nothing() -> None:
    five = NonFinite(5, 0, "backward", "nan", "model.1", "sigmoid", replayed=True)
    run = steps(200, norm=lambda i: math.nan if i >= 5 else 1.0)
    sound, spoilt = at(*chain(2)), at(*chain(2, weight_norm=math.nan))
    assert the(record(run, spoilt, nonfinite=(five,)), "GR301").severity == "error"
    once = steps(200, norm=lambda i: math.nan if i == 5 else 1.0)
    assert the(record(once, sound, nonfinite=(five,)), "GR301").severity == "warning"
