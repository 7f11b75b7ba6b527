"""The public question. The map itself is held against autograd in test_reach_map.py."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

import gradreach as gr
from gradreach.engine.adjoint import backward, gradient_error
from gradreach.engine.reach import reach
from gradreach.engine.replay import replay

from .cases import ONEDNN, Case, cases

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def ones(module: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.ones_like(module(x)[0])


@pytest.mark.slow(4, "compares 60 random layers with autograd")
@settings(max_examples=60)
@given(cases(dropout=False))
def test_every_layer_and_direction(case: Case) -> None:
    """Shares sum to 1 and the bias ends at 0 where all is swept; the map's diagonal is the local error."""
    module = case.module
    run = replay(module, case.x, case.hx)
    found = backward(run, case.grad_output, case.grad_h_n, case.grad_c_n)
    end = case.grad_h_n if case.grad_c_n is None else (case.grad_h_n, case.grad_c_n)
    for layer in range(module.num_layers):
        for d in range(run.directions):
            each = reach(module, case.x, case.grad_output, case.hx, end_error=end, layer=layer, reverse=d == 1)
            own = found[layer * run.directions + d]
            assert each.exact
            assert (each.layer, each.direction) == (layer, ("forward", "reverse")[d])
            joint = own.local_error
            if own.local_error_c is not None:
                joint = torch.cat([joint, own.local_error_c], -1)
            diagonal = each.map[range(len(each.anchors)), list(each.anchors)]
            assert torch.allclose(diagonal, joint.norm(dim=-1).mean(1)[list(each.anchors)], rtol=1e-10)
            if each.lag_share and abs(each.truncation_bias[1]) < 1e3:
                assert sum(each.lag_share) == pytest.approx(1, abs=1e-10 * max(map(abs, each.lag_share)) + 1e-10)
                assert each.truncation_bias[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("reverse", [False, True])
def test_map_by_steps_of_the_data(reverse: bool) -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 3, bidirectional=True, dtype=torch.float64)
    x = torch.randn(6, 2, 2, dtype=torch.float64)
    found = reach(module, x, ones(module, x), reverse=reverse)
    assert found.anchors == ((5, 4, 3, 2, 1, 0) if reverse else (0, 1, 2, 3, 4, 5))
    R = found.map[list(found.anchors)] if not reverse else found.map.flip(0)
    assert ((R > 0) == (torch.ones(6, 6).triu() if reverse else torch.ones(6, 6).tril()).bool()).all()
    assert torch.equal(found.log10_map.isinf(), found.map == 0)


def test_log_space() -> None:
    """δ_{t→k} = scale^{t−k} e_t on a ReLU RNN in its linear part."""
    for scale, dtype in ((0.5, torch.float32), (2.0, torch.float64)):
        module = nn.RNN(1, 3, nonlinearity="relu", bias=False, dtype=dtype)
        with torch.no_grad():
            module.weight_hh_l0.copy_(scale * torch.eye(3))
            module.weight_ih_l0.fill_(1.0)
        T = 1000 if scale > 1 else 3000
        x = torch.full((T, 1, 1), 1e-300 if scale > 1 else 1.0, dtype=dtype)
        error = torch.zeros(T, 1, 3, dtype=dtype)
        error[-1] = 1e-20
        found = reach(module, x, error)
        expected = [lag * math.log10(scale) for lag in range(T)]
        assert found.log10_curve == pytest.approx(expected, abs=1e-4)
        assert found.factor == pytest.approx(scale, rel=1e-6)
        assert float(found.log10_map[0, 0]) == pytest.approx(expected[-1] + math.log10(1e-20 * 3**0.5), rel=1e-6)


def test_window() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(2, 8), torch.randn(40, 4, 2)
    found = reach(module, x, ones(module, x))
    k2 = found.window(0.01)
    assert k2 is not None
    assert found.truncation_bias[k2] <= 0.01 < min(found.truncation_bias[:k2])
    assert reach(module, x, ones(module, x), max_lag=1).window(1e-9) is None


def test_what_was_left_out_is_said() -> None:
    torch.manual_seed(0)
    module, x = nn.LSTM(2, 4), torch.randn(30, 6, 2)
    whole = reach(module, x, ones(module, x))
    assert (whole.exact, whole.sampled) == (True, "")
    some = reach(module, x, ones(module, x), anchors=5, rows=2, max_lag=9)
    assert not some.exact
    assert some.sampled == (
        "5 of 30 steps with a local error, 2 of 6 rows, lags up to 9: 10 products of 10 states each"
    )
    assert len(some.curve) == 10
    named = reach(module, x, ones(module, x), anchors=[3, -1])
    assert named.anchors == (3, 29)
    assert torch.allclose(named.map, whole.map[[3, 29]], rtol=1e-4)


