import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradreach.engine.adjoint import LayerAdjoint, backward
from gradreach.engine.reach_curve import curve, curve_from_norms, factor, horizon
from gradreach.engine.reach_map import NEGLIGIBLE, choose_anchors, reach_map
from gradreach.engine.replay import replay
from gradreach.engine.scan import Unroll

from .cases import ONEDNN, Case, cases, step, weights_of

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def top(case: Case) -> list[tuple[str, Unroll, LayerAdjoint]]:
    """Every unroll of the case with its name and adjoint."""
    run = replay(case.module, case.x, case.hx, generator_state=case.generator_state)
    found = backward(run, case.grad_output, case.grad_h_n, case.grad_c_n)
    return list(zip(run.names, run.unrolls, found, strict=True))


def by_autograd(
    case: Case, name: str, run: Unroll, found: LayerAdjoint, b: int, t: int
) -> tuple[list[float], list[Tensor]]:
    """For one row and one anchor t (in run order): ‖δ_{t→t−ℓ}‖ with (h, c) cut off as leaves at t − ℓ, and dW_ℓ."""
    w = weights_of(case.module, name)
    e = run.in_data_order(found.local_error)[t, b]
    e_c = None if found.local_error_c is None else run.in_data_order(found.local_error_c)[t, b]
    start = 0 if run.sizes is None else sum(b >= n for n in run.sizes) if run.reverse else 0
    norms, parts = [], []
    for k in range(t, start - 1, -1):
        h = run.h[k + 1, b].clone().requires_grad_()
        c = None if run.c is None else run.c[k + 1, b].clone().requires_grad_()
        now, now_c = h, c
        for s in range(k + 1, t + 1):
            now, now_c = step(case.module.mode, w, run.x[s, b], now, now_c)
        loss = (now * e).sum() + (0.0 if e_c is None or now_c is None else (now_c * e_c).sum())
        leaves = [h] if c is None else [h, c]
        grads = [
            torch.zeros_like(leaf) if g is None else g
            for leaf, g in zip(leaves, torch.autograd.grad(loss, leaves, allow_unused=True), strict=True)
        ]
        norms.append(float(torch.cat(grads).norm()))
        own = {**w, "weight_hh": w["weight_hh"].clone().requires_grad_()}
        end, end_c = step(case.module.mode, own, run.x[k, b], run.h[k, b], None if run.c is None else run.c[k, b])
        local = (end * grads[0]).sum() + (0.0 if end_c is None else (end_c * grads[1]).sum())
        parts.append(torch.autograd.grad(local, own["weight_hh"])[0])
    return norms, parts


@settings(deadline=None, max_examples=40)
@given(cases(), st.data())
def test_map_lag_share_and_bias_are_autograds(case: Case, data: st.DataObject) -> None:
    name, run, found = data.draw(st.sampled_from(top(case)))
    T, B, _ = run.x.shape
    anchors = sorted(data.draw(st.sets(st.integers(0, T - 1), min_size=1)))
    rows = data.draw(st.one_of(st.none(), st.lists(st.integers(0, B - 1), min_size=1, unique=True).map(sorted)))
    reach = reach_map(run, found.local_error, anchors=anchors, rows=rows, local_error_c=found.local_error_c)
    chosen = list(range(B)) if rows is None else rows
    lags = reach.log2_norms.shape[1]
    norms, errors = torch.zeros(len(anchors), lags, dtype=torch.float64), torch.zeros(lags, dtype=torch.float64)
    parts = torch.zeros(lags, *run.weights.w_hh.shape, dtype=torch.float64)
    for a, anchor in enumerate(reach.anchors):
        t = T - 1 - anchor if run.reverse else anchor
        for b in chosen:
            if run.sizes is not None and b >= run.sizes[t]:
                continue
            of_row, dW = by_autograd(case, name, run, found, b, t)
            for lag, (norm, part) in enumerate(zip(of_row, dW, strict=True)):
                norms[a, lag] += norm / len(chosen)
                errors[lag] += of_row[0] / len(chosen)
                parts[lag] += part
    assert sorted(reach.anchors) == anchors
    assert torch.allclose(reach.log2_norms.exp2(), norms, rtol=1e-10, atol=1e-14)
    assert torch.allclose(reach.errors, errors, rtol=1e-10, atol=1e-14)
    total = parts.sum(0)
    size = float(total.norm())
    cancelled = float(parts.flatten(1).norm(dim=1).sum()) / size if size > 0 else math.inf
    if cancelled > 1e6:
        return
    tolerance = 1e-10 * max(1.0, cancelled / 10) ** 2  # parts that cancel leave their rounding behind
    share = (parts * total).sum((1, 2)) / total.norm() ** 2
    left = [float((total - parts[:k].sum(0)).norm() / total.norm()) for k in range(lags + 1)]
    assert reach.lag_share == pytest.approx(share.tolist(), abs=tolerance)
    assert sum(reach.lag_share) == pytest.approx(1.0, abs=tolerance)
    assert reach.truncation_bias == pytest.approx(left, abs=tolerance)


