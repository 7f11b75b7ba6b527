import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from gradreach.engine.adjoint import backward
from gradreach.engine.replay import replay
from gradreach.engine.theory import eigenvalue_heuristic, gradient_sum, gradient_terms, immediate
from gradreach.remedies import layers as remedied

from .cases import close

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
