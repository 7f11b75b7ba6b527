"""The three questions, answered: short, with the run's own numbers, and with a way out."""

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, GuardDeed, GuardSummary, NonFinite, Record
from gradreach.report.questions import answers
from gradreach.report.report import Report
from tests.records.findings import BROKEN, VANISHING
from tests.records.parts import at, record, steps, time_look
from tests.records.runs import ALL

TOPICS = ("vanishing", "NaN", "clip")

WORDS = 45
"""Words that an answer has room for on a first screen."""


def told(record: Record, *findings: Finding) -> tuple[str, str, str]:
    """The answers on vanishing, NaN and clipping, by the findings given or else by those of the rules."""
    made = answers(Facts(record), findings) if findings else Report.of(record).answers
    by_topic = {topic: each.answer for each in made for topic in TOPICS if topic in each.question}
    rnn, nan, clip = (by_topic[topic] for topic in TOPICS)
    return rnn, nan, clip


@pytest.mark.parametrize("name", [name for name in ALL if name != "empty"])
def test_each_is_short_and_begins_with_its_short_form(name: str) -> None:
    for each in Report.of(ALL[name]).answers:
        assert each.short
        assert each.answer.startswith(each.short)
        assert len(each.answer.replace("%", " ").replace("×", " ").split()) <= WORDS


def test_the_questions() -> None:
    asked = answers(Facts(ALL["vanishing"]), (VANISHING,))
    assert [each.question for each in asked] == [
        "Is my RNN vanishing?",
        "Did anything turn NaN?",
        "Which clip threshold?",
    ]
    assert asked[0].answer == (
        "Yes, but no harm is proven: 1 % or more of the gradient of `rnn layer 0` gets only 12 of 59 steps "
        "back, × 0.696 a step, as of step 182; it harms only where what is to be learned lies further back."
    )
    assert asked[1].answer == "No: 300 losses and 300 norms of 300 steps, all finite."
    assert (
        asked[2].answer
        == "3.2, not 0.25, which acts on 100 % of steps (median 1.1, largest 3.59): it acts on the largest 1 %."
    )


