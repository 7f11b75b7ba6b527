import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from gradreach.engine.adjoint import backward
from gradreach.engine.custom.step import Cell
from gradreach.engine.replay import replay
from gradreach.engine.spectrum import spectrum, unrolled
from gradreach.engine.theory import (
    eigenvalue_heuristic,
    gradient_sum,
    gradient_terms,
    immediate,
    output_terms,
    state_jacobian,
)
from gradreach.remedies import layers as remedied

from .cases import close, weights_of
from .test_spectrum import by_autograd

KINDS = ["tanh", "relu", "sigmoid"]


def rnn(kind: str, inputs: int, d: int, **options: object) -> remedied.RNN:
    return remedied.RNN(inputs, d, nonlinearity=kind, dtype=torch.float64, **options)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from(KINDS), st.integers(1, 6), st.integers(1, 4))
def test_the_immediate_tensor_is_autograds(seed: int, kind: str, d: int, i: int) -> None:
    torch.manual_seed(seed)
    module, x, h = rnn(kind, i, d), *(torch.randn(n, dtype=torch.float64) for n in (i, d))
    b = (module.bias_ih_l0 + module.bias_hh_l0).detach()
    W_hh, W_ih = module.weight_hh_l0.detach(), module.weight_ih_l0.detach()
    f = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid}[kind]
    by_hh = torch.autograd.functional.jacobian(lambda W: f(W @ h + W_ih @ x + b), W_hh)
    by_ih = torch.autograd.functional.jacobian(lambda W: f(W_hh @ h + W @ x + b), W_ih)
    y = f(W_hh @ h + W_ih @ x + b)
    slope = {"tanh": 1 - y * y, "relu": (y > 0).double(), "sigmoid": y * (1 - y)}[kind]
    assert close(immediate(slope, h), by_hh, 1e-12)
    assert close(immediate(slope, x), by_ih, 1e-12)
    if d > 1:
        assert immediate(slope, h)[0, 1].abs().sum() == 0


@settings(max_examples=30)
@given(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans(), st.integers(0, 3), st.data())
def test_the_sums_over_k_and_t_are_autograds_and_the_engines(
    seed: int, kind: str, reverse: bool, skip: int, data: st.DataObject
) -> None:
    d, i, T, B = (data.draw(st.integers(low, high)) for low, high in ((1, 5), (1, 3), (2, 6), (1, 3)))
    torch.manual_seed(seed)
    module = rnn(kind, i, d, bidirectional=True, skip=skip)
    x, row = torch.randn(T, B, i, dtype=torch.float64), data.draw(st.integers(0, B - 1))
    h_0 = torch.randn(2, B, d, dtype=torch.float64)
    t = data.draw(st.integers(0, T - 1))
    name, half = ("_l0_reverse", slice(d, None)) if reverse else ("_l0", slice(0, d))
    output, _ = module(x, h_0)
    errors = torch.randn(T, d, dtype=torch.float64)
    weights = [getattr(module, part + name) for part in ("weight_hh", "weight_ih")]

    one = torch.autograd.grad((output[t, row, half] * errors[t]).sum(), weights, retain_graph=True)
    terms = gradient_terms(module, x, errors[t], h_0, t=t, reverse=reverse, row=row)
    for ours, theirs in zip((terms.w_hh, terms.w_ih), one, strict=True):
        assert close(ours.sum(0), theirs, 1e-10)
    assert terms.steps == tuple(range(T - 1, t - 1, -1) if reverse else range(t + 1))

    grad_output = torch.zeros(T, B, 2 * d, dtype=torch.float64)
    grad_output[:, row, half] = errors
    every = torch.autograd.grad((output * grad_output).sum(), weights)
    found = backward(replay(module, x, h_0), grad_output)[int(reverse)].gradients
    ours_both = gradient_sum(module, x, errors, h_0, reverse=reverse, row=row)
    for ours, theirs, part in zip(ours_both, every, ("weight_hh", "weight_ih"), strict=True):
        assert close(ours, theirs, 1e-10)
        assert close(ours, found[part + name], 1e-10)


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(KINDS), st.booleans(), st.data())
def test_of_a_softmax_every_gradient_is_autograds(seed: int, kind: str, biased: bool, data: st.DataObject) -> None:
    d, i, v, T, B = (data.draw(st.integers(low, high)) for low, high in ((1, 5), (1, 3), (1, 6), (2, 7), (1, 3)))
    torch.manual_seed(seed)
    module, head = rnn(kind, i, d), nn.Linear(d, v, bias=biased, dtype=torch.float64)
    x, row = torch.randn(T, B, i, dtype=torch.float64), data.draw(st.integers(0, B - 1))
    h, y = module(x)[0][:, row], torch.randint(v, (T,))
    losses = nn.functional.cross_entropy(head(h), y, reduction="none")
    b_y = head.bias.detach() if biased else None
    out = output_terms(h.detach(), y, head.weight.detach(), b_y)
    assert close(out.losses, losses.detach(), 1e-12)
    for t, loss in enumerate(losses):
        of_weights, of_state = torch.autograd.grad(loss, [head.weight, h], retain_graph=True)
        assert close(out.w_hy[t], of_weights, 1e-12)
        assert close(out.errors[t], of_state[t], 1e-12)
    w_hh, w_ih = gradient_sum(module, x, out.errors, row=row)
    losses.sum().backward()
    assert close(out.w_hy.sum(0), head.weight.grad, 1e-12)
    assert close(w_hh, module.weight_hh_l0.grad, 1e-10)
    assert close(w_ih, module.weight_ih_l0.grad, 1e-10)
    if biased:
        assert close(out.b_y.sum(0), head.bias.grad, 1e-12)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.sampled_from([nn.RNN, nn.GRU, nn.LSTM]), st.booleans(), st.integers(0, 2), st.data())
