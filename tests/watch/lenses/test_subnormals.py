"""Subnormal numbers in adjoints, gradients, weights and states: how many there are, and that their cost is measured on
the very tensors without a trace in the script. The clock is a made one: this CPU may pay nothing for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import gradreach as gr
from gradreach.engine.flush_cost import FlushTurns, in_turns, subnormal_product
from gradreach.engine.subnormals import are_subnormal, flushes, set_flushing
from gradreach.record.look import Look
from gradreach.record.schema import Record
from gradreach.record.seen.subnormal import SubnormalPlace
from gradreach.record.sinks.memory import MemorySink
from gradreach.record.sinks.recorder import Recorder
from gradreach.watch.budget import Budget
from gradreach.watch.flush_trials import FlushTrials
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.lenses.faded_layers import recurrent_work
from gradreach.watch.lenses.recurrent_calls import RecurrentCall
from gradreach.watch.optimizer_states import state_update, subnormal_states
from gradreach.watch.session import Session
from tests.rules.judging import passed, the


class Turns:
    """Does each piece of work once, and says that it takes twice as long with subnormal numbers, or as long."""

    def __init__(self, slower: float = 2.0) -> None:
        self.slower = slower
        self.works: list[Any] = []

    def __call__(self, work: Callable[[], object]) -> FlushTurns:
        self.works.append(work)
        work()
        return FlushTurns((self.slower,) * 9, (1.0,) * 9)


def looks(train: Callable[[], Any], turns: Turns, every: int = 1) -> tuple[Any, Sequence[Look]]:
    """What the training returns, and its looks."""
    sink = MemorySink(describe_run("test", ()))
    session = Session(Recorder(describe_run("test", ()), [sink]), Budget(0.02, every), flush_trials=FlushTrials(turns))
    try:
        result = train()
    finally:
        session.close()
    assert sink.record.notes == ()
    return result, sink.record.looks


def places(look: Look, part: str) -> list[SubnormalPlace]:
    assert look.subnormals is not None
    return [place for place in look.subnormals.places if place.part == part]


class Reader(nn.Module):
    """Reads the last output of a recurrent layer."""

    def __init__(self, rnn: nn.RNNBase) -> None:
        super().__init__()
        self.rnn = rnn
        self.out = nn.Linear(rnn.hidden_size, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.out(self.rnn(x)[0][:, -1])
        return out


def train(kind: type[nn.RNNBase] = nn.LSTM, steps: int = 3, **options: Any) -> tuple[list[Tensor], Tensor, list[float]]:
    """The weights, the generator's state and the losses after some steps of a layer whose gradient vanishes."""
    torch.manual_seed(0)
    model = Reader(kind(3, 16, batch_first=True, **options))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    losses = []
    for _ in range(steps):
        x = torch.randn(8, 250, 3)
        loss = (model(x) - x[:, :1, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return [p.detach().clone() for p in model.parameters()], torch.get_rng_state(), losses


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_the_cost_of_a_vanishing_adjoint_is_measured_on_the_layer(kind: type[nn.RNNBase]) -> None:
    turns = Turns()
    _, seen = looks(lambda: train(kind), turns)
    (place,) = places(seen[0], "adjoint")
    assert (place.name, place.kind, place.whole, place.times) == (
        "model.rnn",
        "RNN_TANH" if kind is nn.RNN else kind.__name__,
        True,
        1.0,
    )
    assert (place.kept, place.flushed) == ((2.0,) * 9, (1.0,) * 9)
    assert 0.02 < place.share < 0.3
    assert turns.works[0] is subnormal_product
    assert len(turns.works) == 2
    assert not any(place.kept for look in seen[1:] for place in places(look, "adjoint"))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "dropout": 0.5}])