@pytest.mark.parametrize(
    "cell", [nn.RNNCell(2, 3), nn.RNNCell(2, 3, nonlinearity="relu"), nn.GRUCell(2, 3, bias=False), nn.LSTMCell(2, 3)]
)
def test_a_cell_is_its_layer(cell: nn.Module) -> None:
    torch.manual_seed(0)
    x, e, h = torch.randn(5, 2, 2), torch.randn(5, 2, 3), torch.randn(2, 3)
    state = (h, h) if isinstance(cell, nn.LSTMCell) else h
    family = {nn.LSTMCell: nn.LSTM, nn.GRUCell: nn.GRU, nn.RNNCell: nn.RNN}[type(cell)]
    options = {"nonlinearity": cell.nonlinearity} if isinstance(cell, nn.RNNCell) else {}
    layer = family(2, 3, bias=cell.bias, **options)
    layer.load_state_dict({f"{name}_l0": p for name, p in cell.named_parameters()})
    hx = (h[None], h[None]) if isinstance(cell, nn.LSTMCell) else h[None]
    assert torch.equal(reach(cell, x, e, state).map, reach(layer, x, e, hx).map)


REMEDIES: list[dict[str, Any]] = [
    {"skip": 3},
    {"layer_norm": True},
    {"truncate": 3},
    {"clip_state_grad": 0.5},
    {"skip": 2, "truncate": 4, "layer_norm": True},
]


@pytest.mark.parametrize("remedies", REMEDIES, ids=str)
@pytest.mark.parametrize("family", [gr.nn.RNN, gr.nn.GRU, gr.nn.LSTM])
def test_layers_with_remedies(family: Any, remedies: dict[str, Any]) -> None:
    torch.manual_seed(0)
    layer = family(2, 4, 2, bidirectional=True, dtype=torch.float64, **remedies)
    x = torch.randn(7, 3, 2, dtype=torch.float64)
    output = layer(x)[0]
    error = torch.randn_like(output)
    (output * error).sum().backward()
    run = replay(layer, x)
    assert torch.allclose(run.output, output, rtol=1e-12)
    own = {name: p.grad for name, p in layer.named_parameters()}
    assert gradient_error(backward(run, error), own) < 1e-12
    found = reach(layer, x, error)
    assert sum(found.lag_share) == pytest.approx(1, abs=1e-10)
    assert found.truncation_bias[-1] == pytest.approx(0, abs=1e-10)
    assert len(found.curve) == min(7, remedies.get("truncate", 7))


def test_nothing_of_the_module_is_touched() -> None:
    module = nn.LSTM(2, 3, 2, dropout=0.5)
    x = torch.randn(5, 2, 2, requires_grad=True)
    random, versions = torch.get_rng_state(), [p._version for p in module.parameters()]
    reach(module, x, torch.ones(5, 2, 3))
    assert torch.equal(random, torch.get_rng_state())
    assert versions == [p._version for p in module.parameters()]
    assert module.training
    assert x.grad is None
    assert all(p.grad is None for p in module.parameters())


@pytest.mark.parametrize("T", [1, 2])
def test_short_sequences(T: int) -> None:
    module, x = nn.RNN(2, 3), torch.randn(T, 2, 2)
    found = reach(module, x, ones(module, x))
    assert found.curve[0] == pytest.approx(1)
    assert found.factor is None
    if T == 1:  # W_hh has met h_0 = 0 alone
        assert found.truncation_bias == ()
    else:
        assert found.truncation_bias[-1] == pytest.approx(0, abs=1e-6)


def test_no_error_no_reach() -> None:
    module, x = nn.RNN(2, 3), torch.randn(4, 2, 2)
    found = reach(module, x, torch.zeros(4, 2, 3))
    assert (found.anchors, found.curve, found.horizon, found.window()) == ((), (), 0, None)


