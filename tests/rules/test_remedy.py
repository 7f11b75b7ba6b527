"""Remedies as code: what they name is there, and does to a real module what they say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

import gradreach
from gradreach.facts.dependency import verdicts
from gradreach.record.kinds import numbered
from gradreach.record.schema import TimeLook
from gradreach.rules import remedy
from tests.records.parts import at, chain, dependency, lag, record, time_look

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


def look(kind: str) -> TimeLook:
    top = {"layer": 1, "direction": "reverse"} if numbered(kind) else {}
    return time_look(module="model.rnn.0", kind=kind, hidden=8, **top)


def done(code: str, model: nn.Module) -> nn.Module:
    """The model's own recurrent module after the remedy's code has run on it."""
    holder = nn.Module()
    holder.rnn = model["rnn"]  # type: ignore[index]
    exec(code, {"model": holder, "nn": nn, "gr": gradreach})  # the very line that a user would paste
    return holder.rnn[0]  # type: ignore[no-any-return,index,operator]


@pytest.mark.parametrize("kind", KINDS)
def test_orthogonal_makes_each_block_of_the_named_matrix_orthogonal(kind: str) -> None:
    seen = look(kind)
    code = remedy.orthogonal(seen.module, kind, seen.layer, seen.direction).do
    module = done(code, model_with(kind))
    weight = getattr(module, "weight_hh_l1_reverse" if numbered(kind) else "weight_hh")
    for block in weight.detach().chunk(remedy.gates(kind)):
        assert torch.allclose(block.T @ block, torch.eye(block.shape[1]), atol=1e-5)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "GRUCell", "LSTMCell"])
def test_the_gate_named_is_the_one_that_keeps_the_state(kind: str) -> None:
    (held,) = remedy.longer_reach(record(), look(kind))
    model = model_with(kind)
    name = "bias_hh_l1_reverse" if numbered(kind) else "bias_hh"
    with torch.no_grad():
        getattr(model["rnn"][0], name).zero_()  # type: ignore[index]
    bias = getattr(done(held.do, model), name).detach()
    assert bias.tolist() == [0.0] * 8 + [1.0] * 8 + [0.0] * (len(bias) - 16)


@pytest.mark.parametrize("kind", ["GRU", "LSTM", "GRUCell", "LSTMCell"])
def test_gates_with_time_constants_up_to_the_lag(kind: str) -> None:
    looks = at(time_look(module="model.rnn.0", kind=kind, hidden=8, factor=0.5))
    (asked,) = verdicts(record((), looks, dependency=(dependency(lag(40), module="model.rnn.0"),)))
    start, *_ = remedy.as_far_as(record(), asked, 40)
    module = done(start.do, model_with(kind))
    times = getattr(module, "bias_ih_l0" if numbered(kind) else "bias_ih").detach()[8:16].exp()
    assert 1.0 <= times.min() < times.max() <= 40.0


@pytest.mark.parametrize(("chunk", "n"), [(5, 5), (5, 7), (5, 10), (1, 3)])
def test_a_longer_window_runs_as_it_is_written(chunk: int, n: int) -> None:
    torch.manual_seed(0)
    layer, x = nn.RNN(2, 4), torch.randn(12 * chunk, 1, 2)
    stepped: list[int] = []
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.0)
    optimizer.register_step_post_hook(lambda *_: stepped.append(1))
    names = {
        "gr": gradreach, "x": x, "y": x.new_zeros(len(x), 1, 4), "state": None, "model": layer,
        "loss_fn": nn.functional.mse_loss, "optimizer": optimizer,
    }  # fmt: skip
    exec(remedy.carried_back(chunk, n).do, names)
    assert len(stepped) == 12
    assert names["window"].k2 - chunk >= n


@pytest.mark.parametrize(("kind", "lstm"), [("RNN_TANH", nn.LSTM), ("RNNCell", nn.LSTMCell)])
def test_an_lstm_in_place_of_an_rnn_has_its_sizes(kind: str, lstm: type[nn.Module]) -> None:
    _, gated = remedy.longer_reach(record(), look(kind))
    module = done(gated.do, model_with(kind))
    assert isinstance(module, lstm)
    assert (module.input_size, module.hidden_size) == (3, 8)
    if kind == "RNN_TANH":
        assert (module.num_layers, module.bidirectional, module.batch_first) == (2, True, True)


def test_a_layer_that_is_the_model_itself_is_made_anew() -> None:
    _, gated = remedy.longer_reach(record(models={"rnn": "RNN"}), time_look(module="rnn"))
    assert gated.do.startswith("rnn = nn.LSTM(rnn.input_size, rnn.hidden_size)")


def test_a_recurrence_of_ones_own_has_no_parameter_names() -> None:
    (only,) = remedy.longer_reach(record(), time_look(module="model.core", kind="MyCell"))
    assert "`model.core`" in only.do
    assert "weight_hh" not in only.do


def test_an_upper_layer_is_not_told_to_scale_its_input() -> None:
    assert remedy.smaller_sums(look("RNN_TANH"))[0].do == ("nn.init.xavier_uniform_(model.rnn[0].weight_ih_l1_reverse)")
    assert "x.std()" in remedy.smaller_sums(time_look())[0].do


def test_clip_names_the_model_where_there_is_one() -> None:
    made = record((), at(*chain(2)))
    assert "clip_grad_norm_(model.parameters(), 3)" in remedy.clip(made, 0, "3", "").do
    two = record((), at(*chain(1), replace(chain(1)[0], module="critic.0")), models={"model": "A", "critic": "B"})
    assert "clip_grad_norm_(parameters, 3)" in remedy.clip(two, 0, "3", "").do


def test_initial_scale_runs_over_the_kinds_of_the_chain() -> None:
    layers = chain(5, activation="tanh")
    code = remedy.initial_scale(layers, "model", [each.activation for each in layers]).do
    model = nn.Sequential(nn.Linear(400, 400), nn.Tanh(), nn.BatchNorm1d(400))
    exec(code, {"model": model, "nn": nn})
    assert model[0].weight.std().item() == pytest.approx(5 / 3 / 400**0.5, rel=0.02)


@pytest.mark.parametrize(("path", "code"), [("model.0.weight", "model[0].weight"), ("net", "net"), ("", "layer")])
def test_expression(path: str, code: str) -> None:
    assert remedy.expression(path) == code