def test_nothing_of_the_script_changes(kind: type[nn.RNNBase], options: dict[str, Any]) -> None:
    turns = Turns()
    plain, (watched, _) = train(kind, **options), looks(lambda: train(kind, **options), turns)
    assert len(turns.works) >= 2
    assert all(torch.equal(one, other) for one, other in zip(plain[0], watched[0], strict=True))
    assert torch.equal(plain[1], watched[1])
    assert plain[2] == watched[2]


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch_first": True},
        {"bidirectional": True},
        {"num_layers": 2},
        {"bias": False},
        {"proj_size": 4},
        {"nonlinearity": "relu"},
    ],
    ids=str,
)
def test_the_work_of_a_layer_is_its_own_pass(kind: type[nn.RNNBase], options: dict[str, Any]) -> None:
    if ("proj_size" in options and kind is not nn.LSTM) or ("nonlinearity" in options and kind is not nn.RNN):
        return
    torch.manual_seed(0)
    layer = kind(3, 8, **options)
    x = torch.randn(5, 7, 3)
    output, state = layer(x)
    states = state if isinstance(state, tuple) else (state,)
    caught = {"output": torch.randn_like(output), "h": torch.randn_like(states[0])}
    torch.autograd.backward([output, states[0]], list(caught.values()))
    call = RecurrentCall(layer, x, None, (), states, output, None, 0, caught)
    work = recurrent_work(call)
    assert work is not None
    assert (work.times, work.whole) == (1.0, True)
    ours = work.run()
    assert isinstance(ours, tuple)
    for one, parameter in zip(ours, [w for some in layer.all_weights for w in some], strict=True):
        assert torch.equal(one, parameter.grad)


def test_the_share_is_that_of_torchs_own_adjoint() -> None:
    torch.manual_seed(0)
    cell, out = nn.RNNCell(3, 16), nn.Linear(16, 1)
    layer = nn.RNN(3, 16)
    layer.load_state_dict({f"{name}_l0": value for name, value in cell.state_dict().items()})
    x = torch.randn(250, 8, 3)

    def own() -> float:
        states, h = [], torch.zeros(8, 16)
        for step in x:
            h = cell(step, h)
            h.retain_grad()
            states.append(h)
        out(h).square().mean().backward()
        return float(torch.stack([are_subnormal(h.grad) for h in states if h.grad is not None]).float().mean())

    def by_layer() -> None:
        out(layer(x)[0][-1]).square().mean().backward()

    theirs = own()
    _, seen = looks(by_layer, Turns())
    (place,) = places(seen[0], "adjoint")
    assert place.share == pytest.approx(theirs, rel=0.02)


def record_of(turns: Callable[[Callable[[], object]], FlushTurns]) -> Record:
    """The record of a training whose gradient vanishes, in steps of 0.01 seconds by a made clock."""
    sink = MemorySink(describe_run("test", ()))
    session = Session(Recorder(describe_run("test", ()), [sink]), Budget(0.02), flush_trials=FlushTrials(turns))
    try:
        train(steps=20)
    finally:
        session.close()
    made = tuple(replace(step, seconds=0.01 * step.step) for step in sink.record.steps)
    return replace(sink.record, steps=made)


def test_what_is_measured_comes_to_a_finding() -> None:
    def slow(work: Callable[[], object]) -> FlushTurns:
        work()
        return FlushTurns((0.008,) * 9, (0.002,) * 9)

    found = the(record_of(slow), "GR320")
    assert found.where["module"] == "model.rnn"
    assert found.evidence["speedup"] == pytest.approx(2.5)


def test_on_this_cpu_it_is_silent_where_it_pays_nothing_and_measures_where_it_pays() -> None:
    made = record_of(in_turns)
    first = made.looks[0].subnormals
    assert first is not None
    if first.arithmetic == "kept at no cost":
        assert "GR320" in passed(made)
    else:
        assert first.arithmetic == "kept"
        assert any(place.kept for look in made.looks if look.subnormals for place in look.subnormals.places)


def test_a_cpu_that_pays_nothing_is_asked_once_and_no_more() -> None:
    turns = Turns(slower=1.0)
    _, seen = looks(lambda: train(steps=4), turns)
    assert turns.works == [subnormal_product]
    assert [look.subnormals and look.subnormals.arithmetic for look in seen] == ["kept at no cost"] * 4
    assert len(places(seen[0], "adjoint")) == 1
    assert not any(look.subnormals and look.subnormals.places for look in seen[1:])


def test_a_script_that_flushes_is_seen_to_and_nothing_is_timed() -> None:
    turns = Turns()
    set_flushing(True)
    try:
        _, seen = looks(train, turns)
    finally:
        set_flushing(False)
    assert [look.subnormals and look.subnormals.arithmetic for look in seen] == ["flushed"] * 3
    assert not turns.works


def test_a_gradient_that_reaches_all_steps_is_not_asked_after() -> None:
    def learns() -> None:
        torch.manual_seed(0)
        model = nn.LSTM(3, 16)
        for _ in range(3):
            model(torch.randn(60, 4, 3))[0].square().mean().backward()

    turns = Turns()
    _, seen = looks(learns, turns)
    assert not turns.works
    assert all(look.subnormals is not None and look.subnormals.arithmetic == "kept" for look in seen)
    assert not any(look.subnormals and look.subnormals.places for look in seen)