x, e = torch.zeros(5, 2, 2), torch.zeros(5, 2, 3)
nan = torch.full_like(x, math.nan)
BAD: list[tuple[str, Any, dict[str, Any]]] = [
    (
        r"module: expected nn.RNN.*got Linear; make any other recurrence a gr.Cell",
        TypeError,
        {"module": nn.Linear(2, 3)},
    ),
    (r"x: expected 2 features in its last dimension, got \(5, 2, 4\)", ValueError, {"x": torch.zeros(5, 2, 4)}),
    (r"x: expected at least one step, got T = 0", ValueError, {"x": torch.zeros(0, 2, 2)}),
    (r"x: expected at least one row, got \(5, 0, 2\)", ValueError, {"x": torch.zeros(5, 0, 2)}),
    (r"x: expected finite values, got 20 of 20", ValueError, {"x": nan}),
    (r"x: expected dtype torch.float32 .* got torch.float64", ValueError, {"x": x.double()}),
    (r"x: expected it on cpu with the weights, got meta", ValueError, {"x": x.to("meta")}),
    (r"local_error: expected \(5, 2, 3\).*got \(2, 5, 3\)", ValueError, {"local_error": torch.zeros(2, 5, 3)}),
    (r"local_error: expected ∂L/∂output, or end_error at h_n, got neither", ValueError, {"local_error": None}),
    (r"local_error: expected finite values, got 30 of 30", ValueError, {"local_error": e / 0}),
    (r"end_error \(h_n\): expected \(1, 2, 3\).*got \(2, 3\)", ValueError, {"end_error": torch.zeros(2, 3)}),
    (r"end_error \(c_n\): expected none for RNN_TANH", ValueError, {"end_error": (torch.zeros(1, 2, 3),) * 2}),
    (r"state: expected h_0 of shape \(1, 2, 3\).*got \(2, 3\)", ValueError, {"state": torch.zeros(2, 3)}),
    (r"layer: expected -1 … 0 of 1 layers, got 1", ValueError, {"layer": 1}),
    (r"reverse: expected False, got True for a layer of one direction", ValueError, {"reverse": True}),
    (r"anchors: expected steps of the data, 0 … 4, got 5", ValueError, {"anchors": [0, 5]}),
    (r"anchors: expected at least 1, or \"all\", got 0", ValueError, {"anchors": 0}),
    (r"rows: expected at least 1, or None for all, got 0", ValueError, {"rows": 0}),
    (r"max_lag: expected at least 1, or None for all, got -3", ValueError, {"max_lag": -3}),
]


@pytest.mark.parametrize(("said", "error", "arguments"), BAD)
def test_bad_input(said: str, error: type[Exception], arguments: dict[str, Any]) -> None:
    given = {"module": nn.RNN(2, 3), "x": x, "local_error": e, **arguments}
    with pytest.raises(error, match=said):
        reach(**given)


def test_nan_weights_are_named() -> None:
    module = nn.LSTM(2, 3)
    with torch.no_grad():
        module.weight_hh_l0[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"expected finite weights, got 1 of 36 values of weight_hh_l0"):
        reach(module, x, e)


def test_non_contiguous_input() -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 3, batch_first=True)
    y = torch.randn(5, 4, 2).transpose(0, 1)
    error = torch.randn(5, 4, 3).transpose(0, 1)
    assert torch.equal(reach(module, y, error).map, reach(module, y.contiguous(), error.contiguous()).map)


def test_public_name() -> None:
    assert gr.reach is reach


def test_a_cell_of_ones_own() -> None:
    """A GRU written as a step, and the same figures; no weights of a function, no shares."""
    torch.manual_seed(0)
    layer, cell = nn.GRU(2, 3, dtype=torch.float64), nn.GRUCell(2, 3, dtype=torch.float64)
    cell.load_state_dict({name[:-3]: p for name, p in layer.named_parameters()})
    data, error = torch.randn(8, 2, 2, dtype=torch.float64), torch.randn(8, 2, 3, dtype=torch.float64)
    state = torch.zeros(2, 3, dtype=torch.float64)
    theirs = reach(layer, data, error)
    ours = reach(gr.Cell(cell), data, error, state)
    assert torch.allclose(ours.map, theirs.map, rtol=1e-10)
    assert (ours.kind, ours.exact, ours.horizon) == ("cell", True, theirs.horizon)
    assert sum(ours.lag_share) == pytest.approx(1)
    assert reach(gr.Cell(lambda x, h: cell(x, h)), data, error, state).lag_share == ()
    with pytest.raises(ValueError, match=r"module: a gr\.Cell has one layer and direction"):
        reach(gr.Cell(cell), data, error, state, layer=0)
    with pytest.raises(ValueError, match="local_error: expected errors at the cell's states, got None"):
        reach(gr.Cell(cell), data, None, state)
    some = reach(gr.Cell(cell), data, error, state, anchors=3, rows=1, max_lag=4)
    assert some.sampled == "3 of 8 steps with a local error, 1 of 2 rows, lags up to 4: 5 products of 3 states each"


