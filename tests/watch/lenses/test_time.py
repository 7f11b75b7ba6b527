"""What is seen of recurrent layers in a script's own step equals what autograd computed there."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

import gradreach as gr
from gradreach.record.schema import Record
from gradreach.record.seen.recurrence import TimeLook
from gradreach.watch.tensors import tensors_of
from tests.watch import loops
from tests.watch.conftest import Watched

STOCK = (
    loops.stacked_lstm_with_dropout,
    loops.bidirectional_gru_last_step,
    loops.relu_rnn_on_h_n,
    loops.projected_lstm,
    loops.packed_lstm,
    loops.by_hand,
)


def _time(record: Record) -> list[TimeLook]:
    return [look for step in record.looks for look in step.time]


@pytest.mark.parametrize("train", STOCK, ids=lambda f: f.__name__)
def test_parameter_gradients_that_follow_are_the_scripts_own(train, watched: Watched) -> None:
    _, record = watched(train)
    looks = _time(record)
    assert len(record.looks) == loops.STEPS
    assert looks
    for look in looks:
        assert look.exact, look.why_inexact
        assert look.gradient_error is not None
        assert look.gradient_error < 1e-5
        assert look.reach[0] == pytest.approx(1.0)


def test_every_layer_and_direction_is_seen(watched: Watched) -> None:
    _, record = watched(loops.packed_lstm)
    seen = {(look.layer, look.direction) for look in _time(record)}
    assert seen == {(0, "forward"), (0, "reverse"), (1, "forward"), (1, "reverse")}
    assert {look.module for look in _time(record)} == {"model.layer"}


REMEDIES = [
    {},
    {"skip": 3},
    {"layer_norm": True},
    {"clip_state_grad": 1e-3},
    {"truncate": 3},
    {"orthogonal": True, "keep_adjoint": True},
]


@pytest.mark.parametrize("remedies", REMEDIES, ids=str)
@pytest.mark.parametrize("family", [gr.nn.RNN, gr.nn.GRU, gr.nn.LSTM])
def test_layers_with_remedies_are_seen_as_they_are(family, remedies, watched: Watched) -> None:
    def train() -> None:
        layer = family(5, 8, 2, bidirectional=True, **remedies)
        model = loops.Recurrent(layer, 16)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.randn(20, 4, 5)).square().sum().backward()
            optimizer.step()

    _, record = watched(train)
    looks = _time(record)
    assert {(look.layer, look.direction) for look in looks} == {(n, d) for n in (0, 1) for d in ("forward", "reverse")}
    for look in looks:
        assert look.exact, look.why_inexact
        assert look.gradient_error is not None
        assert look.gradient_error < 1e-5
        assert len(look.reach) == remedies.get("truncate", 20)
        assert (look.bound_factor is not None) == (family is gr.nn.RNN and not {"skip", "layer_norm"} & set(remedies))


@pytest.mark.parametrize("kind", ["MinGRU", "MinLSTM"])
@pytest.mark.parametrize("remedies", [{}, {"skip": 3}, {"truncate": 3}], ids=str)
def test_a_cell_whose_gates_do_not_look_at_the_state(remedies, kind: str, watched: Watched) -> None:
    def train() -> None:
        layer = getattr(gr.nn, kind)(5, 8, 2, bidirectional=True, dropout=0.3, dtype=torch.float64, **remedies)
        model = loops.Recurrent(layer, 16).double()
        model(torch.randn(20, 4, 5, dtype=torch.float64)).square().sum().backward()

    _, record = watched(train)
    looks = _time(record)
    assert {(look.layer, look.direction) for look in looks} == {(n, d) for n in (0, 1) for d in ("forward", "reverse")}
    for look in looks:
        assert look.kind == kind
        assert look.exact, look.why_inexact
        assert look.gradient_error is not None
        assert look.gradient_error < 1e-10
        assert look.lag_share == look.truncation_bias == ()
        assert (look.gamma, look.lambda_, look.bound_factor, look.saturated) == (None,) * 4
        assert (len(look.lyapunov) == 4) == ("skip" not in remedies)
        assert len(look.reach) == remedies.get("truncate", 20)


def test_the_logistic_has_its_own_bound(watched: Watched) -> None:
    def train() -> None:
        model = loops.Recurrent(gr.nn.RNN(5, 8, nonlinearity="sigmoid"), 8)
        model(torch.randn(7, 4, 5)).square().sum().backward()

    _, record = watched(train)
    (look,) = _time(record)
    assert look.kind == "RNN_SIGMOID"
    assert (look.gamma, look.saturated) == (0.25, 0.0)
    assert look.gamma_mean is not None
    assert 0.1 < look.gamma_mean <= 0.25
    assert look.bound_factor == pytest.approx(0.25 * look.lambda_)


def test_accumulated_gradients_are_told_apart_from_this_pass(watched: Watched) -> None:
    def train() -> None:
        model = loops.Recurrent(nn.GRU(5, 8), 8)
        for _ in range(3):
            model(torch.randn(7, 4, 5)).square().sum().backward()

    _, record = watched(train)
    assert all(look.gradient_error is not None and look.gradient_error < 1e-5 for look in _time(record))


def test_a_scaled_loss_leaves_the_adjoint_as_it_is(watched: Watched) -> None:
    def train(scale: float) -> None:
        torch.manual_seed(0)
        model = loops.Recurrent(nn.LSTM(5, 8), 8)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(model(torch.randn(7, 4, 5)).square().sum()).backward()

    plain = _time(watched(lambda: train(1.0))[1])[0]
    scaled = _time(watched(lambda: train(4096.0))[1])[0]
    assert scaled.adjoint == pytest.approx(plain.adjoint, rel=1e-5)
    assert scaled.gradient_error is not None
    assert scaled.gradient_error < 1e-5


def test_cells_in_a_loop_are_one_sequence(watched: Watched) -> None:
    _, record = watched(loops.cells_with_lbfgs)
    looks = {look.module: look for look in record.looks[0].time}
    assert set(looks) == {"model.first", "model.second"}
    assert looks["model.first"].kind == "LSTMCell"
    assert looks["model.second"].kind == "GRUCell"
    for look in looks.values():
        assert look.T == 8
        assert look.gradient_error is not None
        assert look.gradient_error < 1e-9


def test_a_stock_layer_fed_step_by_step_is_one_sequence(watched: Watched) -> None:
    def train() -> None:
        gru, head = nn.GRU(3, 8), nn.Linear(8, 1)
        h = torch.zeros(1, 4, 8)
        out = []
        for _ in range(6):
            y, h = gru(torch.randn(1, 4, 3), h)
            out.append(head(y))
        torch.cat(out).square().mean().backward()

    _, record = watched(train)
    (look,) = _time(record)
    assert look.T == 6
    assert look.gradient_error is not None
    assert look.gradient_error < 1e-5


def _hand_reach(model: loops.Loop, x: Tensor) -> tuple[list[float], list[float]]:
    """‖δ_k‖ of the states that enter h2h, and r(ℓ) of a last-step loss, by one autograd pass over an unrolled loop."""
    states = [x.new_zeros(x.shape[1], 8, requires_grad=True)]
    for x_t in x:
        states.append(torch.tanh(model.i2h(x_t) + model.h2h(states[-1])))
    gradients = torch.autograd.grad(model.head(states[-1]).square().sum(), states[1:-1])
    sizes = [float(g.norm(dim=-1).mean()) for g in gradients]
    return sizes, [size / sizes[-1] for size in reversed(sizes)]


def test_a_loop_written_by_hand_is_followed_through_the_graph(watched: Watched) -> None:
    torch.manual_seed(0)
    model = loops.Loop().double()
    x = torch.randn(9, 4, 5).double()
    _, record = watched(lambda: model(x).square().sum().backward())
    (look,) = _time(record)
    adjoint, reach = _hand_reach(model, x)
    assert look.module.endswith("h2h")
    assert look.exact
    assert look.adjoint == pytest.approx(adjoint, rel=1e-10)
    assert look.reach == pytest.approx(reach, rel=1e-10)
    assert look.map_rows == (len(adjoint) - 1,)
    assert look.map_columns == tuple(range(len(adjoint)))
    assert look.log10_map[0] == pytest.approx([math.log10(size) for size in adjoint], abs=0.0051)


class _Step(nn.Module):
    """A cell of one's own, which hands its state on as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3 + 8, 8)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.mix(torch.cat([x, h], 1)))


