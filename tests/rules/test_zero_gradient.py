"""Gradients of 0, cut states, adversaries and resting weights: when the rules speak, how loudly, and when not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.loop import OptimizerSteps
from gradreach.record.seen.loss import LossLook, Spread
from gradreach.record.seen.recurrence import DetachedState
from gradreach.record.seen.zero_gradient import ZeroCause, ZeroGradient
from gradreach.report.conclusions import Conclusions
from gradreach.rules.registry import RULES, judge
from tests.records.parts import at, chain, depth_look, flat, record, steps, time_look, zero_gradient
from tests.records.speaking import OFF_LOSS, OUTPUT_OFF, SPEAKING, adversaries
from tests.rules.judging import codes, findings, the

FIRST, SECOND = ("model.0.weight", "model.0.bias"), ("model.2.weight", "model.2.bias")


def layers(*cut: str) -> tuple[DepthLook, ...]:
    """Three layers, of which those named get 0."""
    return tuple(
        depth_look(f"model.{2 * i}", "Linear", i, weight_grad_norm=0.0 if f"model.{2 * i}" in cut else 0.02)
        for i in range(3)
    )


def looks(*groups: ZeroGradient, cut: tuple[str, ...] = (), **more: Any) -> tuple[Look, ...]:
    return at(*layers(*cut), zero_gradient=groups, **more)


def test_all_before_a_step_is_an_error_and_a_part_a_warning() -> None:
    sign = zero_gradient(*FIRST, why="flat", operation="sign", behind="model.0")
    found = the(record(steps(), looks(sign, cut=("model.0",))), "GR307")
    assert (found.severity, found.where["module"]) == ("error", "model.0")
    assert "`sign` in `model` (Model), behind `model.0`, is a step" in found.because
    assert found.remedies[0].id == "straight-through"
    upper = zero_gradient(*SECOND, why="unused", operation="stack", module="model.2")
    assert the(record(steps(), looks(upper, cut=("model.2",))), "GR307").severity == "warning"


def test_advantages_that_came_to_0_are_information() -> None:
    product = LossLook("product", (8, 5), (8, 5))
    free = at(*layers(), losses=(product,), count=8)
    done = looks(zero_gradient(*FIRST, why="factor", operation="mul"), cut=("model.0",), start=100, count=4)
    assert the(record(steps(), (*free, *done)), "GR307").severity == "info"
    assert the(record(steps(), (*at(*layers(), count=8), *done)), "GR307").severity == "error"


def test_nine_tenths_of_the_numbers_are_as_good_as_all() -> None:
    most = zero_gradient(*SECOND, why="weights", elements=1900, module="model.4")
    assert the(record(steps(), looks(most, cut=("model.2",))), "GR307").severity == "error"


@pytest.mark.parametrize(("count", "speaks"), [(2, False), (3, True)])
def test_three_looks_in_a_row_are_needed(count: int, speaks: bool) -> None:
    sign = zero_gradient(why="flat", operation="sign")
    assert ("GR307" in codes(record(steps(), looks(sign, count=count)))) == speaks


def test_zeros_that_end_are_a_start_and_no_fault() -> None:
    started = looks(zero_gradient(why="weights"), count=3)
    assert "GR307" not in codes(record(steps(), (*started, *at(*layers(), count=1, start=40))))


def test_zeros_that_begin_on_the_way_say_when() -> None:
    alive, dead = at(*layers(), count=2), looks(zero_gradient(why="off", operation="relu"), count=5, start=50)
    found = the(record(steps(), (*alive, *dead)), "GR307")
    assert "in the last 5 of 7 looks, steps 50 to 90" in found.because
    assert [remedy.id for remedy in found.remedies] == ["learning-rate", "scale-input"]


def test_an_output_that_is_off_is_told_as_such() -> None:
    found = the(record(steps(), looks(OUTPUT_OFF, losses=(OFF_LOSS,))), "GR307")
    assert (
        "every value of `relu`, the last operation before the loss, in `model` (Net), behind `model.out`, is off"
        in found.because
    )
    assert [remedy.id for remedy in found.remedies] == ["linear-end", "random-start", "scale-input"]
    assert found.remedies[0].do == "y = self.out(h)  # no relu on the output"


def test_the_last_module_of_a_row_is_replaced() -> None:
    off = replace(OUTPUT_OFF, module="model.3", kind="ReLU", behind="model.2")
    found = the(record(steps(), looks(off, losses=(OFF_LOSS,))), "GR307")
    assert found.remedies[0].do == "model[3] = nn.Identity()  # no relu at the end"


def test_an_activation_outside_of_the_model_is_left_out_there() -> None:
    off = replace(OUTPUT_OFF, module="", kind="")
    found = the(record(steps(), looks(off, losses=(OFF_LOSS,))), "GR307")
    assert found.remedies[0].do == "y = model(x)  # without the relu behind it"


@pytest.mark.parametrize(
    "seen",
    [replace(OFF_LOSS, last="matrix product"), replace(OFF_LOSS, outputs=Spread(0.4, 0.4, 0.4, 0.0))],
    ids=["a layer behind", "an output that is not off"],
)
def test_a_hidden_layer_that_is_off_is_no_output(seen: LossLook) -> None:
    found = the(record(steps(), looks(OUTPUT_OFF, losses=(seen,))), "GR307")
    assert "the last operation" not in found.because
    assert "linear-end" not in [remedy.id for remedy in found.remedies]


def test_a_loss_that_was_learned_to_exactly_0_is_no_fault() -> None:
    cut = looks(zero_gradient(why="off", operation="relu"), cut=("model.0",), count=5)
    solved = steps(loss=lambda i: max(1.0 - i / 50, 0.0))
    assert "GR307" not in codes(record(solved, cut))
    assert "GR307" in codes(record(steps(loss=lambda i: min(-1.0 + i / 50, 0.0)), cut))  # an adversary's, lost


def test_what_another_line_trains_is_no_fault() -> None:
    cut = looks(zero_gradient(*SECOND, why="unused"))
    other = tuple(replace(look, step=look.step + 1, site=1, zero_gradient=()) for look in cut)
    assert "GR307" not in codes(record(steps(), (*cut, *other)))


def test_parts_that_take_turns_are_not_cut_off() -> None:
    one, two = zero_gradient(*SECOND, why="factor"), zero_gradient("model.4.weight", why="factor")
    turns = [replace(look, zero_gradient=((one, two)[i % 2],)) for i, look in enumerate(looks(count=9))]
    idle = (*turns, *looks(one, count=7, start=100))
    assert "GR307" not in codes(record(steps(), idle))
    assert "GR307" in codes(record(steps(), (*turns, *looks(one, count=20, start=100))))


@pytest.mark.parametrize("why", ["factor", "input", "unknown"])
def test_a_reason_that_may_be_one_batchs_needs_more_looks(why: Any) -> None:
    cut = zero_gradient(*SECOND, why=why)
    assert "GR307" not in codes(record(steps(), looks(cut, count=5)))
    assert "GR307" in codes(record(steps(), looks(cut, count=6)))


def test_an_expert_without_a_row_is_no_fault() -> None:
    assert "GR307" not in codes(record(steps(), looks(zero_gradient(*SECOND, why="empty"), count=30)))


def test_rows_of_a_table_and_odd_numbers_are_left_alone() -> None:
    table = (depth_look("model.table", "Embedding", 0, weight_grad_norm=0.0), *layers())
    rows = zero_gradient("model.table.weight", elements=10)
    assert "GR307" not in codes(record(steps(), at(*table, zero_gradient=(rows,), count=9)))
    key = zero_gradient("model.2.bias", elements=10)
    assert "GR307" not in codes(record(steps(), looks(key, count=9)))


def test_what_follows_from_weights_of_0_is_not_told_twice() -> None:
    cause = zero_gradient(*FIRST, why="weights", module="model.4")
    follows = zero_gradient("model.4.weight", why="input", module="model.4")
    found = [
        each for each in findings(record(steps(), looks(cause, follows, cut=("model.0",)))) if each.code == "GR307"
    ]
    assert len(found) == 1
    assert "all weights of `model.4` are 0" in found[0].because
    dead = DepthLook("model.1", "ReLU", 1, 1, 0.0, 1e-2, activation="relu", units=64, dead=1.0, rows=64)
    made = record(steps(), at(*layers("model.0"), dead, zero_gradient=(cause,)))
    assert "GR204" not in codes(made)
    assert "GR204" in codes(record(steps(), at(*layers(), dead)))


def test_a_term_of_derivatives_is_an_error_though_other_terms_teach() -> None:
    found = the(record(steps(), looks(zero_gradient(why="derivative", operation="threshold"))), "GR307")
    assert found.severity == "error"
    assert found.because.startswith("a term of the loss that is made of derivatives gives `model.0` a gradient")
    assert "`relu` is made of straight pieces" in found.because


def test_a_saturated_layer_is_named_by_its_units() -> None:
    cut = zero_gradient("model.rnn.weight_hh_l0", module="model.rnn", kind="LSTM", operation="mkldnn_rnn_layer")
    seen = time_look(kind="LSTM", saturated=1.0)
    found = the(record(steps(), at(seen, *layers(), zero_gradient=(cut,), count=6)), "GR307")
    assert "the units of `model.rnn` sit so far out that every slope rounds to 0" in found.because
    assert "`model.rnn layer 0`" in found.because
    assert [remedy.id for remedy in found.remedies] == ["scale-input"]


def test_a_cut_state_is_not_said_to_vanish() -> None:
    fading = time_look("model", reach=(1.0, *[0.0] * 59), horizon=0)
    cut = (DetachedState("model.cell", "GRUCell", 60, 59, 0),)
    made = record(steps(), at(fading, detached_states=cut))
    assert codes(made) == ["GR106"]
    assert "GR101" in codes(record(steps(), at(fading)))


@pytest.mark.parametrize(("calls", "cut"), [(2, 1), (12, 10), (12, 1)])
def test_a_state_cut_now_and_then_is_cut_between_chunks(calls: int, cut: int) -> None:
    made = record(steps(), at(detached_states=(DetachedState("model.cell", "GRUCell", calls, cut, calls - 1 - cut),)))
    assert "GR106" not in codes(made)


def test_errors_are_counted_from_where_there_is_one() -> None:
    """A layer of 60 steps whose loss leaves out all but the first 20: it reaches 19 of 19 steps."""
    padded = time_look(factor=1.0, local_error=tuple(1.0 if t < 20 else 0.0 for t in range(60)))
    padded = replace(padded, reach=padded.reach[:20], horizon=19)
    assert padded.farthest == 19
    assert "GR101" not in codes(record(steps(), at(padded)))
    backward = replace(padded, direction="reverse")
    assert backward.farthest == 59
    assert replace(padded, local_error=()).farthest == 59


def test_an_adversary_that_keeps_its_slope_is_no_fault() -> None:
    made = adversaries()
    assert the(made, "GR308").where["module"] == "critic.1"
    assert "GR308" not in codes(replace(made, steps=steps()))
    unsure = [replace(look, depth=(*look.depth[:2], replace(look.depth[2], saturated=0.5))) for look in made.looks]
    assert "GR308" not in codes(replace(made, looks=tuple(unsure)))
    own = [
        replace(look, depth=(*look.depth[:1], depth_look("critic.0", "Linear", 1), look.depth[2]))
        for look in made.looks
    ]
    assert "GR308" not in codes(replace(made, looks=tuple(own))), "a classifier may be as certain as it likes"


def test_what_nothing_moves() -> None:
    every, upper = ("model.0.weight", "model.2.weight", "model.4.weight"), ("model.4.weight",)
    resting = tuple(replace(each, update_ratio=0.0) for each in layers())
    made = record(steps(loss=flat), at(*resting, unmoved=every, moved=False))
    assert the(made, "GR309").severity == "error"
    some = (*layers()[:2], resting[2])
    found = the(record(steps(), at(*some, unmoved=upper, moved=True)), "GR309")
    assert (found.severity, found.where["module"]) == ("warning", "model.4")
    backbone = (resting[0], *layers()[1:])
    assert "GR309" not in codes(record(steps(), at(*backbone, unmoved=every[:1], moved=True)))
    image = record(steps(), at(*resting, unmoved=every, moved=True))
    assert "GR309" not in codes(image), "the loss moves something else"


def test_a_second_model_that_no_optimizer_was_given() -> None:
    first = at(*chain(1), moved=True, count=5)
    rest = [depth_look("second.0", "Linear", 0, weight_grad_norm=1.0, update_ratio=None)]
    begun = at(*rest, start=90, count=1)
    later = at(*rest, unmoved=("second.0.weight",), moved=False, start=100, count=4)
    found = the(record(steps(), (*first, *begun, *later)), "GR309")
    assert (found.severity, found.where["module"]) == ("error", "second.0")
    assert "from step 90 to " in found.because
    moves = replace(later[1], unmoved=())
    assert "GR309" not in codes(record(steps(), (*first, *begun, later[0], moves, *later[2:])))


@pytest.mark.parametrize(
    ("stepped", "why", "remedy"),
    [
        (OptimizerSteps(0, (), (), 0.0), "did an optimizer of torch make a step", "update-order"),
        (OptimizerSteps(1, (), (), 0.0), "No optimizer that steps was given them", "hand-over"),
        (OptimizerSteps(1, ("model.0.weight",), ("model.0.weight",), 0.1), "cleared between", "update-order"),
        (OptimizerSteps(1, ("model.0.weight",), (), 0.0), "learning rate of 0", "find-out"),
        (OptimizerSteps(1, ("model.0.weight",), (), 1e-9), "rounding of the weights", "raise-rate"),
        (None, "Either no optimizer", "hand-over"),
    ],
)
def test_why_weights_rest_is_told_where_the_optimizers_were_heard(
    stepped: OptimizerSteps | None, why: str, remedy: str
) -> None:
    seen = at(*chain(1, update_ratio=0.0), unmoved=("model.0.weight",), moved=False, count=5, stepped=stepped)
    found = the(record(steps(), seen), "GR309")
    assert why in found.because
    assert found.remedies[0].id == remedy
    assert why.partition(" ")[2] in Conclusions.of(Facts(record(steps(), seen))).verdict.sentence


def test_what_sets_itself_is_not_without_a_gradient() -> None:
    names = ("target.0.weight", "target.0.bias")
    models = {"model": "Model", "target": "Model"}
    ran = (depth_look("target.0", "Linear", 1, weight_grad_norm=None), *layers())
    idle = record(steps(), at(*ran, without_gradient=names), models=models)
    found = [each for each in findings(idle) if each.code == "GR306"]
    assert [each.where for each in found] == [{"module": "target"}], "one finding for an idle root"
    copied = at(*ran, without_gradient=names, set_otherwise=names[:1])
    assert "GR306" not in codes(record(steps(), copied, models=models))


def test_a_call_without_gradients_is_a_call() -> None:
    made = at(*layers(), without_gradient=("model.side.weight",), called_without_gradient=("model.side",))
    found = the(record(steps(), made), "GR306")
    assert found.evidence["called"] is True
    assert "it ran only where gradients are switched off" in found.because
    assert found.remedies[0].id == "with-gradients"


def test_a_gradient_of_zeros_is_one() -> None:
    made = at(*layers(), without_gradient=FIRST, zero_gradient=(zero_gradient(*FIRST, why="unused"),))
    assert "GR306" not in codes(record(steps(), made))


def test_every_reason_has_its_words() -> None:
    for why in get_args(ZeroCause):
        made = record(steps(), looks(zero_gradient(why=why, operation="mul"), cut=("model.0",), count=25))
        for found in judge(Facts(made)).findings:
            if found.code == "GR307":
                assert ",." not in found.because
                headline = RULES["GR307"].headline
                assert headline is not None
                assert headline(Facts(made), found).endswith(".")


def test_the_records_of_these_rules_say_nothing_else() -> None:
    for code in ("GR106", "GR307", "GR308", "GR309", "GR501"):
        made: Record = SPEAKING[code]
        assert [each.code for each in findings(made) if each.severity != "info"] == [code]