def test_float32_keeps_what_falls_fast_and_rows_that_are_dead() -> None:
    module = nn.RNN(1, 2, nonlinearity="relu", bias=False)
    with torch.no_grad():
        module.weight_hh_l0.copy_(1e-6 * torch.eye(2))
        module.weight_ih_l0.fill_(1.0)
    data, error = torch.ones(400, 2, 1), torch.zeros(400, 2, 2)
    data[:, 1] = -1.0  # every unit of this row is off
    error[-1] = 1.0
    found = reach(module, data, error)
    assert found.log10_curve[-1] == pytest.approx(-6 * 399 - math.log10(2), abs=1e-3)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("proj", [0, 2])
def test_by_h_alone_the_norm_is_autograds_at_h(reverse: bool, proj: int) -> None:
    torch.manual_seed(0)
    T, B, H = 7, 3, 4
    layer = nn.LSTM(2, H, proj_size=proj, bidirectional=reverse, dtype=torch.float64)
    name = "_reverse" if reverse else ""
    P = proj or H
    x, error = torch.randn(T, B, 2, dtype=torch.float64), torch.zeros(T, B, (1 + reverse) * P, dtype=torch.float64)
    error[..., -P:] = torch.randn(T, B, P, dtype=torch.float64)
    found = reach(layer, x, error, reverse=reverse)
    alone = found.by_h
    assert alone is not None
    assert (found.norm_of, alone.norm_of, alone.by_h) == ("(h, c)", "h", None)
    assert alone.lag_share == found.lag_share

    one = nn.LSTM(2, H, proj_size=proj, dtype=torch.float64)
    one.load_state_dict({key: getattr(layer, key + name).detach() for key in one.state_dict()})
    own, e = (x.flip(0), error[..., -P:].flip(0)) if reverse else (x, error)
    h, c = torch.zeros(1, B, P, dtype=torch.float64), torch.zeros(1, B, H, dtype=torch.float64)
    states = []
    for t in range(T):
        h, c = (each.detach().requires_grad_() for each in one(own[t : t + 1], (h, c))[1])
        states.append((h, c))
    expected = torch.zeros(T, T, dtype=torch.float64)
    jointly = torch.zeros(T, T, dtype=torch.float64)
    for k, state in enumerate(states):
        later = [state[0][0], *one(own[k + 1 :], state)[0]] if k + 1 < T else [state[0][0]]
        for t, after in enumerate(later, start=k):
            loss = (after * e[t]).sum()
            of_h, of_c = torch.autograd.grad(loss, state, retain_graph=True, allow_unused=True)
            of_c = torch.zeros_like(state[1]) if of_c is None else of_c
            expected[t, k] = of_h[0].norm(dim=1).mean()
            jointly[t, k] = torch.cat([of_h[0], of_c[0]], 1).norm(dim=1).mean()
    if reverse:  # the anchors go with the recurrence, the last step of the data first
        expected, jointly = expected.flip(1), jointly.flip(1)
    assert torch.allclose(alone.map, expected, rtol=1e-10, atol=1e-14)
    assert torch.allclose(found.map, jointly, rtol=1e-10, atol=1e-14)
    assert all(a <= b + 1e-15 for a, b in zip(alone.curve, found.curve, strict=True))


def test_by_h_alone_there_is_nothing_more_without_c() -> None:
    x, error = torch.randn(6, 2, 3), torch.randn(6, 2, 4)
    for layer in (nn.RNN(3, 4), nn.GRU(3, 4)):
        found = reach(layer, x, error)
        assert (found.norm_of, found.by_h) == ("h", None)
    lstm = nn.LSTM(3, 4)
    ends = (torch.zeros(1, 2, 4), torch.randn(1, 2, 4))  # errors at c_n alone: none stands at h
    alone = reach(lstm, x, None, end_error=ends).by_h
    assert alone is not None
    assert alone.curve == ()
    assert alone.horizon == alone.farthest_reached == 0
    none = reach(lstm, x, torch.zeros(6, 2, 4)).by_h
    assert none is not None
    assert none.curve == ()


def test_under_a_shortcut_the_curve_rises_again_past_the_horizon() -> None:
    torch.manual_seed(0)
    layer, error = gr.nn.RNN(3, 8, skip=8), torch.zeros(40, 2, 8)
    with torch.no_grad():
        layer.weight_hh_l0.mul_(0.05)
    error[-1] = 1.0
    found = reach(layer, torch.randn(40, 2, 3), error)
    assert found.curve[8] == pytest.approx(0.5, rel=0.01)
    assert found.horizon < 7
    assert found.farthest_reached == 32
    assert found.curve[32] == pytest.approx(1 / 16, rel=0.05)
    plain = reach(nn.RNN(3, 8), torch.randn(40, 2, 3), error)
    assert plain.farthest_reached == plain.horizon