def test_a_custom_cell_with_errors_at_every_step(watched: Watched) -> None:
    torch.manual_seed(0)
    cell, head = _Step().double(), nn.Linear(8, 1).double()
    x = torch.randn(6, 4, 3).double()

    def run() -> list[Tensor]:
        h = torch.zeros(4, 8).double()
        states = []
        for x_t in x:
            h = cell(x_t, h)
            states.append(h)
        return states

    _, record = watched(lambda: sum(head(h).square().sum() for h in run()).backward())
    (look,) = _time(record)
    assert look.kind == "_Step"
    assert look.T == 6
    states = run()
    direct = []
    for h in states:
        leaf = h.detach().requires_grad_()
        direct.append(torch.autograd.grad(head(leaf).square().sum(), leaf)[0])
    assert look.local_error == pytest.approx([float(e.norm(dim=-1).mean()) for e in direct], rel=1e-8)
    far = [
        float(torch.autograd.grad(states[t], states[t - 3], direct[t], retain_graph=True)[0].norm(dim=-1).mean())
        for t in range(3, 6)
    ]
    near = [float(direct[t].norm(dim=-1).mean()) for t in range(3, 6)]
    assert look.reach[3] == pytest.approx(sum(far) / sum(near), rel=1e-8)


class _Keeping(nn.Module):
    """A cell that keeps its state by itself, in an attribute, a list, a dict or a buffer."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(3, 8))
        self.u = nn.Parameter(0.5 * torch.randn(8, 8))
        self.where = where
        self.register_buffer("buffer", None)
        self.keep(torch.zeros(4, 8))

    def keep(self, h: Tensor) -> None:
        self.h: object = {"attribute": h, "list": [h], "dict": {"h": h}, "buffer": None}[self.where]
        self.buffer = h if self.where == "buffer" else None

    def forward(self, x: Tensor) -> Tensor:
        h = next(iter(tensors_of(self.h, self.buffer)))
        self.keep(torch.relu(x @ self.w + h @ self.u))
        return next(iter(tensors_of(self.h, self.buffer)))


@pytest.mark.parametrize("where", ["attribute", "list", "dict", "buffer"])
def test_a_state_that_a_module_keeps_is_a_recurrence(where: str, watched: Watched) -> None:
    torch.manual_seed(0)
    cell, head = _Keeping(where), nn.Linear(8, 1)
    x = torch.randn(7, 4, 3)

    def run() -> list[Tensor]:
        cell.keep(torch.zeros(4, 8))
        return [cell(x_t) for x_t in x]

    _, record = watched(lambda: head(run()[-1]).square().sum().backward())
    (look,) = _time(record)
    assert (look.kind, look.T, look.batch, look.hidden) == ("_Keeping", 7, 4, 8)
    assert [size > 0.0 for size in look.local_error] == [False] * 6 + [True]
    states = run()
    sizes = [
        float(torch.autograd.grad(head(states[-1]).square().sum(), h, retain_graph=True)[0].norm(dim=-1).mean())
        for h in reversed(states)
    ]
    assert look.reach == pytest.approx([size / sizes[0] for size in sizes], rel=1e-4)


def test_other_tensors_in_attributes_are_no_state(watched: Watched) -> None:
    """What a module put out last, kept to be looked at, and a weight that was computed once."""

    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.scale = nn.Linear(4, 4), nn.Parameter(torch.ones(4))
            self.weight = self.last = torch.ones(4)

        def forward(self, x: Tensor) -> Tensor:
            self.last = torch.relu(self.layer(x)) * self.weight
            return self.last

    def train() -> None:
        tower = Tower()
        tower.weight = tower.scale.exp()
        mse_loss(torch.cat([tower(torch.randn(2, 4)) for _ in range(5)]), torch.zeros(10, 4)).backward()

    _, record = watched(train)
    assert _time(record) == []


def test_layers_that_share_nothing_through_time_are_no_recurrence(watched: Watched) -> None:
    """A head called at every step, an activation used in many places, a tower called on many inputs."""

    def train() -> None:
        tower, act, head = nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1)
        parts = [head(act(tower(torch.randn(2, 4)))) for _ in range(5)]
        mse_loss(torch.cat(parts), torch.zeros(10, 1)).backward()

    _, record = watched(train)
    assert _time(record) == []


def test_what_is_handed_on_unchanged_is_no_part_of_the_state(watched: Watched) -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix = nn.Linear(8 + 3, 8)

        def forward(self, x: Tensor, h: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
            return torch.tanh(self.mix(torch.cat([x, h], 1)) + memory), memory

    torch.manual_seed(0)
    cell, encoder = Reads().double(), nn.Linear(3, 8).double()
    x = torch.randn(9, 4, 3).double()

    def run() -> list[Tensor]:
        h, memory = torch.zeros(4, 8).double(), encoder(x[0])
        states = []
        for x_t in x:
            h, memory = cell(x_t, h, memory)
            states.append(h)
        return states

    kept = []
    _, record = watched(lambda: (kept.extend(run()), kept[-1].square().sum().backward()))
    (look,) = _time(record)
    states = run()
    deltas = torch.autograd.grad(states[-1].square().sum(), states)
    assert look.adjoint == pytest.approx([float(d.norm(dim=-1).mean()) for d in deltas], rel=1e-9)
