from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.loop import OptimizerSteps
from tests.records.parts import at, chain, depth_look, falling, flat, record, steps
from tests.rules.judging import codes, findings, not_judged, passed, the


def rising(i: int) -> float:
    return 2.0 + 0.05 * i


@pytest.mark.parametrize(
    ("ratio", "loss", "speaks"), [(0.2, flat, True), (0.2, rising, True), (0.2, falling, False), (0.05, flat, False)]
)
def test_too_large(ratio: float, loss, speaks: bool) -> None:  # type: ignore[no-untyped-def]
    assert ("GR305" in codes(record(steps(loss=loss), at(*chain(3, update_ratio=ratio))))) == speaks


def test_weights_thrown_away_once_and_grown_since() -> None:
    first = at(*chain(3, update_ratio=7.0), count=1)
    rest = tuple(replace(look, step=50 + look.step) for look in at(*chain(3, update_ratio=0.03, weight_norm=60.0)))
    found = the(record(steps(loss=rising), (*first, *rest)), "GR305")
    assert (found.severity, found.evidence["largest_update_size"]) == ("error", 7.0)
    assert found.remedies[0].why.startswith("the first update is to be some 1,000 times smaller")
    assert found.evidence["weight_norm_last"] == 60.0
    assert "GR305" not in codes(record(steps(loss=falling), (*first, *rest)))


def test_what_saturates_since_the_start_was_thrown_away_is_an_effect() -> None:
    flat_out = {"kind": "Linear", "activation": "tanh", "saturated": 0.99}
    first = at(*chain(3, update_ratio=7.0), count=1)
    rest = at(*chain(3, update_ratio=0.03, weight_norm=60.0, **flat_out), start=50, count=10)
    alone = at(*chain(3, update_ratio=0.03, weight_norm=60.0, **flat_out), start=50, count=10)
    assert "GR203" in codes(record(steps(loss=rising), alone))
    assert "GR203" not in codes(record(steps(loss=rising), (*first, *rest)))


def test_too_small() -> None:
    found = the(record(steps(loss=flat), at(*chain(3, update_ratio=1e-8))), "GR305")
    assert "module" not in found.where
    assert found.remedies[0].id == "raise-rate"


def test_a_model_at_its_optimum_has_nothing_to_gain() -> None:
    assert "GR305" not in codes(record(steps(loss=flat), at(*chain(3, update_ratio=1e-8, weight_grad_norm=1e-6))))


def test_dying_down_gradients_while_it_learns_are_healthy() -> None:
    assert "GR305" not in codes(record(steps(loss=falling), at(*chain(3, update_ratio=1e-8))))


def test_one_part_left_still_is_no_matter_of_the_rate() -> None:
    layers = chain(3)
    still = (*(replace(layer, update_ratio=1e-9) for layer in layers[:3]), layers[3])
    assert "GR305" not in codes(record(steps(loss=flat), at(*still)))


def test_weights_started_at_zero_and_normalisation_are_left_out() -> None:
    zero = chain(3, update_ratio=5.0, weight_norm=1e-6)
    norm = chain(3, update_ratio=5.0, kind="LayerNorm")
    assert "GR305" not in codes(record(steps(loss=flat), at(*zero)))
    assert "GR305" not in codes(record(steps(loss=flat), at(*norm)))


def test_without_updates_nothing_is_judged() -> None:
    assert "GR305" in not_judged(record(steps(), at(*chain(3, update_ratio=None))))
    assert "GR305" in passed(record(steps(), at(*chain(3))))


def part(name: str, order: int = 0, grad: float | None = 0.1) -> DepthLook:
    return depth_look(name, "Linear", order, weight_grad_norm=grad)


def test_a_branch_that_is_never_called() -> None:
    looks = at(part("model.main"), without_gradient=("model.side.0.weight", "model.side.0.bias"))
    found = the(record(steps(loss=flat), looks), "GR306")
    assert found.severity == "warning"
    assert the(record(steps(), looks), "GR306").severity == "info", "a script may use a part of a model"
    assert found.where["module"] == "model.side"
    assert found.evidence["parameters"] == 2
    assert "no look saw it called" in found.because


