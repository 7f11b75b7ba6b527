import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from gradreach.engine.bounds import bounds
from gradreach.engine.custom.step import Cell
from gradreach.engine.replay import replay
from gradreach.engine.scan import Unroll
from gradreach.engine.spectrum import Spectrum, ladder, spectrum, unrolled
from gradreach.remedies import layers as remedied

from .cases import ONEDNN, Case, cases, step, weights_of

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def by_autograd(mode: str, w: dict[str, Tensor], run: Unroll, row: int, skip: int = 0) -> list[Tensor]:
    """∂h_t/∂h_k for t the row's last step and every lag; of (h, c) where there is a c and no shortcut."""
    steps = list(range(len(run.x))) if run.active is None else run.active[:, row].nonzero().flatten().tolist()
    x, h_0 = run.x[steps, row], run.h[steps[0], row]
    c_0 = None if run.c is None else run.c[steps[0], row]
    P = len(h_0)

    def cell(t: int, h: Tensor, c: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if mode == "RNN_SIGMOID":
            return torch.sigmoid(w["weight_ih"] @ x[t] + w["bias_ih"] + w["weight_hh"] @ h + w["bias_hh"]), None
        return step(mode, w, x[t], h, c)

    def end(at: int, state: Tensor | None) -> Tensor:
        """The state after the last step, where `state` stands in for that after step `at`."""
        hs, c = [h_0], c_0
        for t in range(len(steps)):
            h, c = cell(t, hs[-1], c)
            if skip and t + 1 >= skip:
                h = (h + hs[t + 1 - skip]) / 2
            if t == at and state is not None:
                h, c = state[:P], state[P:] if len(state) > P else c
            hs.append(h)
        return hs[-1] if c is None or skip else torch.cat([hs[-1], c])

    found = []
    for lag in range(len(steps)):
        t = steps[len(steps) - 1 - lag]
        parts = [run.h[t + 1, row]] + ([] if run.c is None or skip else [run.c[t + 1, row]])
        found.append(
            torch.autograd.functional.jacobian(lambda s, lag=lag: end(len(steps) - 1 - lag, s), torch.cat(parts))
        )
    return found


def check(found: Spectrum, products: list[Tensor], noise: float = 1e-300) -> None:
    """Norms to 1e-10 of their size, singular values to 1e-10 of the largest; `noise` is what a sum of ways that cancel
    may leave."""
    assert len(products) == found.T
    for lag, product in enumerate(products):
        values = torch.linalg.svdvals(product)
        assert 10 ** found.log10_norm[lag] == pytest.approx(float(values[0]), rel=1e-10, abs=noise)
        own = 10.0 ** torch.tensor(found.log10_singular_values[lag], dtype=torch.float64)
        assert torch.allclose(own.nan_to_num(0.0), values, rtol=1e-10, atol=1e-9 * float(values[0]) + noise)


@settings(max_examples=60)
@given(cases(dropout=False), st.data())
def test_norms_and_singular_values_are_autograds(case: Case, data: st.DataObject) -> None:
    layer = data.draw(st.integers(0, case.module.num_layers - 1))
    reverse = data.draw(st.booleans()) if case.module.bidirectional else False
    row = data.draw(st.integers(0, len(case.lengths) - 1))
    assume(case.lengths[row] > 1)
    lags = list(range(case.lengths[row]))
    found = spectrum(case.module, case.x, case.hx, layer=layer, reverse=reverse, row=row, lags=lags)
    run, at = unrolled(case.module, case.x, case.hx, layer=layer, reverse=reverse, row=row)
    assert run.reverse == reverse
    name = f"_l{layer}" + ("_reverse" if reverse else "")
    check(found, by_autograd(case.module.mode, weights_of(case.module, name), run, at))
    if found.log10_bound:
        assert all(norm <= bound + 1e-12 for norm, bound in zip(found.log10_norm, found.log10_bound, strict=True))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(["sigmoid", "tanh", "relu", "GRU", "LSTM"]), st.integers(0, 4))
