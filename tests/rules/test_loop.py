"""Faults of the training loop: gradients never cleared, graphs carried on, idle clipping, hidden parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gradreach.facts.facts import Facts
from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.loop import GraphLook, OptimizerSteps
from gradreach.report.questions import answers
from tests.records.parts import at, chain, falling, flat, record, steps
from tests.records.speaking import HIDDEN, SPEAKING, blown, carried, made_anew, thrown_away
from tests.rules.judging import codes, findings, not_judged, the

NAMES = ("model.0.weight", "model.0.bias")


def test_gradients_that_outlive_their_update_are_named() -> None:
    whole = the(record(steps(), at(*chain(1), uncleared=NAMES, count=5)), "GR502")
    assert whole.because.startswith("the gradients are never cleared at train.py:20: ")
    assert "in 5 of 5 looks" in whole.because
    assert (whole.severity, whole.remedies[0].id) == ("warning", "zero-grad")
    part = the(record(steps(), at(*chain(1), uncleared=NAMES, cleared=("model.1.weight",), count=5)), "GR502")
    assert part.because.startswith("the gradients of `model.0` are never cleared")
    assert (part.evidence["parameters"], part.evidence["compared"]) == (2, 3)


def test_a_model_all_of_whose_gradients_stay_is_named_itself() -> None:
    looks = at(*chain(1), uncleared=("generator.0.weight", "generator.2.weight"), cleared=("critic.0.weight",))
    found = the(record(steps(), looks, models={"generator": "G", "critic": "D"}), "GR502")
    assert found.because.startswith("the gradients of `generator` are never cleared")


def test_uncleared_gradients_are_an_error_where_the_loss_does_not_fall() -> None:
    looks = at(*chain(1), uncleared=NAMES, count=5)
    assert the(record(steps(loss=flat), looks), "GR502").severity == "error"
    grown = the(record(steps(norm=lambda i: 1.0 + i / 10), looks), "GR502")
    assert "The norm went from 1 to 20.9." in grown.because


def test_gradients_that_are_cleared_now_and_then_are_no_fault() -> None:
    kept, gone = at(*chain(1), uncleared=NAMES, count=8), at(*chain(1), cleared=NAMES, start=80)
    assert "GR502" not in codes(record(steps(), (*kept, *gone)))
    assert "GR502" not in codes(record(steps(), at(*chain(1), uncleared=NAMES, count=2)))
    assert "GR502" in not_judged(record(steps(), at(*chain(1))))
    once = at(*chain(1), cleared=NAMES, start=200, count=1)
    seldom = the(record(steps(), (*at(*chain(1), uncleared=NAMES, count=19), *once)), "GR502")
    assert "are hardly ever cleared" in seldom.because


def test_a_graph_that_grows_over_the_updates_is_carried() -> None:
    found = the(record(steps(), carried(10, 40, 120, 500)), "GR503")
    assert "from 10 operations at step 0 to 500 at step 30" in found.because
    assert (found.severity, found.remedies[0].id) == ("warning", "carry-and-detach")
    assert the(record(steps(loss=flat), carried(10, 40, 120, 500)), "GR503").severity == "error"


def test_a_carried_graph_says_how_it_slows_down() -> None:
    slower = tuple(replace(step, seconds=step.step**2 / 1e4) for step in steps())
    assert "A step took " in the(record(slower, carried(10, 40, 120, 500)), "GR503").because
    assert "A step took " not in the(record(steps(), carried(10, 40, 120, 500)), "GR503").because


def graphs(*made: GraphLook, update: float | None = 0.1) -> Record:
    looks = at(*chain(1), count=len(made), update=update)
    return record(steps(), [replace(look, graph=graph) for look, graph in zip(looks, made, strict=True)])


def test_what_does_not_grow_over_updates_is_not_carried() -> None:
    lengths = [GraphLook(n) for n in (10, 40, 120, 500)]
    assert "GR503" not in codes(graphs(*lengths)), "longer sequences, all of the graph new"
    once = [GraphLook(n, older=5, since=0) for n in (10, 40, 120, 500)]
    assert "GR503" not in codes(graphs(*once)), "one thing made once and used again"
    window = [GraphLook(n, older=n // 2, since=10 * i) for i, n in enumerate((10, 40, 120, 500))]
    assert "GR503" not in codes(graphs(*window)), "it goes back a little way"
    full = [look.graph for look in carried(10, 40, 120, 500) if look.graph is not None]
    assert "GR503" not in codes(graphs(*full, update=None)), "no update comes in between"
    assert "GR503" not in codes(graphs(*full[:3]))


def test_a_graph_too_large_to_be_walked_needs_not_grow() -> None:
    cut = [GraphLook(100_000, 90_000, 0, whole=False)] * 4
    assert "and more" in the(graphs(*cut), "GR503").because


@pytest.mark.parametrize(
    ("norm", "loss", "severity"), [(3.0, falling, "warning"), (3.0, flat, "error"), (0.5, flat, "info")]
)
def test_idle_clipping_matters_as_much_as_what_it_leaves_out(norm: float, loss: object, severity: str) -> None:
    made = steps(norm=lambda _: norm, loss=loss, threshold=1.0, clip="norm", pre_clip=0.0, late=True)  # type: ignore[arg-type]
    assert the(record(made), "GR504").severity == severity


def test_idle_clipping_counts_as_none_with_the_other_rules() -> None:
    made = steps(norm=lambda _: 40.0, threshold=0.25, clip="norm", pre_clip=40.0)
    assert "GR303" in codes(record(made))
    late = tuple(replace(step, late=True) for step in made)
    assert [code for code in codes(record(late)) if code[2] in "35"] == ["GR504"]
    grown = tuple(replace(step, threshold=1.0, clip="norm", pre_clip=0.0, late=True) for step in blown(1000.0, 1e4))
    found = findings(record(grown))
    assert {"GR304", "GR504"} <= {each.code for each in found}
    assert "the script's clipping call limits nothing where it stands" in the(record(grown), "GR304").because
    facts = Facts(record(late))
    told = answers(facts, findings(record(late)))[-1].answer
    assert told.startswith(
        "40, between backward() and step(): yours, 0.25, is called when the update is done, and limits"
    )


def test_scaled_clipping_stays_with_its_own_rule() -> None:
    made = record(steps(norm=lambda _: 0.5, threshold=1.0, clip="norm", pre_clip=32768.0, scale=65536.0))
    assert "GR504" not in codes(made)
    assert "GR303" in codes(made)


def test_hidden_parts_that_stay_are_named_with_what_takes_them_in() -> None:
    found = the(SPEAKING["GR505"], "GR505")
    assert found.because.startswith("`model.cells[0]` stands in a plain list, tuple or dict")
    assert [remedy.id for remedy in found.remedies] == ["module-list", "freeze"]
    assert found.remedies[0].do.startswith("model.cells = torch.nn.ModuleList(model.cells)")
    bare = the(SPEAKING["GR505 bare"], "GR505")
    assert bare.remedies[0].do.startswith("model.cells = torch.nn.ParameterList(model.cells)")
    keyed = replace(HIDDEN, name="model.heads['a']")
    by_key = the(record(steps(loss=flat), at(*chain(1), hidden=(keyed,), count=5)), "GR505")
    assert by_key.remedies[0].do.startswith("model.heads = torch.nn.ModuleDict(model.heads)")
    assert by_key.severity == "error"


def test_hidden_parts_that_move_or_were_seen_too_seldom_are_no_fault() -> None:
    moving = [
        *at(*chain(1), hidden=(HIDDEN,), count=5),
        *at(*chain(1), hidden=(replace(HIDDEN, moved=True),), start=50),
    ]
    assert "GR505" not in codes(record(steps(), moving))
    seldom = [*at(*chain(1), hidden=(HIDDEN,), count=2), *at(*chain(1), start=50)]
    assert "GR505" not in codes(record(steps(), seldom))


def test_the_records_of_these_rules_say_nothing_else() -> None:
    for name in ("GR502", "GR503", "GR504", "GR504 by value", "GR505", "GR505 bare"):
        assert [each.code for each in findings(SPEAKING[name]) if each.severity != "info"] == [name.split()[0]]


def test_gradients_that_are_thrown_away_at_some_passes() -> None:
    def said(thrown: int, of: int = 8, loss=falling) -> list[str]:  # type: ignore[no-untyped-def]
        made = record(steps(loss=loss), thrown_away(thrown, of))
        return [finding.severity for finding in findings(made) if finding.code == "GR507"]

    assert said(2) == said(7) == ["warning"]
    assert said(1) == said(8) == said(3, of=5) == []
    assert said(6, loss=flat) == ["error"]


def test_gradients_of_another_models_pass_are_left_over_only_where_both_passes_are_apart() -> None:
    def said(maker: OptimizerSteps, critic: OptimizerSteps, count: int = 8) -> list[str]:
        looks = [replace(look, stepped=critic if i % 2 else maker) for i, look in enumerate(at(*chain(1), count=count))]
        return codes(record(steps(), looks))

    alone, left = OptimizerSteps(1, ("d.weight",), (), 0.1), ("d.weight",)
    maker = OptimizerSteps(1, ("g.weight",), (), 0.1, left)
    assert said(maker, alone) == ["GR508"]
    assert said(replace(maker, left=()), alone) == [], "cleared"
    assert said(maker, replace(alone, held=("d.weight", "g.weight"))) == [], "summed over passes for one update"
    assert said(maker, maker) == [], "never stepped"


def test_an_optimizer_of_one_step_is_named_with_what_is_lost() -> None:
    found = the(record(steps(), made_anew()), "GR511")
    assert found.because.startswith(
        "A new Adam is made for each step of `model` after the pass at train.py:20. At 7 of 7 "
    )
    assert found.because.endswith(
        "it moves each weight by about the learning rate of 0.01, however small the gradient is."
    )
    assert found.remedies[0].do.startswith("optimizer = torch.optim.Adam(model.parameters(), lr=0.01)  # once")
    momentum = the(record(steps(), made_anew("SGD", momentum=0.9)), "GR511")
    assert "up to 10 times shorter than with the momentum" in momentum.because
    assert "torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)" in momentum.remedies[0].do
    own = the(record(steps(), made_anew("Lion")), "GR511")
    assert "optimizer = Lion(model.parameters(), lr=0.01)" in own.remedies[0].do
    assert "What it keeps from step to step is thrown away" in own.because


def test_a_part_that_is_stepped_anew_is_named_beside_what_is_kept() -> None:
    def with_kept(look: Look, *kept: str) -> Look:
        return replace(look, stepped=replace(stepped(look), held=(*stepped(look).held, *kept)))

    part = the(record(steps(), [with_kept(look, "model.1.weight") for look in made_anew()]), "GR511")
    assert part.where["module"] == "model.0"
    assert "Adam(model[0].parameters()" in part.remedies[0].do
    whole = the(record(steps(), made_anew()), "GR511")
    assert whole.where["module"] == "model"
    averaged = made_anew("ASGD")
    assert "GR511" not in codes(record(steps(), averaged)), "it does not step by its averages"


def test_an_eps_above_the_gradient_leaves_no_step_by_the_sign() -> None:
    looks = made_anew()
    large = [replace(s, epsilons=tuple(replace(e, eps=0.1) for e in s.epsilons)) for s in map(stepped, looks)]
    told = [replace(look, stepped=each) for look, each in zip(looks, large, strict=True)]
    assert "by the sign" not in the(record(steps(), told), "GR511").because


def stepped(look: Look) -> OptimizerSteps:
    assert look.stepped is not None
    return look.stepped


@pytest.mark.parametrize(("anew", "spoken"), [(8, True), (5, True), (4, False), (2, False)])
def test_an_optimizer_of_one_step_is_one_at_most_looks(anew: int, spoken: bool) -> None:
    assert ("GR511" in codes(record(steps(), made_anew(anew=anew)))) is spoken


def test_an_optimizer_that_is_kept_in_the_end_is_none_of_one_step() -> None:
    *looks, last = made_anew()
    kept = replace(last, stepped=replace(stepped(last), anew=()))
    assert "GR511" not in codes(record(steps(), (*looks, kept)))
    assert "GR511" in not_judged(record(steps(), looks[:3]))


def test_two_lines_before_one_step_are_one_fault() -> None:
    looks = made_anew()
    turns = [replace(look, site=1 if i % 2 else 0) for i, look in enumerate(looks)]
    assert len([found for found in findings(record(steps(), turns)) if found.code == "GR511"]) == 1
