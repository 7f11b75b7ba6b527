"""The run in one sentence."""

import math
import random
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.schema import Finding, Outcome, Record
from gradreach.record.seen.loop import OptimizerSteps
from gradreach.record.seen.loss import LossLook
from gradreach.report.conclusions import Conclusions
from gradreach.report.report import Report
from gradreach.report.verdict import verdict
from gradreach.rules.registry import ranked
from tests.records.findings import BROKEN, CLIPPED, VANISHING
from tests.records.runs import ALL
from tests.records.speaking import SPEAKING


def level_and_sentence(record: Record, *findings: Finding) -> tuple[str, str]:
    found = verdict(Facts(record), findings)
    return found.level, found.sentence


def losing(losses: Callable[[int], float | None], record: Record = ALL["healthy"]) -> Record:
    """The record with other losses."""
    return replace(record, steps=tuple(replace(step, loss=losses(step.step)) for step in record.steps))


def noise(i: int, size: float = 0.01) -> float:
    return random.Random(i).gauss(0, size)


def test_a_run_that_learns_says_by_how_much_and_how_late_it_was_looked_at() -> None:
    assert level_and_sentence(ALL["healthy"]) == (
        "learns",
        "Learns, and nothing found: the loss fell from 2.49 to 1.63 (35 %) in 200 steps; 3 looks, the last at step "
        "170; the gradient reaches 59 of 59 steps back in `lstm layer 0`.",
    )


def test_a_run_whose_loss_does_not_fall_is_told_what_to_ask_next() -> None:
    level, sentence = level_and_sentence(losing(lambda i: 2.3 + noise(i)))
    assert level == "stalled"
    assert sentence.startswith(
        "Nothing found, but it does not learn: the loss did not fall beyond its noise in 200 steps ("
    )
    assert "does it learn one single batch by heart" in sentence


@pytest.mark.parametrize(
    ("losses", "words"),
    [
        (
            lambda i: 1 + i / 50 + noise(i),
            "by its loss it does not learn: the loss rose in 200 steps (1.48 at first, 4.49 at last)",
        ),
        (lambda i: 2.3 - i * 2e-4 + noise(i, 1e-3), "it hardly learns: the loss fell from 2.3 to 2.27 (1.53 %)"),
        (lambda i: 0.5 + math.exp(-i / 5) + noise(i, 1e-3), "it learns no more: the loss fell from 1.17 to 0.5 (57 %)"),
        (
            lambda i: abs(100 - i) / 50 + 0.1 + noise(i),
            "the loss does not stay down: the loss fell from 2.08 to 0.294 by",
        ),
    ],
)
def test_other_courses_of_the_loss_have_words_of_their_own(losses: Callable[[int], float], words: str) -> None:
    level, sentence = level_and_sentence(losing(losses))
    assert level == "stalled"
    assert sentence.startswith(f"Nothing found, but {words}")


def test_a_loss_that_rests_after_a_good_part_of_the_run_is_told_of_as_learned() -> None:
    level, sentence = level_and_sentence(losing(lambda i: 0.5 + math.exp(-i / 18) + noise(i, 1e-3)))
    assert level == "learns"
    assert "the loss fell from 1.4 to 0.5 (64 %) by step 44, and rests since; 3 looks" in sentence