@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize("k2", [1, 3, 8])
def test_truncation_bias_is_that_of_detaching(family: type[nn.RNNBase], k2: int) -> None:
    """TBPTT with k1 = 1: each error goes back through k2 steps, after which the state is detached."""
    torch.manual_seed(0)
    T, module = 8, family(3, 4, dtype=torch.float64)
    x, errors = torch.randn(T, 2, 3, dtype=torch.float64), torch.randn(T, 2, 4, dtype=torch.float64)
    module(x)[0].backward(errors)
    whole = module.weight_hh_l0.grad.clone()
    module.zero_grad()
    for t in range(T):
        first = max(0, t - k2 + 1)
        state = None
        if first > 0:
            with torch.no_grad():
                _, state = module(x[:first])
        output, _ = module(x[first : t + 1], state)
        output[-1].backward(errors[t])
    expected = float((whole - module.weight_hh_l0.grad).norm() / whole.norm())
    run = replay(module, x)
    found = backward(run, errors)[0]
    reach = reach_map(run.unrolls[0], found.local_error, anchors=range(T))
    assert reach.truncation_bias[k2] == pytest.approx(expected, abs=1e-10)
    given_total = reach_map(run.unrolls[0], found.local_error, anchors=range(T), total=whole)
    assert given_total.truncation_bias == pytest.approx(reach.truncation_bias, abs=1e-10)


def identity(scale: float, T: int, dtype: torch.dtype) -> Unroll:
    """A ReLU RNN with W_hh = scale · 1 that stays in its linear part: δ_{t→k} = scale^{t−k} e_t."""
    module = nn.RNN(1, 3, nonlinearity="relu", bias=False, dtype=dtype)
    with torch.no_grad():
        module.weight_hh_l0.copy_(scale * torch.eye(3))
        module.weight_ih_l0.fill_(1.0)
    return replay(module, torch.full((T, 2, 1), 1e-30 if scale > 1 else 1.0, dtype=dtype)).unrolls[0]


@pytest.mark.parametrize(("scale", "T"), [(0.5, 60), (0.97, 400), (1.0, 50), (1.5, 150)])
def test_curve_and_factor_of_a_known_recurrence(scale: float, T: int) -> None:
    error = torch.zeros(T, 2, 3)
    error[-1] = 1.0
    r = curve(reach_map(identity(scale, T, torch.float32), error, anchors=[T - 1]))
    assert len(r) == T
    assert r == pytest.approx([scale**lag for lag in range(T)], rel=1e-4)
    assert factor(r) == pytest.approx(scale, rel=1e-4)
    assert horizon(r) == min(T - 1, T - 1 if scale >= 1 else math.floor(math.log(0.01) / math.log(scale)))