def test_the_states_jacobian_is_autograds_through_torchs_own_layer(
    seed: int, family: type[nn.RNNBase], reverse: bool, proj: int, data: st.DataObject
) -> None:
    T, B = data.draw(st.integers(2, 6)), data.draw(st.integers(1, 3))
    torch.manual_seed(seed)
    options = {"proj_size": proj} if family is nn.LSTM and proj else {}
    module = family(2, 3, bidirectional=True, dtype=torch.float64, **options)
    alone = family(2, 3, dtype=torch.float64, **options)
    name = "_reverse" if reverse else ""
    alone.load_state_dict({each: getattr(module, each + name).detach() for each in alone.state_dict()})
    x, row = torch.randn(T, B, 2, dtype=torch.float64), data.draw(st.integers(0, B - 1))
    P = module.proj_size or 3
    start = [torch.randn(2, B, size, dtype=torch.float64) for size in ((P, 3) if family is nn.LSTM else (P,))]
    last = data.draw(st.integers(0, T - 1))
    first = data.draw(st.integers(-1, last))
    own = (x.flip(0) if reverse else x)[:, row]

    def run(steps: Tensor, s: Tensor) -> Tensor:
        parts = s.split([P, 3], 1) if family is nn.LSTM else (s,)
        if not len(steps):
            return s
        end = alone(steps, tuple(parts) if family is nn.LSTM else parts[0])[1]
        return torch.cat(end, 1) if isinstance(end, tuple) else end

    s_0 = torch.cat([each[int(reverse), row] for each in start]).unsqueeze(0)
    s_k = run(own[: first + 1], s_0).detach()
    theirs = torch.autograd.functional.jacobian(lambda s: run(own[first + 1 : last + 1], s), s_k)[0, :, 0]
    named = [T - 1 - n if reverse else n for n in (last, first)]
    given = tuple(start) if family is nn.LSTM else start[0]
    found = state_jacobian(module, x, given, t=named[0], k=None if first < 0 else named[1], reverse=reverse, row=row)
    assert found.hidden == P
    assert close(found.matrix, theirs, 1e-12)
    for ours, part in (
        (found.h_by_h, theirs[:P, :P]),
        (found.h_by_c, theirs[:P, P:]),
        (found.c_by_h, theirs[P:, :P]),
        (found.c_by_c, theirs[P:, P:]),
    ):
        assert ours.shape == part.shape
        assert close(ours, part, 1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(["RNN", "GRU", "LSTM"]), st.integers(1, 4))
def test_the_states_jacobian_holds_the_way_over_a_shortcut(seed: int, kind: str, skip: int) -> None:
    torch.manual_seed(seed)
    module: nn.RNNBase = getattr(remedied, kind)(2, 4, skip=skip, dtype=torch.float64)
    x = torch.randn(7, 2, 2, dtype=torch.float64)
    run, at = unrolled(module, x, None, layer=-1, reverse=False, row=1)
    for lag, of_h in enumerate(by_autograd(module.mode, weights_of(module, "_l0"), run, at, skip)):
        found = state_jacobian(module, x, k=6 - lag, row=1)
        assert close(found.h_by_h, of_h, 1e-12)
        assert found.matrix.shape == ((8, 8) if kind == "LSTM" else (4, 4))