def test_too_few_or_too_early_looks_are_no_proof_of_health() -> None:
    few = replace(ALL["healthy"], looks=ALL["healthy"].looks[:1])
    early = replace(ALL["healthy"], looks=tuple(replace(look, step=look.step // 2) for look in ALL["healthy"].looks))
    assert level_and_sentence(few)[0] == level_and_sentence(early)[0] == "unseen"
    assert level_and_sentence(few)[1].startswith("Not looked at enough: only 1 of 200 steps watched closely")
    assert level_and_sentence(early)[1].startswith("Not looked at enough: the last look stands at step 85 of 200")


def test_a_loss_that_cannot_be_read_or_says_nothing_is_no_proof_of_health() -> None:
    assert level_and_sentence(losing(lambda _: None)) == ("unseen", "Not looked at enough: no loss could be read.")
    level, sentence = level_and_sentence(losing(lambda i: noise(i, 1.0)))
    assert level == "unseen"
    assert sentence.startswith("Nothing found, but whether it learns cannot be told: the loss changes its sign")
    short = replace(ALL["healthy"], steps=ALL["healthy"].steps[:12], overhead=None)
    looks = tuple(replace(look, step=step) for look, step in zip(short.looks, (0, 2, 10), strict=True))
    assert level_and_sentence(replace(short, looks=looks))[1].startswith("Not looked at enough: 12 losses are too few")


def test_adversaries_are_not_judged_by_their_losses() -> None:
    looks = (*ALL["gan"].looks, replace(ALL["gan"].looks[0], step=290))
    level, sentence = level_and_sentence(replace(ALL["gan"], looks=looks))
    assert level == "unseen"
    assert "2 lines call backward in turns, and the losses of adversaries need not fall" in sentence


def test_information_does_not_head_a_run_that_learns() -> None:
    assert level_and_sentence(ALL["vanishing"], VANISHING) == (
        "learns",
        "Learns, and nothing found: the loss fell from 2.98 to 1.25 (58 %) in 300 steps; 5 looks, the last at step "
        "242. Also (no harm is proven): your gradients vanish through time in `rnn` layer 0: less than 1 % is left "
        "past 12 of 59 steps back.",
    )


def test_of_several_that_vanish_the_shortest_reach_is_told() -> None:
    shorter = replace(VANISHING, where={**VANISHING.where, "layer": 1}, evidence={**VANISHING.evidence, "horizon": 4})
    sentence = verdict(Facts(ALL["vanishing"]), (VANISHING, shorter)).sentence
    assert "`rnn` layer 1: less than 1 % is left past 4 of 59 steps back (likewise in 1 other place)." in sentence
    assert "below" not in sentence


def test_an_exception_is_part_of_the_sentence() -> None:
    raised = replace(ALL["healthy"], outcome=Outcome("raised", 1, "RuntimeError: no graph.", 1.0))
    assert level_and_sentence(raised, VANISHING) == (
        "error",
        "The script raised RuntimeError: no graph, after 200 backward passes; nothing that was checked before explains "
        "it. Also (no harm is proven): your gradients vanish through time in `rnn` layer 0: less than 1 % is left past "
        "12 of 59 steps back.",
    )
    assert level_and_sentence(raised, CLIPPED)[1].startswith(
        "The script raised RuntimeError: no graph. Before that: Cl"
    )
    assert level_and_sentence(ALL["broken"], BROKEN)[1].startswith(
        "The script raised ValueError: loss is NaN. Training "
    )


def test_an_exceptions_words_are_cut_between_sentences() -> None:
    said = f"RuntimeError: {'Too bad ' * 15}it was. And much more than that: {'and so on ' * 20}."
    sentence = level_and_sentence(replace(ALL["healthy"], outcome=Outcome("raised", 1, said, 1.0)))[1]
    assert "it was, after 200 backward passes" in sentence
    assert "much more" not in sentence


def test_break_names_the_step() -> None:
    found = verdict(Facts(ALL["broken"]), ranked((CLIPPED, BROKEN)))
    assert found.level == "error"
    assert found.sentence.startswith(
        "The script raised ValueError: loss is NaN. Training broke at step 121: the first NaN arose in the forward "
        "pass of `rnn` (RNN_RELU), at its time step 41."
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
    sentence = verdict(Facts(ALL["broken"]), ranked((other, BROKEN))).sentence
    assert sentence.startswith("The script raised ValueError: loss is NaN. Training broke")


def test_findings_come_by_severity_and_then_by_code() -> None:
    later = Finding("GR305", "warning", "a", {}, {}, "b")
    assert ranked((VANISHING, later, CLIPPED, BROKEN)) == (BROKEN, CLIPPED, later, VANISHING)


def test_a_break_of_unknown_origin_says_so() -> None:
    finding = replace(BROKEN, where={"step": 9}, evidence={})
    assert verdict(Facts(ALL["broken"]), (finding,)).sentence.startswith(
        "The script raised ValueError: loss is NaN. Training broke at step 9: the loss or the gradient"
    )


def test_of_a_test_that_found_nothing_far_back_it_is_said_that_no_harm_was_found() -> None:
    report = Report.of(ALL["free"])
    assert "Also (no harm is found): your gradients vanish through time in `rnn` layer 0" in report.verdict.sentence
    elsewhere = replace(ALL["free"], dependency=(replace(ALL["free"].dependency[0], module="other"),))
    assert "Also (no harm is proven): " in Report.of(elsewhere).verdict.sentence


def test_a_test_at_one_layer_clears_no_other() -> None:
    free = Finding("GR401", "info", "nothing left to learn beyond lag n", {"module": "rnn"}, {}, "b")
    other = replace(VANISHING, where={**VANISHING.where, "module": "other"})
    assert "(no harm is found)" in verdict(Facts(ALL["free"]), (VANISHING, free)).sentence
    assert "(no harm is proven)" in verdict(Facts(ALL["free"]), (VANISHING, other, free)).sentence


def test_proof_of_harm_comes_first() -> None:
    report = Report.of(ALL["asked"])
    assert report.verdict.level == "error"
    assert report.verdict.sentence.startswith(
        "Your gradients vanish before they reach what the data holds in `rnn`: the error still depends on the input "
        "29–43 steps back (share 24 % of its variance, q = 0.0014, 256 sequences); "
    )


def test_one_line_that_serves_two_trainings_is_not_judged_by_its_loss() -> None:
    made = losing(lambda i: 2.0 + noise(i))
    looks = [replace(made.looks[0], step=step) for step in (10, 50, 51, 100, 101, 190, 191)]

    def told(*held: str) -> str:
        steps = [OptimizerSteps(1, (held[i % len(held)],), (), 0.1) for i in range(len(looks))]
        seen = tuple(replace(look, stepped=each) for look, each in zip(looks, steps, strict=True))
        return level_and_sentence(replace(made, looks=seen))[1]

    assert "one line calls backward in turns for models that are trained apart" in told("g.weight", "d.weight")
    assert "does not learn" in told("g.weight")


def test_a_loss_weighed_by_advantages_tells_nothing_however_far_it_falls() -> None:
    made = losing(lambda i: 100.0 * 0.99**i + noise(i))

    def told(*losses: LossLook) -> str:
        looks = tuple(replace(look, losses=losses) for look in made.looks)
        return level_and_sentence(replace(made, looks=looks))[1]

    weighed = LossLook("product", (32,), (32,), (32,))
    assert "whether it learns cannot be told: the rows of the loss are weighed by factors of both signs" in told(
        weighed
    )
    assert told().startswith("Learns, and nothing found")


@pytest.mark.parametrize("name", SPEAKING)
def test_no_sentence_says_a_thing_twice(name: str) -> None:
    sentence = Conclusions.of(Facts(SPEAKING[name])).verdict.sentence
    clauses = Counter(re.split(r"(?:[,.;:]|,? and|,? while) ", sentence.rstrip(".")))
    assert [clause for clause, times in clauses.items() if times > 1 and len(clause.split()) > 3] == []