def test_the_layers_of_gr_nn_meet_none() -> None:
    turns = Turns()
    _, seen = looks(lambda: train(gr.nn.LSTM), turns)
    assert not turns.works
    assert not any(places(look, "adjoint") for look in seen)


def test_linear_layers_weights_and_their_gradients_are_counted() -> None:
    def passes() -> None:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2))
        with torch.no_grad():
            model[1].weight[:2] = 1e-40
        for _ in range(2):
            (model(torch.randn(6, 4)).sum() * 1e-39).backward()

    turns = Turns()
    _, (first, *_) = looks(passes, turns)
    reached = places(first, "gradient")
    assert {place.name: place.share for place in reached}["model.2"] == 1.0
    assert [place.share for place in places(first, "weights") if place.name == "model.1.weight"] == [0.25]
    assert {place.name for place in places(first, "parameter gradient")} >= {"model.2.weight", "model.2.bias"}
    (timed,) = (place for place in reached if place.kept)
    assert (timed.whole, timed.times) == (False, 1.0)


def test_under_autocast_the_product_is_in_its_dtype() -> None:
    def passes() -> None:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(torch.randn(6, 4)).sum() * 1e-39
        loss.backward()

    turns = Turns()
    _, (first,) = looks(passes, turns)
    (place,) = places(first, "gradient")
    assert place.share == 1.0
    assert place.kept


def test_a_state_of_another_dtype_than_the_gradient_is_worked_on_in_its_own() -> None:
    state, gradient = torch.full((3,), 1e-40, dtype=torch.bfloat16), torch.ones(3)
    for key in ("exp_avg", "exp_avg_sq"):
        for given in (gradient, None):
            state_update(key, state, given)()
    assert torch.equal(state, torch.full((3,), 1e-40, dtype=torch.bfloat16))


def test_states_of_an_optimizer_are_counted_and_one_update_is_timed() -> None:
    names = {}
    parameters = [nn.Parameter(torch.ones(4, 8)), nn.Parameter(torch.ones(8))]
    optimizer = torch.optim.Adam(parameters)
    for n, p in enumerate(parameters):
        p.grad = torch.ones_like(p)
        names[id(p)] = f"model.{n}"
    optimizer.step()
    optimizer.state[parameters[0]]["exp_avg_sq"][0] = 1e-40
    optimizer.state[parameters[1]]["exp_avg"].fill_(-1e-41)
    before = [{key: value.clone() for key, value in optimizer.state[p].items()} for p in parameters]
    turns = Turns()
    trials = FlushTrials(turns)
    told = subnormal_states(optimizer, set(names), names, trials)
    assert [(each.name, each.kind, each.share) for each in told] == [
        ("model.0", "Adam.exp_avg_sq", 0.25),
        ("model.1", "Adam.exp_avg", 1.0),
    ]
    assert [bool(each.kept) for each in told].count(True) == 1
    assert trials.left == 1
    after = [dict(optimizer.state[p]) for p in parameters]
    assert all(torch.equal(one[key], two[key]) for one, two in zip(before, after, strict=True) for key in one)


def test_the_trial_of_an_optimizer_is_part_of_the_look() -> None:
    def trains() -> None:
        torch.manual_seed(0)
        model = nn.Linear(4, 8)
        optimizer = torch.optim.Adam(model.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            (model(torch.randn(6, 4)).mean() * 1e-19).backward()
            optimizer.step()

    turns = Turns()
    _, seen = looks(trains, turns)
    told = [place for look in seen if look.stepped is not None for place in look.stepped.subnormals]
    assert {place.kind for place in told} == {"Adam.exp_avg_sq"}
    assert [bool(place.kept) for place in told].count(True) == 1
    assert subnormal_product in turns.works


def test_a_place_is_timed_again_where_it_has_far_more() -> None:
    trials = FlushTrials(Turns())

    def time(share: float, name: str = "model.rnn") -> bool:
        place = SubnormalPlace("adjoint", name, "LSTM", share)
        if not trials.may_time(place):
            return False
        trials.timed(place, lambda: None)
        return True

    assert [time(share) for share in (0.005, 0.02, 0.03, 0.09, 0.9)] == [False, True, False, True, False]
    assert trials.left == 0


def test_a_trial_that_raises_leaves_the_mode_and_is_counted() -> None:
    trials = FlushTrials()
    place = SubnormalPlace("adjoint", "model.rnn", "LSTM", 0.5)

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        trials.timed(place, fails)
    assert trials.left == 1
    assert not flushes()