def test_the_states_jacobian_has_the_norms_of_the_spectrum() -> None:
    torch.manual_seed(0)
    module, x = nn.LSTM(2, 3, num_layers=2, dtype=torch.float64), torch.randn(8, 2, 2, dtype=torch.float64)
    found = spectrum(module, x, layer=0, row=1)
    for lag in range(8):
        norm = torch.linalg.matrix_norm(state_jacobian(module, x, k=7 - lag, layer=0, row=1).matrix, 2)
        assert found.log10_norm[lag] == pytest.approx(float(norm.log10()), abs=1e-12)
    cell = Cell(lambda x, state: {"a": 0.5 * state["a"] + x, "b": state["a"] * state["b"]})
    start = {each: torch.ones(1, 2, dtype=torch.float64) for each in "ab"}
    own = state_jacobian(cell, torch.zeros(3, 1, 2, dtype=torch.float64), start, k=0)
    # a_2 = a_0 / 4 and b_2 = a_1 a_0 b_0 = a_0² b_0 / 2, at a_0 = 1/2 and b_0 = 1
    expected = torch.tensor([[0.25, 0.0], [0.5, 0.125]], dtype=torch.float64)
    assert close(own.matrix, torch.kron(expected, torch.eye(2, dtype=torch.float64)), 1e-12)
    assert own.hidden == 4


def test_each_term_is_the_weight_used_at_one_step() -> None:
    torch.manual_seed(0)
    module, x = rnn("tanh", 2, 4), torch.randn(5, 1, 2, dtype=torch.float64)
    error = torch.randn(4, dtype=torch.float64)
    W = [module.weight_hh_l0.detach().clone().requires_grad_() for _ in range(5)]
    h = torch.zeros(4, dtype=torch.float64)
    for t in range(5):
        h = torch.tanh(module.weight_ih_l0 @ x[t, 0] + module.bias_ih_l0 + module.bias_hh_l0 + W[t] @ h)
    terms = gradient_terms(module, x, error)
    for ours, theirs in zip(terms.w_hh, torch.autograd.grad((h * error).sum(), W), strict=True):
        assert close(ours, theirs, 1e-10)


def test_a_packed_row_has_its_own_steps() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(2, 3, dtype=torch.float64), torch.randn(6, 2, 2, dtype=torch.float64)
    packed = pack_padded_sequence(x, [4, 6], enforce_sorted=False)
    terms = gradient_terms(module, packed, torch.ones(3), row=0)
    alone = gradient_terms(module, x[:4, 0], torch.ones(3))
    assert terms.steps == alone.steps == (0, 1, 2, 3)
    assert close(terms.w_hh, alone.w_hh, 1e-12)
    with pytest.raises(ValueError, match="t: expected a step of row 0, 0 to 3, got 4"):
        gradient_terms(module, packed, torch.ones(3), row=0, t=4)


def test_the_eigenvalue_heuristic() -> None:
    torch.manual_seed(0)
    basis = torch.eye(3, dtype=torch.float64) + 0.3 * torch.rand(3, 3, dtype=torch.float64)
    values = torch.tensor([0.9, 0.3, 0.1], dtype=torch.float64)
    W, h = basis @ torch.diag(values) @ torch.linalg.inv(basis), torch.randn(3, dtype=torch.float64)
    for n in (0, 1, 7):
        found = eigenvalue_heuristic(W, h, n)
        grown = torch.linalg.matrix_power(W, n) @ h
        assert found.log10_measured == pytest.approx(float((grown.norm() / h.norm()).log10()), abs=1e-12)
        assert found.log10_predicted == pytest.approx(n * math.log10(0.9), abs=1e-12)
    far, near = eigenvalue_heuristic(W, h, 20000), eigenvalue_heuristic(W, h, 10000)
    assert far.log10_predicted == pytest.approx(20000 * math.log10(0.9))
    assert far.log10_measured - near.log10_measured == pytest.approx(10000 * math.log10(0.9), abs=1e-7)
    tiny = eigenvalue_heuristic(1e-200 * W, 1e-200 * h, 10)
    assert tiny.log10_measured == pytest.approx(eigenvalue_heuristic(W, h, 10).log10_measured - 2000)
    nilpotent = torch.tensor([[0.0, 1.0], [0.0, 0.0]])
    assert eigenvalue_heuristic(nilpotent, torch.ones(2), 2).log10_measured == -math.inf