def test_of_a_shortcut_the_first_dip_and_the_farthest_lag_are_told() -> None:
    reach = tuple(0.5 ** (lag // 16) * 0.2 ** (lag % 16) for lag in range(100))
    assert [lag for lag, r in enumerate(reach) if r >= 0.01][-1] == 96
    shortcut = time_look(T=100, reach=reach, horizon=2, factor=0.99, bound_factor=None)
    said = told(record(steps(), at(shortcut)))[0]
    assert said.endswith(
        "gets only 2 of 99 steps back, × 0.2 a step, under 1 % first at lag 3 and last over it at lag 96, with 0.5 at "
        "lag 16, as of step 30."
    )
    assert len(said.replace("%", " ").replace("×", " ").split()) <= WORDS
    assert ", under 1 % first" not in told(ALL["vanishing"])[0]


def test_a_run_without_steps_has_none() -> None:
    assert answers(Facts(ALL["empty"]), ()) == ()


def test_what_the_data_says_decides_whether_vanishing_harms() -> None:
    assert "the data has something to learn 29–43 steps back (24 % of the error's variance)" in told(ALL["asked"])[0]
    assert told(ALL["asked"])[0].startswith("Yes, with harm:")
    falling = replace(ALL["asked"], steps=ALL["vanishing"].steps)
    assert told(falling)[0].startswith("Yes, so far:")
    assert told(falling)[0].endswith("The loss still falls, so the reach may yet grow.")
    free = told(ALL["free"])[0]
    assert free.startswith("Short, but harmless:")
    assert "nothing to learn was found 21–59 steps back, where 1.8 % of the error's variance would have been" in free
    elsewhere = replace(ALL["free"], dependency=(replace(ALL["free"].dependency[0], module="other"),))
    assert "no harm is proven" in told(elsewhere)[0]
    assert "3 sequences are too few" in told(ALL["scarce"])[0]
    assert Report.of(ALL["probed"]).answers[0].question == "Is my gradient vanishing?"
    assert "though no recurrent layer ran: 31–46 steps back" in told(ALL["probed"])[0]


def test_what_is_open_is_said_in_whole_clauses() -> None:
    long = (
        "not enough data yet: "
        + "128 positions in 2 sequences are few, and those at hand repeat each other so that " * 2
    )
    (found,) = ALL["scarce"].dependency
    said = told(replace(ALL["scarce"], dependency=(replace(found, why_not=long),)))[0]
    assert said.endswith("as of step 182; not enough data yet: 128 positions in 2 sequences are few.")


def test_what_lies_before_the_chunk_is_told_of_a_layer_that_reaches_all_of_it() -> None:
    assert told(ALL["chunked"])[0] == (
        "Not within its chunk: 1 % or more of the gradient of `model.rnn layer 0` gets 34 of 34 steps back, as of step "
        "122; but the data has something to learn 35–52 steps back (12 % of the error's variance), past the chunk."
    )


def test_an_explosion_is_no_vanishing() -> None:
    assert (
        told(ALL["broken"])[0]
        == "No, it explodes: the gradient of `rnn layer 0` grows × 1.05 a step back over 59 steps."
    )


def test_a_model_without_a_recurrence_is_asked_about_its_depth() -> None:
    assert Report.of(ALL["gan"]).answers[0].question == "Is my gradient vanishing?"
    assert told(ALL["gan"])[0] == (
        "It cannot be told: its rms is 0.01 at `netD.main.6` and 1e-5 at `netD.main.0`; too few layers for a trend, "
        "as of step 2."
    )
    assert told(ALL["deep"])[0] == (
        "Yes: from `net.blocks.11.ff` down to `net.blocks.0.attn.q`, over 24 layers, its rms goes from 0.001 to 1e-14, "
        "× 0.318 a layer, as of step 122."
    )
    none = replace(ALL["deep"], looks=tuple(replace(look, depth=()) for look in ALL["deep"].looks))
    assert told(none)[0].startswith("It cannot be told: no gradient was seen")
    cut = tuple(
        replace(look, depth=(replace(look.depth[0], grad_rms=0.0), *look.depth[1:2])) for look in ALL["deep"].looks
    )
    zero = told(replace(ALL["deep"], looks=cut))[0]
    assert zero == "It is exactly 0: the gradient at the output of `net.blocks.0.attn.q` was 0 at step 122."


def test_each_line_of_a_model_without_a_recurrence_has_its_threshold() -> None:
    clip = told(ALL["gan"])[2]
    assert "dcgan.py:210" in clip
    assert "dcgan.py:225" in clip


def test_a_run_that_never_had_a_finite_gradient_is_not_told_that_none_vanishes() -> None:
    made = replace(ALL["broken"], looks=ALL["broken"].looks[1:])
    assert told(made, BROKEN)[0].startswith("It cannot be told")


def test_nan_is_answered_with_place_growth_and_way_out() -> None:
    nan, *_ = Report.of(ALL["broken"]).answers
    assert nan.question == "Why did I get NaN at step 121?"
    assert nan.answer == (
        "The forward pass of `rnn` (RNN_RELU) made the first NaN, at its time step 41. In the 20 steps before, "
        "the norm had grown from 1.89 to 900. Way out: clip the norm at 2.4."
    )


def test_bad_data_is_named_and_kept_out() -> None:
    found = NonFinite(121, 0, "input", "inf", "rnn", cause="inputs", index=(3, 5), shape=(8, 6), replayed=True)
    nan = told(replace(ALL["broken"], nonfinite=(found,)))[1]
    assert nan.startswith("Infinity in the inputs, row 3 of 8 for `rnn`: the first infinity. ")
    assert nan.endswith("x, y = x[good], y[good].")


def test_the_loss_scale_in_force_is_told() -> None:
    steps = tuple(replace(step, scale=65536.0) for step in ALL["broken"].steps)
    assert "Loss scale: 65536." in told(replace(ALL["broken"], steps=steps))[1]


def test_an_operation_is_told_with_its_line_and_that_nothing_grew() -> None:
    found = NonFinite(
        121, 0, "loss", "inf", operation="log", cause="log of zero", argument="log of 0", replayed=True,
        source="train.py:9", code="loss = -p.log().mean()",
    )  # fmt: skip
    quiet = tuple(replace(step, norm=1.0) if step.step < 121 else step for step in ALL["broken"].steps)
    assert told(replace(ALL["broken"], steps=quiet, nonfinite=(found,)))[1] == (
        "Log of 0, at train.py:9 (`loss = -p.log().mean()`): the first infinity. No growth came before: the last norm "
        "was 1, the usual one 1. Way out: torch.log(x.clamp(min=1e-6))."
    )


def test_a_break_of_unknown_origin_says_how_to_find_it() -> None:
    nan = told(replace(ALL["broken"], nonfinite=()))[1]
    assert nan.startswith("Its origin was not recorded.")
    assert nan.endswith("With --every 1 the place is found.")


def test_overflows_of_the_loss_scaler_are_no_break() -> None:
    steps = tuple(
        replace(step, norm=float("inf"), scale=65536.0) if step.step == 3 else step for step in ALL["healthy"].steps
    )
    skipped = NonFinite(3, 0, "backward", "inf", scaled_away=True)
    _, nan, _ = answers(Facts(replace(ALL["healthy"], steps=steps, nonfinite=(skipped,))), ())
    assert nan.question == "Did anything turn NaN?"
    assert nan.answer.startswith("Only 1 overflow that the loss scaler")


def test_what_the_guard_kept_out_is_no_overflow_of_a_scaler() -> None:
    bad = Facts(ALL["broken"]).nonfinite_steps
    deeds = tuple(GuardDeed(step, "skipped", "the loss is nan") for step in bad)
    _, nan, _ = answers(Facts(replace(ALL["broken"], guarded=GuardSummary(1, deeds=deeds))), ())
    assert nan.answer.startswith(f"Yes, at {len(bad)} step")
    assert "the guard took no update from" in nan.answer


def test_no_threshold_follows_the_norms_of_an_explosion() -> None:
    exploding = Finding("GR102", "warning", "t", {}, {}, "b")
    diverged = Finding("GR304", "error", "t", {}, {"usual_norm": 1.5}, "b")
    assert told(ALL["vanishing"], exploding)[2].startswith("None yet: the norms of an exploding gradient tell of none")
    assert told(ALL["vanishing"], diverged)[2] == (
        "3, twice the norm before it blew up; yours is 0.25 and acts on 100 % of steps."
    )


def test_a_norm_that_grew_from_the_start_has_no_threshold() -> None:
    made = record(steps(45, lambda i: 1.6 * 2.5 ** max(i - 5, 0), lambda i: 0.6 * 2.5**i))
    assert told(made)[2] == (
        "None yet: the norm grew from the first steps on, lower the rate first; nothing clips by norm now."
    )
    assert Facts(made).suggested_threshold == pytest.approx(3.2)


def test_suggested_threshold_ignores_the_step_that_broke() -> None:
    assert Facts(ALL["broken"]).suggested_threshold == pytest.approx(2.3, rel=0.05)


@pytest.mark.parametrize(
    ("limit", "answer"),
    [
        (3.0, "Keep 3: it acts on 2 % of steps"),
        (5.0, "Keep 5: it is there for the exception, and no step has exceeded it"),
        (100.0, "3.2, not 100, which acts on 0 % of steps"),
    ],
)
def test_a_threshold_is_kept_that_acts_on_the_exception(limit: float, answer: str) -> None:
    steps = tuple(replace(step, threshold=limit) for step in ALL["vanishing"].steps)
    assert told(replace(ALL["vanishing"], steps=steps), VANISHING)[2].startswith(answer)


def test_the_guard_has_its_own_threshold() -> None:
    assert told(ALL["guarded"])[2] == "The guard's own, 2.5: it follows the run's norms as they go."