def test_parts_that_nothing_calls_are_one_finding_and_a_small_left_over_is_information() -> None:
    lost = ("model.f.weight", "model.g.weight", "model.g.bias")
    made = record(steps(loss=flat), at(part("model.i"), without_gradient=lost))
    found = [f for f in findings(made) if f.code == "GR306"]
    assert [(f.severity, f.where["module"]) for f in found] == [("warning", "model.f")]
    assert "`model.f`, `model.g`" in found[0].because
    assert found[0].evidence["unused_share"] == pytest.approx(2 / 3)
    many = [part(f"model.{i}", i) for i in range(9)]
    assert the(record(steps(), at(*many, without_gradient=("model.pooler.weight",))), "GR306").severity == "info"


def test_a_part_behind_a_detach() -> None:
    looks = at(part("model.encoder.0", grad=None), part("model.head", 1), without_gradient=("model.encoder.0.weight",))
    found = the(record(steps(), looks), "GR306")
    assert found.where["module"] == "model.encoder"
    assert "nothing uses what it put out" in found.because


def test_one_parameter_of_a_module_that_learns() -> None:
    found = the(record(steps(), at(part("model.main"), without_gradient=("model.main.scale",))), "GR306")
    assert found.where == {"module": "model.main", "parameter": "model.main.scale"}


def test_a_gradient_now_and_then_is_enough() -> None:
    looks = list(at(part("model.main"), without_gradient=("model.expert.weight",)))
    looks[2] = replace(looks[2], without_gradient=())
    made = record(steps(), looks)
    assert "GR306" not in codes(made)
    assert "GR306" in passed(made)


def test_a_gradient_that_was_not_measured_is_no_missing_one() -> None:
    """The part that is named ends before a module whose own gradient is merely unknown."""
    looks = at(part("model.side.a", grad=None), part("model.main", 1), without_gradient=("model.side.b.weight",))
    assert the(record(steps(), looks), "GR306").where["module"] == "model.side.b"
    assert "GR306" not in codes(record(steps(), at(part("model.side.a", grad=None), part("model.main", 1))))


def test_unknown_gradients_neither_prove_nor_hide_that_there_is_something_to_gain() -> None:
    known, unknown = chain(3, update_ratio=1e-8), chain(3, update_ratio=1e-8, weight_grad_norm=None)
    half = [replace(look, depth=unknown if i % 3 else known) for i, look in enumerate(at(*known, count=9))]
    assert "GR305" in codes(record(steps(loss=flat), half))
    assert "GR305" not in codes(record(steps(loss=flat), at(*unknown)))


def test_freezing_is_written_as_python() -> None:
    found = the(record(steps(), at(part("model.main"), without_gradient=("model.side.0.weight",))), "GR306")
    assert found.remedies[1].do == "model.side.requires_grad_(False)"
    looks = at(part("model.0"), without_gradient=("model.0.scale",))
    assert the(record(steps(), looks), "GR306").remedies[1].do == "model[0].scale.requires_grad_(False)"


def test_another_loss_may_train_it() -> None:
    critic = [
        Look(2 * i, 0, 0.0, depth=(part("g.0"), part("d.0", 1)), without_gradient=("g.0.weight",)) for i in range(4)
    ]
    generator = [Look(2 * i + 1, 1, 0.0, depth=(part("g.0"), part("d.0", 1))) for i in range(4)]
    assert "GR306" not in codes(record(steps(), (*critic, *generator), models={"g": "G", "d": "D"}))


def test_looks_at_which_the_model_did_not_run_say_nothing() -> None:
    idle = [Look(i, 0, 0.0, depth=(part("a.0"),), without_gradient=("b.side.weight",)) for i in range(4)]
    made = record(steps(), idle, models={"a": "A", "b": "B"})
    assert "GR306" not in codes(made)
    ran = [Look(10 + i, 1, 0.0, depth=(part("b.0"),), without_gradient=("b.side.weight",)) for i in range(3)]
    assert the(record(steps(), (*idle, *ran), models={"a": "A", "b": "B"}), "GR306").where["module"] == "b.side"