def test_shortcuts_and_the_logistic_rnn_are_autograds(seed: int, kind: str, skip: int) -> None:
    torch.manual_seed(seed)
    if kind in ("GRU", "LSTM"):
        module: nn.RNNBase = getattr(remedied, kind)(2, 4, skip=skip, dtype=torch.float64)
    else:
        module = remedied.RNN(2, 4, nonlinearity=kind, skip=skip, dtype=torch.float64)
    x = torch.randn(7, 2, 2, dtype=torch.float64)
    found = spectrum(module, x, row=1, lags=range(7))
    run, at = unrolled(module, x, None, layer=-1, reverse=False, row=1)
    assert torch.allclose(run.h[1:], module(x)[0])
    check(found, by_autograd(module.mode, weights_of(module, "_l0"), run, at, skip), noise=1e-16 if skip else 1e-300)
    assert bool(found.log10_bound) == (skip == 0 and kind not in ("GRU", "LSTM"))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
def test_a_packed_row_is_the_row_alone(family: type[nn.RNNBase], reverse: bool) -> None:
    torch.manual_seed(0)
    module = family(2, 3, num_layers=2, bidirectional=True, dtype=torch.float64)
    x, lengths = torch.randn(6, 3, 2, dtype=torch.float64), [3, 6, 4]
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    first = family(2, 3, num_layers=2, bidirectional=True, batch_first=True, dtype=torch.float64)
    first.load_state_dict(module.state_dict())
    for row, T in enumerate(lengths):
        found = spectrum(module, packed, row=row, reverse=reverse)
        alone = spectrum(module, x[:T, row], reverse=reverse)
        batch_first = spectrum(first, x[:T].transpose(0, 1), row=row, reverse=reverse)
        for other in (alone, batch_first):
            assert found.T == other.T == T
            assert found.log10_norm == pytest.approx(other.log10_norm, abs=1e-10)
            assert found.log10_growth == pytest.approx(other.log10_growth, abs=1e-10)
            assert found.lyapunov == pytest.approx(other.lyapunov, abs=1e-9)
            for lag, values in found.log10_singular_values.items():
                assert values == pytest.approx(other.log10_singular_values[lag], abs=1e-6)


@pytest.mark.parametrize("base", [1e-3, 1e3])
def test_what_a_float_cannot_hold_is_still_a_number(base: float) -> None:
    module = nn.RNN(1, 3, bias=False, dtype=torch.float64)
    with torch.no_grad():
        module.weight_hh_l0.copy_(base * torch.eye(3))  # at x = 0 h stays 0, where tanh′ = 1: J_t = W_hh
    found = spectrum(module, torch.zeros(400, 1, 1, dtype=torch.float64))
    last = 399 * math.log10(base)
    assert found.log10_norm[-1] == pytest.approx(last)
    assert found.log10_bound[-1] == found.log10_rho_power[-1] == pytest.approx(last)
    assert found.log10_singular_values[399] == pytest.approx((last,) * 3)
    assert found.lyapunov == pytest.approx([math.log(base)] * 3)
    assert all(math.isnan(each) for each in found.log10_growth)
    assert f"1.0e{int(last):+}" in str(found)


@pytest.mark.parametrize(
    ("size", "says"),
    [
        (0.5, "vanishes: γλ = 0.5 < 1, so"),
        (0.9999, "vanishes: γλ = 0.9999"),
        (1.0, "undecided: γλ = 1 to within rounding"),
        (1.5, "may explode: γλ = 1.5 > 1, which is necessary for that and not sufficient"),
    ],
)
def test_the_bound_is_told_in_words(size: float, says: str) -> None:
    torch.manual_seed(0)
    turned = torch.linalg.qr(torch.randn(6, 6)).Q
    plain = nn.RNN(2, 6)
    with torch.no_grad():
        plain.weight_hh_l0.copy_(size * turned)
    found = spectrum(plain, torch.randn(20, 1, 2))
    assert found.verdict.startswith(says)
    assert str(found).endswith(f"bound: {found.verdict}")
    shortcut = remedied.RNN(2, 6, skip=2)
    for other in (nn.GRU(2, 3), nn.LSTM(2, 3), shortcut):
        assert spectrum(other, torch.randn(20, 1, 2)).verdict.startswith("none that binds")


