import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gradreach.experiments.explicit_rnn import CURVATURE, GAMMA, Activation, ExplicitRNN, layer

KINDS: list[Activation] = ["sigmoid", "tanh"]


def drawn(kind: Activation, d: int, factor: float, seed: int, T: int) -> tuple[ExplicitRNN, torch.Tensor]:
    torch.manual_seed(seed)
    W = torch.randn(d, d, dtype=torch.float64)
    W *= factor / GAMMA[kind] / torch.linalg.matrix_norm(W, 2)
    rnn = ExplicitRNN(kind, W, torch.randn(d, 2, dtype=torch.float64), torch.randn(d, dtype=torch.float64))
    return rnn, torch.randn(T, 2, dtype=torch.float64)


def product(rnn: ExplicitRNN, x: torch.Tensor) -> torch.Tensor:
    h, result = torch.zeros_like(rnn.b), torch.eye(len(rnn.b), dtype=rnn.b.dtype)
    for inputs in x:
        h = rnn.step(h, inputs)
        result = torch.diag(rnn.slope(h)) @ rnn.W @ result
    return result


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 8), st.floats(0.2, 1.5), st.integers(0, 1000))
def test_written_out_it_is_the_layer_and_its_slope_autograds(
    kind: Activation, d: int, factor: float, seed: int
) -> None:
    rnn, x = drawn(kind, d, factor, seed, 6)
    h = torch.zeros(d, dtype=torch.float64)
    for inputs in x:
        h = rnn.step(h, inputs)
    assert torch.allclose(layer(rnn)(x.unsqueeze(1))[0][-1, 0], h, atol=1e-13)
    a = torch.randn(d, dtype=torch.float64, requires_grad=True)
    still = ExplicitRNN(kind, torch.zeros_like(rnn.W), torch.zeros_like(rnn.U), a)
    y = still.step(h, x[0])
    assert torch.allclose(rnn.slope(y), torch.autograd.grad(y.sum(), a)[0], atol=1e-15)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(KINDS), st.integers(1, 12), st.floats(0.2, 1.3), st.integers(0, 10**6), st.integers(1, 12))
def test_float32_is_within_the_bound_of_float64(kind: Activation, d: int, factor: float, seed: int, T: int) -> None:
    rnn, x = drawn(kind, d, factor, seed, T)
    rough = ExplicitRNN(kind, rnn.W.float(), rnn.U.float(), rnn.b.float())
    true = ExplicitRNN(kind, rough.W.double(), rough.U.double(), rough.b.double())
    apart = torch.linalg.matrix_norm(product(rough, x.float()).double() - product(true, x.float().double()), 2)
    assert apart <= T * rough.factor_error(x.float()) * factor**T * 1.001


@pytest.mark.parametrize("kind", KINDS)
def test_curvature_is_the_largest_second_derivative(kind: Activation) -> None:
    a = torch.linspace(-4, 4, 8001, dtype=torch.float64, requires_grad=True)
    y = torch.sigmoid(a) if kind == "sigmoid" else torch.tanh(a)
    (slope,) = torch.autograd.grad(y.sum(), a, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), a)
    assert float(bend.abs().max()) == pytest.approx(CURVATURE[kind], rel=1e-5)
    assert float(slope.detach().max()) == pytest.approx(GAMMA[kind])