def test_experts_that_were_not_picked_yet_are_not_lost() -> None:
    idle = {f"model.expert.{i}.weight" for i in range(4)}

    def looks(count: int) -> list[Look]:
        picked = ["model.expert.1", "model.expert.2"]
        return [
            Look(
                i,
                0,
                0.0,
                depth=(part(picked[i % 2]),),
                without_gradient=tuple(sorted(idle - {f"{picked[i % 2]}.weight"})),
            )
            for i in range(count)
        ]

    assert "GR306" not in codes(record(steps(), looks(4)))
    assert "`model.expert.0`, `model.expert.3`" in the(record(steps(), looks(20)), "GR306").because


def test_updates_that_died_away_early_are_named_and_those_at_the_end_are_not() -> None:
    def dying(last: float, start: int, norm: float = 1.0) -> list[str]:
        looks = (*at(update=1.0, moved=True, count=4), *at(update=last, moved=True, start=start, count=8))
        return codes(record(steps(400, norm=lambda i: norm if i >= start else 1.0), looks))

    assert "GR310" in dying(1e-9, 60)
    assert "GR310" not in dying(1e-2, 60)
    assert "GR310" not in dying(1e-9, 320), "a schedule may end at 0"
    assert "GR310" not in dying(1e-9, 60, norm=1e-9), "the gradient is gone as well"


def test_weights_that_something_else_holds_are_no_matter_of_the_rate() -> None:
    def made(last: float) -> list[str]:
        one, other = (OptimizerSteps(1, ("model.0.weight",), (), rate) for rate in (0.1, last))
        looks = (*at(update=1.0, stepped=one, count=4), *at(update=1e-9, stepped=other, start=60, count=8))
        return codes(record(steps(400), looks))

    assert "GR310" in made(1e-10)
    assert "GR310" not in made(0.1), "clamped weights"


def test_a_factor_of_0_is_told_from_a_rate_that_was_taken_down_step_by_step() -> None:
    def made(before: float) -> str:
        one, other = (OptimizerSteps(1, ("model.0.weight",), (), rate) for rate in (0.1, before))
        none = OptimizerSteps(1, ("model.0.weight",), (), 0.0)
        looks = (
            *at(update=1.0, stepped=one, count=3),
            *at(update=before / 0.1, stepped=other, start=40, count=1),
            *at(update=0.0, stepped=none, start=60, count=8),
        )
        return the(record(steps(400), looks), "GR310").remedies[0].id

    assert made(0.1) == "factor-above-zero"
    assert made(0.05) == "slower-schedule"


def test_updates_that_faded_before_the_last_quarter_are_information() -> None:
    looks = (*at(update=1.0, moved=True, count=8), *at(update=1e-3, moved=True, start=260, count=8))
    assert the(record(steps(400), looks), "GR310").severity == "info"


@pytest.mark.parametrize(
    ("still", "later", "spoken"), [(6, 1e-5, True), (2, 1e-5, False), (6, 0.0, False)], ids=["long", "short", "always"]
)
def test_a_rate_of_zero_at_first_is_named_where_it_lasts_and_ends(still: int, later: float, spoken: bool) -> None:
    held = ("model.0.weight",)
    looks = (
        *at(stepped=OptimizerSteps(1, held, (), 0.0), count=still),
        *at(stepped=OptimizerSteps(1, held, (), later), start=10 * still, count=6),
    )
    assert ("GR316" in codes(record(steps(400), looks))) is spoken


def test_a_small_head_that_runs_for_nothing_is_information_and_small_parts_add_up() -> None:
    body = [part(f"model.{i}", i) for i in range(9)]
    head, *others = (part(f"model.{name}", 9, grad=None) for name in ("pooler", "side.a", "side.b"))
    found = the(record(steps(), at(*body, head, without_gradient=("model.pooler.weight",))), "GR306")
    assert (found.severity, found.evidence["unused_share"]) == ("info", pytest.approx(0.1))
    lost = ("model.pooler.weight", "model.side.a.weight", "model.side.b.weight")
    made = record(steps(), at(*body, head, *others, without_gradient=lost))
    assert [f.severity for f in findings(made) if f.code == "GR306"] == ["warning", "warning"]