@pytest.mark.parametrize("lag", [1, 4, 7, 39])
def test_the_steps_that_count_in_the_exponents_are_told(lag: int) -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(1, 1, dtype=torch.float64), torch.randn(40, 1, 1, dtype=torch.float64)
    found = spectrum(module, x, lags=[lag])
    factors = (module.weight_hh_l0 * (1 - module(x)[0][:, 0] ** 2)).detach().abs().log().flatten().flip(0)[:lag]
    assert found.lyapunov_steps == lag - lag // 4 == len(factors[lag // 4 :])
    assert found.lyapunov == pytest.approx([float(factors[lag // 4 :].mean())], rel=1e-9)
    assert f"over {found.lyapunov_steps} of {lag} steps back" in str(found)


def test_figures_of_an_rnn() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(2, 5, dtype=torch.float64), torch.randn(30, 3, 2, dtype=torch.float64)
    h = module(x)[0][:, 1].detach()
    found, beside = spectrum(module, x, row=1), bounds(replay(module, x).unrolls[0])
    assert (found.kind, found.T, found.hidden, found.gamma) == ("RNN_TANH", 30, 5, 1.0)
    assert found.gamma_mean == pytest.approx(float((1 - h**2).mean()))
    assert (found.lambda_, found.rho) == pytest.approx((beside.lambda_, beside.rho))
    assert found.gates == {"h": (found.lambda_, found.rho)}
    assert list(found.log10_singular_values) == [1, 4, 16, 29]
    growth = [float((h[-1].norm() / h[-1 - lag].norm()).log10()) for lag in range(30)]
    assert found.log10_growth == pytest.approx(growth, abs=1e-12)
    assert found.log10_rho_power[3] == pytest.approx(3 * math.log10(found.rho))
    logistic = spectrum(remedied.RNN(2, 5, nonlinearity="sigmoid"), x.float())
    assert logistic.gamma == 0.25
    assert logistic.bound_factor == pytest.approx(logistic.lambda_ / 4)
    assert logistic.log10_bound[2] == pytest.approx(2 * math.log10(logistic.bound_factor))


def test_gates_have_norms_of_their_own() -> None:
    torch.manual_seed(0)
    module = nn.LSTM(2, 5, proj_size=3, dtype=torch.float64)
    found = spectrum(module, torch.randn(4, 1, 2, dtype=torch.float64))
    assert (found.gamma, found.lambda_, found.rho, found.bound_factor, found.log10_bound) == (None,) * 4 + ((),)
    assert list(found.gates) == ["i", "f", "g", "o"]
    forget = module.weight_hh_l0.detach()[5:10]
    assert found.gates["f"][0] == pytest.approx(float(torch.linalg.matrix_norm(forget, 2)))
    closed = forget @ module.weight_hr_l0.detach()
    assert found.gates["f"][1] == pytest.approx(float(torch.linalg.eigvals(closed).abs().amax()))
    assert len(found.log10_singular_values[1]) == 8
    assert list(spectrum(nn.GRU(2, 3), torch.randn(4, 1, 2)).gates) == ["r", "z", "n"]


def test_a_norm_in_the_cell_has_no_bound() -> None:
    torch.manual_seed(0)
    found = spectrum(remedied.RNN(2, 5, layer_norm=True), torch.randn(6, 1, 2))
    assert found.log10_bound == ()
    assert len(found.log10_norm) == 6


def test_the_largest_lag_bounds_the_sweep() -> None:
    found = spectrum(nn.GRU(2, 3), torch.randn(50, 1, 2), lags=[2, 8])
    assert len(found.log10_norm) == len(found.log10_growth) == 9
    assert list(found.log10_singular_values) == [2, 8]
    assert ladder(1) == [1]
    assert ladder(16) == [1, 4, 16]
    assert ladder(17) == [1, 4, 16, 17]


def test_nothing_of_the_training_is_touched() -> None:
    module = nn.LSTM(2, 3, num_layers=2, dropout=0.5)
    x, state = torch.randn(5, 2, 2, requires_grad=True), torch.get_rng_state()
    before = {name: p.clone() for name, p in module.named_parameters()}
    first = spectrum(module, x)
    assert torch.equal(state, torch.get_rng_state())
    assert module.training
    assert all(p.grad is None and torch.equal(p, before[name]) for name, p in module.named_parameters())
    assert spectrum(module.eval(), x) == first  # dropout is left out


RNN = nn.RNN(2, 3)
NAN = nn.RNN(2, 3)
with torch.no_grad():
    NAN.weight_hh_l0[0, 0] = math.nan
X = torch.zeros(5, 2, 2)


@pytest.mark.parametrize(
    ("module", "x", "options", "kind", "says"),
    [
        (nn.Linear(2, 3), X, {}, TypeError, "module: expected nn.RNN, nn.GRU or nn.LSTM, got Linear"),
        (NAN, X, {}, ValueError, "module: expected finite weights, got .* weight_hh_l0"),
        (RNN, torch.zeros(5, 2, 7), {}, ValueError, "x: expected 2 features"),
        (RNN, torch.zeros(2), {}, ValueError, "x: expected"),
        (RNN, X.double(), {}, ValueError, "x: expected dtype torch.float32"),
        (RNN, X.to("meta"), {}, ValueError, "x: expected it on cpu .* got meta"),
        (RNN, torch.zeros(0, 2, 2), {}, ValueError, "x: expected at least one step, got T = 0"),
        (RNN, X[:1], {}, ValueError, "x: expected at least 2 steps in row 0, got T = 1"),
        (RNN, X[:, :0], {}, ValueError, "x: expected at least one row, got B = 0"),
        (RNN, X * math.nan, {}, ValueError, "x: expected finite values"),
        (RNN, X, {"state": torch.zeros(1, 3, 3)}, ValueError, r"h_0 of shape \(1, 2, 3\)"),
        (RNN, X, {"row": 2}, ValueError, "row: expected 0 to B − 1 = 1, got 2"),
        (RNN, X, {"row": -1}, ValueError, "row: expected 0 to B − 1 = 1, got -1"),
        (RNN, X, {"layer": 1}, ValueError, "layer: expected -1 … 0 of 1 layers, got 1"),
        (RNN, X, {"reverse": True}, ValueError, "reverse: expected False"),
        (RNN, X, {"lags": [1, 5]}, ValueError, r"lags: expected lags from 0 to T − 1 = 4, got \[1, 5\]"),
        (RNN, X, {"lags": []}, ValueError, "lags: expected"),
    ],
)
def test_bad_input_is_named(
    module: nn.Module, x: Tensor, options: dict[str, object], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        spectrum(module, x, **options)


def test_a_cell_of_ones_own_has_what_follows_from_its_jacobians() -> None:
    torch.manual_seed(0)
    layer, cell = nn.LSTM(2, 3, dtype=torch.float64), nn.LSTMCell(2, 3, dtype=torch.float64)
    cell.load_state_dict({name[:-3]: p for name, p in layer.named_parameters()})
    x, zero = torch.randn(30, 2, 2, dtype=torch.float64), torch.zeros(2, 3, dtype=torch.float64)
    ours, theirs = spectrum(Cell(cell), x, (zero, zero), row=1), spectrum(layer, x, row=1)
    assert ours.log10_norm == pytest.approx(theirs.log10_norm, abs=1e-10)
    assert ours.lyapunov == pytest.approx(theirs.lyapunov, abs=1e-8)
    assert (ours.kind, ours.lambda_, ours.log10_bound) == ("cell", None, ())
