"""The run in one sentence."""

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Outcome
from gradreach.report.report import Report
from gradreach.report.verdict import verdict
from gradreach.rules.registry import ranked
from tests.records.findings import BROKEN, CLIPPED, VANISHING
from tests.records.runs import ALL


def test_healthy_run_says_so() -> None:
    found = verdict(Facts(ALL["healthy"]), ())
    assert found.level == "healthy"
    assert found.sentence.startswith("Healthy: 200 steps")


def test_too_few_looks_are_no_proof_of_health() -> None:
    found = verdict(Facts(replace(ALL["healthy"], looks=ALL["healthy"].looks[:1])), ())
    assert found.sentence.startswith("No fault found, but only 1 of 200 steps watched closely")


def test_vanishing_names_the_layer_and_that_no_harm_is_proven() -> None:
    found = verdict(Facts(ALL["vanishing"]), (VANISHING,))
    assert found.level == "info"
    assert found.sentence == (
        "No harm is proven. Your gradients vanish through time in `rnn` layer 0: "
        "less than 1 % is left past 12 of 59 steps back."
    )


def test_of_several_that_vanish_the_shortest_reach_is_told() -> None:
    shorter = replace(VANISHING, where={**VANISHING.where, "layer": 1}, evidence={**VANISHING.evidence, "horizon": 4})
    sentence = verdict(Facts(ALL["vanishing"]), (VANISHING, shorter)).sentence
    assert "`rnn` layer 1: less than 1 % is left past 4 of 59 steps back (likewise in 1 other place)." in sentence
    assert "more finding" not in sentence


def test_break_names_the_step() -> None:
    found = verdict(Facts(ALL["broken"]), ranked((CLIPPED, BROKEN)))
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
    found = verdict(Facts(replace(ALL["empty"], outcome=outcome)), ())
    assert found.level == "unseen"
    assert found.sentence.startswith("No backward pass was seen: ")
    assert part in found.sentence


def test_a_break_outranks_every_other_error() -> None:
    other = replace(VANISHING, code="GR402", severity="error")
    assert verdict(Facts(ALL["broken"]), ranked((other, BROKEN))).sentence.startswith("Training broke")


def test_findings_come_by_severity_and_then_by_code() -> None:
    later = Finding("GR305", "warning", "a", {}, {}, "b")
    assert ranked((VANISHING, later, CLIPPED, BROKEN)) == (BROKEN, CLIPPED, later, VANISHING)


def test_a_break_of_unknown_origin_says_so() -> None:
    finding = replace(BROKEN, where={"step": 9}, evidence={})
    assert verdict(Facts(ALL["broken"]), (finding,)).sentence.startswith(
        "Training broke at step 9: the loss or the gradient"
    )


def test_of_a_test_that_found_nothing_far_back_it_is_said_that_no_harm_was_found() -> None:
    report = Report.of(ALL["free"])
    assert report.verdict.sentence.startswith("No harm is found. Your gradients vanish through time in `rnn` layer 0")
    elsewhere = replace(ALL["free"], dependency=(replace(ALL["free"].dependency[0], module="other"),))
    assert Report.of(elsewhere).verdict.sentence.startswith("No harm is proven.")


def test_a_test_at_one_layer_clears_no_other() -> None:
    free = Finding("GR401", "info", "nothing left to learn beyond lag n", {"module": "rnn"}, {}, "b")
    other = replace(VANISHING, where={**VANISHING.where, "module": "other"})
    assert verdict(Facts(ALL["free"]), (VANISHING, free)).sentence.startswith("No harm is found.")
    assert verdict(Facts(ALL["free"]), (VANISHING, other, free)).sentence.startswith("No harm is proven.")


def test_proof_of_harm_comes_first() -> None:
    report = Report.of(ALL["asked"])
    assert report.verdict.level == "error"
    assert report.verdict.sentence.startswith(
        "Your gradients vanish before they reach what the data holds in `rnn`: the error still depends on the input "
        "29–43 steps back (share 24 % of its variance, q = 0.0014, 256 sequences); "
    )
