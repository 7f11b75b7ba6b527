"""The run in one sentence, and the three answers."""

from dataclasses import replace

import pytest

from gradreach.record.schema import Deed, Finding, Guarded, NonFinite, Outcome
from gradreach.report import Report
from gradreach.report.document import nonfinite_steps
from gradreach.report.verdict import answers, by_severity, suggested_threshold, verdict

from .records import ALL, BROKEN, CLIPPED, VANISHING


def test_healthy_run_says_so() -> None:
    found = verdict(ALL["healthy"], ())
    assert found.level == "healthy"
    assert found.sentence.startswith("Healthy: 200 steps")


def test_too_few_looks_are_no_proof_of_health() -> None:
    found = verdict(replace(ALL["healthy"], looks=ALL["healthy"].looks[:1]), ())
    assert found.sentence.startswith("No fault found, but only 1 of 200 steps watched closely")


def test_no_threshold_follows_the_norms_of_an_explosion() -> None:
    exploding = Finding("GR102", "warning", "t", {}, {}, "b")
    diverged = Finding("GR304", "error", "t", {}, {"usual_norm": 1.5}, "b")
    told = [answers(ALL["vanishing"], (finding,))[2].answer for finding in (exploding, diverged)]
    assert told[0] == "Yours is 0.25; the norms of an exploding gradient tell of none: mend its cause first."
    assert told[1] == "Yours is 0.25; 3 is twice the norm before it blew up."


def test_vanishing_names_the_layer_and_that_no_harm_is_proven() -> None:
    found = verdict(ALL["vanishing"], (VANISHING,))
    assert found.level == "info"
    assert found.sentence == (
        "No harm is proven. Your gradients vanish through time in `rnn` layer 0: "
        "less than 1 % is left past 12 of 59 steps back."
    )


def test_of_several_that_vanish_the_shortest_reach_is_told() -> None:
    shorter = replace(VANISHING, where={**VANISHING.where, "layer": 1}, evidence={**VANISHING.evidence, "horizon": 4})
    sentence = verdict(ALL["vanishing"], (VANISHING, shorter)).sentence
    assert "`rnn` layer 1: less than 1 % is left past 4 of 59 steps back (likewise in 1 other place)." in sentence
    assert "more finding" not in sentence


def test_break_names_the_step() -> None:
    found = verdict(ALL["broken"], (CLIPPED, BROKEN))
    assert found.level == "error"
    assert found.sentence.startswith(
        "Training broke at step 121: the first NaN arose in the forward pass of `rnn` (RNN_RELU), at its time step 41."
    )
    assert "1 more finding" in found.sentence


@pytest.mark.parametrize(
    ("outcome", "part"),
    [
        (Outcome("finished"), "ran to its end without"),
        (Outcome("raised", 1, "ValueError: no data"), "ValueError: no data"),
        (Outcome("raised", 1, "KeyError: {x}\nmore"), "called none before the script raised KeyError: {x}."),
        (Outcome("unknown"), "killed"),
    ],
)
def test_no_backward_pass(outcome: Outcome, part: str) -> None:
    found = verdict(replace(ALL["empty"], outcome=outcome), ())
    assert found.level == "unseen"
    assert found.sentence.startswith("No backward pass was seen: ")
    assert part in found.sentence


def test_a_break_outranks_every_other_error() -> None:
    other = replace(VANISHING, code="GR402", severity="error")
    assert verdict(ALL["broken"], (other, BROKEN)).sentence.startswith("Training broke")


def test_by_severity_keeps_the_order_within_one() -> None:
    first = Finding("GR305", "warning", "a", {}, {}, "b")
    assert by_severity((VANISHING, first, CLIPPED, BROKEN)) == [BROKEN, first, CLIPPED, VANISHING]


def test_the_three_questions() -> None:
    told = answers(ALL["vanishing"], (VANISHING,))
    assert [answer.question for answer in told] == [
        "Is my RNN vanishing?",
        "Did anything turn NaN?",
        "Which clip threshold?",
    ]
    assert told[0].answer.startswith("Yes: rnn layer 0 carries")
    assert "13 of 59 steps back, times 0.708 a step on the way" in told[0].answer
    assert told[1].answer.startswith("No: 300 measured norms")
    assert told[2].answer.startswith("Yours, 0.25, acts on 100 % of steps; 3.2 would")