def test_growth_past_float32_is_still_measured() -> None:
    run = identity(3.0, 40, torch.float32)
    error = torch.zeros(40, 2, 3)
    error[-1] = 1e30
    r = curve(reach_map(run, error, anchors=[39]))
    assert r[30] == pytest.approx(3.0**30, rel=1e-4)  # 1e30 · 3^30 lies past float32
    assert factor(r) == pytest.approx(3.0, rel=1e-4)


def test_errors_too_small_to_be_squared_are_measured() -> None:
    run = identity(0.5, 20, torch.float32)
    error = torch.zeros(20, 2, 3)
    error[-1] = 1e-30
    assert choose_anchors(error) == ((19,), True)
    assert curve(reach_map(run, error, anchors=[19])) == pytest.approx([0.5**lag for lag in range(20)], rel=1e-4)


def test_a_curve_ends_where_it_is_not_finite_and_is_0_where_nothing_is_left() -> None:
    run = identity(0.01, 40, torch.float32)
    error = torch.zeros(40, 2, 3)
    error[-1] = 1.0
    reach = reach_map(run, error, anchors=[39])
    r = curve(reach)
    assert len(r) == 40
    assert r[-1] == pytest.approx(1e-78, rel=1e-4)  # past the range of float32
    assert curve(reach_map(run, error, anchors=[39], floor=NEGLIGIBLE))[-1] == 0.0
    assert factor(r) == pytest.approx(0.01, rel=1e-3)
    assert len(reach.lag_share) == 40
    assert len(reach.truncation_bias) == 41
    error[-1] = math.nan
    broken = reach_map(run, error, anchors=[39])
    assert curve(broken) == ()
    assert broken.lag_share == ()
    assert horizon(()) == 0
    assert factor(()) is None


def test_largest_lag_bounds_the_sweep_and_not_the_figures() -> None:
    run = identity(0.9, 30, torch.float64)
    error = torch.ones(30, 2, 3, dtype=torch.float64)
    whole = reach_map(run, error, anchors=range(30))
    cut = reach_map(run, error, anchors=range(30), max_lag=5)
    assert curve(cut) == pytest.approx(curve(whole)[:6])
    assert cut.lag_share == pytest.approx(whole.lag_share[:6])
    assert cut.truncation_bias == pytest.approx(whole.truncation_bias[:7])


def test_no_anchor_no_row() -> None:
    run = identity(0.9, 5, torch.float64)
    error = torch.zeros(5, 2, 3, dtype=torch.float64)
    assert curve(reach_map(run, error, anchors=[])) == ()
    assert curve(reach_map(run, error, anchors=[4], rows=[])) == ()
    assert curve(reach_map(run, error, anchors=[4])) == ()


def test_anchors() -> None:
    error = torch.zeros(100, 2, 3)
    assert choose_anchors(error) == ((), True)
    error[[4, 70]] = 1.0
    assert choose_anchors(error, 2) == ((4, 70), True)
    error[:] = 1.0
    anchors, every = choose_anchors(error, 12)
    assert not every
    assert len(set(anchors)) == 12
    assert (anchors[0], anchors[-1]) == (0, 99)
    assert max(b - a for a, b in pairwise(anchors)) <= 10
    assert choose_anchors(error, 1) == ((99,), False)
    fading = error * 0.5 ** torch.arange(99, -1, -1.0)[:, None, None]
    anchors, every = choose_anchors(fading, 12)
    assert not every
    assert anchors == tuple(range(90, 100))  # 1 − 2^−10 of the whole


def test_curve_from_norms() -> None:
    assert curve_from_norms({}) == ()
    assert curve_from_norms({0: [2.0], 2: [1.0, 0.5, 0.25]}) == pytest.approx((1.0, 0.5, 0.25))


def test_factor_needs_three_lags() -> None:
    assert factor((1.0, 0.5)) is None
    assert factor((1.0, 0.0, 0.0)) is None
    assert factor((1.0, 0.5, 0.0)) == pytest.approx(0.5)
