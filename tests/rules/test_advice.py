"""Advice as code: what it names is there, and does to a real module what it says; and which findings name it."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

import gradreach
from gradreach.engine.replay import replay
from gradreach.facts.facts import Facts
from gradreach.record.kinds import keeping_gate, numbered
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.find_out import FIND_OUT
from gradreach.remedies.advice.initial_scale import INITIAL_SCALE
from gradreach.remedies.advice.learning_rate import LEARNING_RATE
from gradreach.remedies.advice.longer_window import LONGER_WINDOW
from gradreach.remedies.advice.lower_rate import LOWER_RATE
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.registry import ADVICE
from gradreach.remedies.advice.spelling import expression, gates, opened
from gradreach.rules.longer_reach import as_far_as, longer_reach
from tests.records.advised import ADVISED, look
from tests.records.parts import at, dependency, lag, record, steps, time_look
from tests.rules.judging import findings, the

KINDS = {
    "RNN_TANH": nn.RNN(3, 8, num_layers=2, bidirectional=True, batch_first=True),
    "GRU": nn.GRU(3, 8, num_layers=2, bidirectional=True),
    "LSTM": nn.LSTM(3, 8, num_layers=2, bidirectional=True, proj_size=4),
    "RNNCell": nn.RNNCell(3, 8),
    "GRUCell": nn.GRUCell(3, 8),
    "LSTMCell": nn.LSTMCell(3, 8),
}


def model_with(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleDict({"rnn": nn.ModuleList([KINDS[kind]])})


def done(code: str, model: nn.Module) -> nn.Module:
    """The model's own recurrent module after the remedy's code has run on it."""
    holder = nn.Module()
    holder.rnn = model["rnn"]  # type: ignore[index]
    exec(code, {"model": holder, "nn": nn, "gr": gradreach})  # the very line that a user would paste
    return holder.rnn[0]  # type: ignore[no-any-return,index,operator]


@pytest.mark.parametrize("kind", KINDS)
def test_orthogonal_makes_each_block_of_the_named_matrix_orthogonal(kind: str) -> None:
    seen = look(kind)
    code = ORTHOGONAL.code(seen.module, kind, seen.layer, seen.direction)
    module = done(code, model_with(kind))
    weight = getattr(module, "weight_hh_l1_reverse" if numbered(kind) else "weight_hh")
    for block in weight.detach().chunk(gates(kind)):
        assert torch.allclose(block.T @ block, torch.eye(block.shape[1]), atol=1e-5)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "GRUCell", "LSTMCell"])
def test_the_gate_named_is_the_one_that_keeps_the_state(kind: str) -> None:
    (held,) = longer_reach(Facts(record()), look(kind))
    model = model_with(kind)
    name = "bias_hh_l1_reverse" if numbered(kind) else "bias_hh"
    with torch.no_grad():
        getattr(model["rnn"][0], name).zero_()  # type: ignore[index]
    bias = getattr(done(held.do, model), name).detach()
    assert bias.tolist() == pytest.approx([0.0] * 8 + [4.1] * 8 + [0.0] * (len(bias) - 16))


@pytest.mark.parametrize(("steps", "bias"), [(0, 1.0), (1, 1.0), (10, 2.3), (500, 6.2)])
def test_a_gate_is_opened_for_as_many_steps_as_are_asked(steps: int, bias: float) -> None:
    assert f".fill_({bias})" in opened("LSTM", "b", steps)
    assert f".fill_({-bias})" in opened("MinGRU", "b", steps)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "MinGRU", "MinLSTM"])
def test_an_opened_gate_leaves_about_1_e_of_the_state_after_as_many_steps(kind: str) -> None:
    gate, layer = keeping_gate(kind), getattr(gradreach.nn, kind)(1, 4)
    assert gate is not None
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    exec(opened(kind, f"layer.{gate.bias}_l0", 200), {"layer": layer})
    state = torch.ones(1, 1, 4)
    left = replay(layer, torch.zeros(200, 1, 1), (state, state) if kind == "LSTM" else state).unrolls[0]
    last = (left.h if left.c is None else left.c)[-1, 0]
    assert last.tolist() == pytest.approx(4 * [math.exp(-1)], rel=0.02)  # of two digits


@pytest.mark.parametrize("advice", [LOWER_RATE, LEARNING_RATE, RAISE_RATE], ids=lambda advice: advice.id)
def test_a_rate_is_changed_by_ten_at_most(advice: Advice[...]) -> None:
    assert " 10 " in advice.code(6863.0)
    assert " 3 " in advice.code(3.0)


def test_the_gradient_is_brought_back_to_its_size_before_it_is_clipped() -> None:
    assert CLIP.code({"model"}, "3", True).startswith("scaler.unscale_(optimizer); torch.nn.utils.clip_grad_norm_")


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "GRUCell", "LSTMCell"])
def test_gates_with_time_constants_up_to_the_lag(kind: str) -> None:
    looks = at(time_look(module="model.rnn.0", kind=kind, hidden=8, factor=0.5))
    facts = Facts(record((), looks, dependency=(dependency(lag(40), module="model.rnn.0"),)))
    start, *_ = as_far_as(facts, facts.dependency_tests[0], 40)
    module = done(start.do, model_with(kind))
    times = getattr(module, "bias_ih_l0" if numbered(kind) else "bias_ih").detach()[8:16].exp()
    assert 1.0 <= times.min() < times.max() <= 40.0


@pytest.mark.parametrize(("chunk", "k2"), [(5, 10), (5, 15), (1, 4)])
def test_a_longer_window_runs_as_it_is_written(chunk: int, k2: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.RNN(2, 4), torch.randn(12 * chunk, 1, 2)
    stepped: list[int] = []
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.0)
    optimizer.register_step_post_hook(lambda *_: stepped.append(1))
    names = {
        "gr": gradreach, "x": x, "y": x.new_zeros(len(x), 1, 4), "state": None, "model": layer,
        "loss_fn": nn.functional.mse_loss, "optimizer": optimizer,
    }  # fmt: skip
    exec(LONGER_WINDOW.code(chunk, k2), names)
    assert len(stepped) == 12
    assert names["window"].k2 == k2


@pytest.mark.parametrize(("kind", "lstm"), [("RNN_TANH", nn.LSTM), ("RNNCell", nn.LSTMCell)])
def test_an_lstm_in_place_of_an_rnn_has_its_sizes_and_open_gates(kind: str, lstm: type[nn.Module]) -> None:
    _, gated = longer_reach(Facts(record()), look(kind))
    module = done(gated.do, model_with(kind))
    assert isinstance(module, lstm)
    assert (module.input_size, module.hidden_size) == (3, 8)
    name = "bias_ih_l0" if numbered(kind) else "bias_ih"
    assert getattr(module, name).detach()[8:16].exp().max() > 3
    if kind == "RNN_TANH":
        assert (module.num_layers, module.bidirectional, module.batch_first) == (2, True, True)


def test_a_layer_that_is_the_model_itself_is_made_anew() -> None:
    _, gated = longer_reach(Facts(record(models={"rnn": "RNN"})), time_look(module="rnn"))
    assert gated.do.startswith("rnn = nn.LSTM(rnn.input_size, rnn.hidden_size)")


def test_a_recurrence_of_ones_own_has_no_parameter_names() -> None:
    (only,) = longer_reach(Facts(record()), time_look(module="model.core", kind="MyCell"))
    assert "`model.core`" in only.do
    assert "weight_hh" not in only.do


def test_an_upper_layer_is_not_told_to_scale_its_input() -> None:
    upper = record(steps(), at(replace(look("RNN_TANH"), saturated=0.9)))
    assert the(upper, "GR103").remedies[0].do == "nn.init.xavier_uniform_(model.rnn[0].weight_ih_l1_reverse)"
    assert "x.std()" in the(record(steps(), at(time_look(saturated=0.9))), "GR103").remedies[0].do


def test_clip_names_the_model_where_there_is_one() -> None:
    assert "clip_grad_norm_(model.parameters(), 3)" in CLIP.code({"model"}, "3")
    assert "clip_grad_norm_(parameters, 3)" in CLIP.code({"model", "critic"}, "3")


def test_initial_scale_runs_over_the_kinds_of_the_chain() -> None:
    code = INITIAL_SCALE.code("m.weight", "tanh", "model", ["Linear", "Linear"])
    model = nn.Sequential(nn.Linear(400, 400), nn.Tanh(), nn.BatchNorm1d(400))
    exec(code, {"model": model, "nn": nn})
    assert model[0].weight.std().item() == pytest.approx(5 / 3 / 400**0.5, rel=0.02)


@pytest.mark.parametrize(("path", "code"), [("model.0.weight", "model[0].weight"), ("net", "net"), ("", "layer")])
def test_expression(path: str, code: str) -> None:
    assert expression(path) == code


def test_every_remedy_of_a_finding_is_advice_that_answers_it_and_the_reverse() -> None:
    named = {(each.id, found.code) for made in ADVISED for found in findings(made) for each in found.remedies}
    assert named - {("find-out", code) for _, code in named} == {
        (each.id, code) for each in ADVICE.values() for code in each.answers
    }


@pytest.mark.parametrize("advice", ADVICE.values(), ids=ADVICE)
def test_advice_says_what_it_does_and_where_it_does_not_fit(advice: Advice[...]) -> None:
    assert len(advice.does) > 10
    assert advice.answers or advice is FIND_OUT
    assert advice.unfit.endswith(".")


def test_advice_needs_neither_torch_nor_numpy() -> None:
    code = "import sys, gradreach.remedies.advice.registry as r; assert r.ADVICE"
    code += "; assert not {'torch', 'numpy'} & set(sys.modules), 'heavy import'"
    subprocess.run([sys.executable, "-c", code], check=True)