def test_nan_is_answered_with_its_origin() -> None:
    _, nan, _ = answers(ALL["broken"], (BROKEN,))
    assert nan.question == "Why did I get NaN at step 121?"
    assert nan.answer.startswith("Step 121 holds the first NaN")


def test_a_run_that_never_had_a_finite_gradient_is_not_told_that_none_vanishes() -> None:
    made = replace(ALL["broken"], looks=ALL["broken"].looks[1:])
    assert answers(made, (BROKEN,))[0].answer.startswith("It cannot be told")


def test_a_break_of_unknown_origin_says_so() -> None:
    finding = replace(BROKEN, where={"step": 9}, evidence={})
    assert verdict(ALL["broken"], (finding,)).sentence.startswith("Training broke at step 9: the loss or the gradient")


def test_overflows_of_the_loss_scaler_are_no_break() -> None:
    steps = tuple(
        replace(step, norm=float("inf"), scale=65536.0) if step.step == 3 else step for step in ALL["healthy"].steps
    )
    skipped = NonFinite(3, 0, "backward", "inf", scaled_away=True)
    _, nan, _ = answers(replace(ALL["healthy"], steps=steps, nonfinite=(skipped,)), ())
    assert nan.question == "Did anything turn NaN?"
    assert "1 overflow" in nan.answer


def test_of_a_test_that_found_nothing_far_back_it_is_said_that_no_harm_was_found() -> None:
    report = Report.of(ALL["free"])
    assert report.verdict.sentence.startswith("No harm is found. Your gradients vanish through time in `rnn` layer 0")
    assert report.answers[0].answer.startswith("Yes, without harm: rnn layer 0 carries")
    elsewhere = replace(ALL["free"], dependency=(replace(ALL["free"].dependency[0], module="other"),))
    assert Report.of(elsewhere).verdict.sentence.startswith("No harm is proven.")
    assert "only where what is to be learned lies further back" in Report.of(elsewhere).answers[0].answer


def test_a_test_at_one_layer_clears_no_other() -> None:
    free = Finding("GR401", "info", "nothing left to learn beyond lag n", {"module": "rnn"}, {}, "b")
    other = replace(VANISHING, where={**VANISHING.where, "module": "other"})
    assert verdict(ALL["free"], (VANISHING, free)).sentence.startswith("No harm is found.")
    assert verdict(ALL["free"], (VANISHING, other, free)).sentence.startswith("No harm is proven.")


def test_proof_of_harm_comes_first() -> None:
    report = Report.of(ALL["asked"])
    assert report.verdict.level == "error"
    assert report.verdict.sentence.startswith(
        "Your gradients vanish before they reach what the data holds in `rnn`: the error still depends on the input "
        "29–43 steps back (share 24 % of its variance, q = 0.0014, 256 sequences); "
    )
    assert report.answers[0].answer.startswith("Yes, with harm:")
    falling = Report.of(replace(ALL["asked"], steps=ALL["vanishing"].steps))
    assert falling.answers[0].answer.startswith("Yes, so far:")
    assert "lies out of reach: GR402" in Report.of(ALL["probed"]).answers[0].answer


def test_no_recurrent_layer_no_vanishing_through_time() -> None:
    rnn, _, clip = answers(ALL["gan"], ())
    assert rnn.answer.startswith("No recurrent layer")
    assert "dcgan.py:210" in clip.answer
    assert "dcgan.py:225" in clip.answer


def test_suggested_threshold_ignores_the_step_that_broke() -> None:
    assert suggested_threshold(ALL["broken"], ()) == pytest.approx(2.3, rel=0.05)


def test_a_threshold_that_acts_on_few_steps_is_kept() -> None:
    steps = tuple(replace(step, threshold=3.0) for step in ALL["vanishing"].steps)
    assert answers(replace(ALL["vanishing"], steps=steps), ())[2].answer.startswith("Keep yours, 3:")


def test_what_the_guard_kept_out_is_no_overflow_of_a_scaler() -> None:
    bad = nonfinite_steps(ALL["broken"])
    deeds = tuple(Deed(step, "skipped", "the loss is nan") for step in bad)
    told = {each.question: each.answer for each in answers(replace(ALL["broken"], guarded=Guarded(1, deeds=deeds)), ())}
    assert told["Did anything turn NaN?"].startswith(f"Yes, at {len(bad)} step")
    assert "the guard took no update from" in told["Did anything turn NaN?"]
