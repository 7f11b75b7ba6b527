import dataclasses
import json
import math

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from gradreach.engine.adjoint import backward
from gradreach.engine.look import MAP_COLUMNS, look_at, output_error
from gradreach.engine.reach import reach
from gradreach.engine.replay import replay
from gradreach.record.seen.recurrence import TimeLook

from .cases import ONEDNN, Case, cases

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def look(
    module: nn.RNNBase,
    x: Tensor,
    grad_output: Tensor | None,
    output: Tensor | PackedSequence | None = None,
    **limits: int,
) -> list[TimeLook]:
    run = replay(module, x)
    return look_at("net.rnn", run, backward(run, grad_output), output=output, **limits)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_small_calls_are_seen_whole(case: Case) -> None:
    run = replay(case.module, case.x, case.hx, generator_state=case.generator_state)
    adjoints = backward(run, case.grad_output, case.grad_h_n, case.grad_c_n)
    case.run_backward()
    gradients = {name: p.grad for name, p in case.module.named_parameters()}
    looks = look_at("m", run, adjoints, output=case.output, gradients=gradients)
    directions = ["forward", "reverse"] if case.module.bidirectional else ["forward"]
    expected = [(layer, direction) for layer in range(case.module.num_layers) for direction in directions]
    assert [(each.layer, each.direction) for each in looks] == expected
    for each in looks:
        assert max(case.lengths) == each.T
        assert each.batch == len(case.lengths)
        assert each.exact, each.why_inexact
        assert each.gradient_error is None or each.gradient_error < 1e-9
        assert not each.reach or each.reach[0] == pytest.approx(1.0)
        assert not each.lag_share or sum(each.lag_share) == pytest.approx(1.0)
        assert len(each.adjoint) == len(each.local_error) == each.T
        json.dumps(dataclasses.asdict(each), allow_nan=False)


def test_a_last_step_loss_is_exact_over_a_large_batch() -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(3, 8), torch.randn(50, 300, 3)
    output, _ = module(x)
    error = torch.zeros_like(output)
    error[-1] = 1.0
    (seen,) = look(module, x, error, output)
    assert seen.exact
    assert seen.anchors == 1
    assert len(seen.reach) == 50
    # with one anchor the map is δ itself
    assert [a / seen.adjoint[-1] for a in reversed(seen.adjoint)] == pytest.approx(seen.reach, rel=1e-4)


def test_sampling_is_told() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(3, 8), torch.randn(60, 20, 3)
    (seen,) = look(module, x, torch.ones(60, 20, 8), max_anchors=6, max_rows=2)
    assert seen.exact
    assert seen.anchors == 6
    assert seen.sampled == "6 of the steps with a local error, 3 of 20 rows"
    (whole,) = look(module, x, torch.ones(60, 20, 8), max_anchors=60, max_rows=20)
    assert whole.sampled == ""
    assert seen.factor == pytest.approx(whole.factor, abs=0.1)
    assert len(look(module, x, torch.ones(60, 20, 8), max_lag=9)[0].reach) == 10


def test_a_foreign_output_is_told() -> None:
    torch.manual_seed(0)
    module, x = nn.LSTM(3, 8), torch.randn(5, 2, 3)
    output, _ = module(x)
    (seen,) = look(module, x, torch.ones_like(output), output * 1.001)
    assert not seen.exact
    assert "differs from the layer's by 1.0e-03" in seen.why_inexact
    assert output_error(replay(module, x), output) < 1e-6


@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(("T", "B"), [(1, 1), (1, 3), (4, 0), (0, 2), (0, 0)])
def test_small_and_empty(family: type[nn.RNNBase], T: int, B: int) -> None:
    module, x = family(3, 4, num_layers=2, bidirectional=True), torch.randn(T, B, 3)
    for seen in look(module, x, torch.ones(T, B, 8)):
        assert (seen.T, seen.batch) == (T, B)
        assert seen.factor is None
        assert seen.horizon == 0
        json.dumps(dataclasses.asdict(seen), allow_nan=False)