X = torch.zeros(5, 1, 2)
ONES = torch.ones(3)
Y = torch.zeros(5, dtype=torch.long)


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda: immediate(torch.ones(65), ONES), ValueError, "slope: expected d ≤ 64 .* got d = 65; take a smaller"),
        (lambda: immediate(ONES, torch.ones(100)), ValueError, "entering: expected d ≤ 64 .* got d = 100"),
        (lambda: gradient_terms(nn.RNN(2, 65), X, torch.ones(65)), ValueError, "expected d ≤ 64"),
        (lambda: gradient_terms(nn.GRU(2, 3), X, ONES), TypeError, "module: expected a plain RNN, .* got GRU"),
        (
            lambda: gradient_terms(remedied.RNN(2, 3, layer_norm=True), X, ONES),
            TypeError,
            "module: expected a plain RNN, .* got layer norm",
        ),
        (lambda: gradient_terms(nn.RNN(2, 3), X, torch.ones(2)), ValueError, r"error: expected .* \(3,\), got \(2,\)"),
        (lambda: gradient_terms(nn.RNN(2, 3), X, ONES, t=5), ValueError, "t: expected a step of row 0, 0 to 4, got 5"),
        (lambda: gradient_terms(nn.RNN(2, 3), X, ONES * math.nan), ValueError, "error: expected finite values"),
        (lambda: gradient_sum(nn.RNN(2, 3), X, torch.ones(4, 3)), ValueError, r"errors: .* \(5, 3\), got \(4, 3\)"),
        (lambda: gradient_sum(nn.RNN(2, 3), X[:1], torch.ones(1, 3)), ValueError, "x: expected at least 2 steps"),
        (lambda: output_terms(torch.ones(5, 3), Y, torch.ones(4, 2)), ValueError, r"w_hy: expected shape \(4, 3\)"),
        (
            lambda: output_terms(torch.ones(5, 3), Y[:4], torch.ones(4, 3)),
            ValueError,
            r"targets: .* \(5,\), .* got \(4",
        ),
        (
            lambda: output_terms(torch.ones(5, 3), Y + 4, torch.ones(4, 3)),
            ValueError,
            "targets: .* 0 to v − 1 = 3, got 4",
        ),
        (lambda: output_terms(torch.ones(5, 3), Y, torch.ones(4, 3), ONES), ValueError, r"b_y: expected shape \(4,\)"),
        (lambda: output_terms(math.inf * torch.ones(5, 3), Y, torch.ones(4, 3)), ValueError, "h: expected finite"),
        (lambda: state_jacobian(nn.GRU(2, 3), X, t=5), ValueError, "t: expected a step of row 0, 0 to 4, got 5"),
        (lambda: state_jacobian(nn.GRU(2, 3), X, k=-1), ValueError, "k: expected a step of row 0, 0 to 4, got -1"),
        (lambda: state_jacobian(nn.GRU(2, 3), X, t=1, k=2), ValueError, "k: expected a step up to t = 1 .* got 2"),
        (lambda: state_jacobian(nn.Linear(2, 3), X), TypeError, "module: expected nn.RNN, nn.GRU or nn.LSTM"),
        (lambda: eigenvalue_heuristic(torch.eye(2), ONES, 1), ValueError, r"W: expected shape \(3, 3\)"),
        (lambda: eigenvalue_heuristic(torch.eye(3), 0 * ONES, 1), ValueError, "h: expected a state that is not 0"),
        (lambda: eigenvalue_heuristic(torch.eye(3), ONES, -1), ValueError, "n: expected .* ≥ 0, got -1"),
        (lambda: eigenvalue_heuristic(math.inf * torch.eye(3), ONES, 1), ValueError, "W: expected finite"),
    ],
)
def test_bad_input_is_named(call: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        call()


def test_float32_layers_are_taken_in_float64() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(2, 3), torch.randn(5, 1, 2)
    found: Tensor = gradient_terms(module, x, ONES).w_hh
    assert found.dtype == torch.float64