@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("place", ["input", "weight", "error"])
def test_what_is_not_finite_is_left_out(family: type[nn.RNNBase], value: float, place: str) -> None:
    torch.manual_seed(0)
    module, x, error = family(3, 4), torch.randn(6, 2, 3), torch.ones(6, 2, 4)
    with torch.no_grad():
        if place == "weight":
            module.weight_hh_l0[0, 0] = value
        else:
            (x if place == "input" else error)[3, 0, 0] = value
    for seen in look(module, x, error, module(x)[0]):
        json.dumps(dataclasses.asdict(seen), allow_nan=False)


def test_no_error_at_all() -> None:
    module, x = nn.GRU(3, 4), torch.randn(6, 2, 3)
    (seen,) = look(module, x, None)
    assert seen.reach == seen.lag_share == seen.truncation_bias == ()
    assert (seen.anchors, seen.horizon, seen.factor) == (0, 0, None)


@pytest.mark.parametrize("T", [12, 200])
@pytest.mark.parametrize("reverse", [False, True])
def test_the_map_that_is_kept_is_that_of_reach(T: int, reverse: bool) -> None:
    torch.manual_seed(3)
    module, x = nn.GRU(3, 8, bidirectional=True), torch.randn(T, 4, 3)
    error = torch.randn(T, 4, 16)
    seen = look(module, x, error)[int(reverse)]
    whole = reach(module, x, error, reverse=reverse, anchors="all")
    row_of = dict(zip(whole.anchors, whole.log10_map, strict=True))
    assert len(seen.map_rows) == len(seen.log10_map) == min(T, 16)
    assert list(seen.map_columns) == sorted({*seen.map_columns, *seen.map_rows, 0, T - 1})
    assert len(seen.map_columns) <= MAP_COLUMNS
    for t, cells in zip(seen.map_rows, seen.log10_map, strict=True):
        for k, cell in zip(seen.map_columns, cells, strict=True):
            expected = float(row_of[t][k])
            assert (cell is None) == (k < t if reverse else k > t) or expected < -20
            assert cell is None or cell == pytest.approx(expected, abs=0.0051)


def test_no_local_error_no_map() -> None:
    (seen,) = look(nn.RNN(3, 8), torch.randn(12, 4, 3), torch.zeros(12, 4, 8))
    assert seen.log10_map == ()
    assert seen.map_rows == ()


@pytest.mark.parametrize("reverse", [False, True])
def test_steps_after_the_last_error_are_padding(reverse: bool) -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(2, 4, bidirectional=True), torch.randn(10, 3, 2)
    error = torch.zeros(10, 3, 8)
    error[:6, 0], error[:4, 1], error[3, 1] = 1.0, 1.0, 1.0  # the third row has none at all
    seen = look(module, x, error)[reverse]
    assert seen.padded == pytest.approx((4 + 6) / 20)
    assert seen.farthest == (9 if reverse else 5)
    assert len(look(module, x, torch.ones(10, 3, 8))[reverse].local_error) == 10
    assert look(module, x, torch.ones(10, 3, 8))[reverse].padded == 0.0
    assert look(module, x, torch.zeros(10, 3, 8))[reverse].padded is None


def test_what_is_packed_is_no_padding() -> None:
    torch.manual_seed(0)
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(9, 2, 2), torch.tensor([9, 4]))
    module = nn.LSTM(2, 4)
    run = replay(module, packed)
    (seen,) = look_at("net.rnn", run, backward(run, torch.ones(13, 4)))
    assert seen.padded == 0.0
    error = torch.ones(13, 4)
    error[-2:] = 0.0  # the last two steps of the longer row
    (seen,) = look_at("net.rnn", run, backward(run, error))
    assert seen.padded == pytest.approx(2 / 13)
