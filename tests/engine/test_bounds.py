import math

import pytest
import torch
from torch import Tensor, nn

from gradreach.engine.bounds import bounds, lambda_and_rho, lyapunov
from gradreach.engine.replay import replay
from gradreach.engine.scan import Unroll


def linear(w: Tensor, T: int = 120) -> Unroll:
    """A ReLU RNN whose units all stay on: J_t = W_hh at every step."""
    module = nn.RNN(1, w.shape[0], nonlinearity="relu", dtype=w.dtype)
    with torch.no_grad():
        module.weight_hh_l0.copy_(w)
        module.weight_ih_l0.zero_()
        module.bias_ih_l0.fill_(1.0)
        module.bias_hh_l0.zero_()
    return replay(module, torch.zeros(T, 2, 1, dtype=w.dtype)).unrolls[0]


def test_norm_and_radius_of_a_known_matrix() -> None:
    w = torch.tensor([[0.0, 2.0], [-0.5, 0.0]], dtype=torch.float64)  # singular values 2 and 0.5, eigenvalues ±i
    lambda_, rho = lambda_and_rho(w)
    assert lambda_ == pytest.approx(2.0)
    assert rho == pytest.approx(1.0)
    assert lambda_and_rho(torch.tensor([[math.nan]])) == (None, None)


def test_lyapunov_exponents_of_a_constant_jacobian_are_its_eigenvalues() -> None:
    torch.manual_seed(0)
    values = torch.tensor([0.9, 0.5, 0.2, 0.1], dtype=torch.float64)
    basis = torch.eye(4, dtype=torch.float64) + 0.2 * torch.rand(4, 4, dtype=torch.float64)
    w = basis @ torch.diag(values) @ torch.linalg.inv(basis)
    run = linear(w)
    assert (run.slopes.gate == 1).all()
    assert lyapunov(run, exponents=3) == pytest.approx(values[:3].log().tolist(), abs=1e-6)


@pytest.mark.parametrize("family", [nn.GRU, nn.LSTM])
def test_lyapunov_exponents_of_the_gated_cells_are_those_of_their_jacobians(family: type[nn.RNNBase]) -> None:
    """Over many steps the sum of all exponents is the mean of log |det J_t|, here by autograd."""
    torch.manual_seed(0)
    module, x = family(2, 3, dtype=torch.float64), torch.randn(40, 1, 2, dtype=torch.float64)
    run = replay(module, x).unrolls[0]

    def after(state: Tensor, t: int) -> Tensor:
        parts = state.view(-1, 1, 1, 3)
        _, end = module(x[t : t + 1], tuple(parts) if family is nn.LSTM else parts[0])
        return torch.cat([part.flatten() for part in (end if isinstance(end, tuple) else (end,))])

    logs = []
    for t in range(30):  # the exponents leave out the last quarter
        state = torch.cat([s[t, 0] for s in (run.h, run.c) if s is not None])
        J = torch.autograd.functional.jacobian(lambda s, t=t: after(s, t), state)
        logs.append(torch.linalg.slogdet(J).logabsdet)
    exponents = lyapunov(run, exponents=6)
    assert len(exponents) == (6 if family is nn.LSTM else 3)
    assert sum(exponents) == pytest.approx(float(torch.stack(logs).mean()), abs=1e-9)


def test_rnn_figures() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(2, 5, dtype=torch.float64), torch.randn(6, 3, 2, dtype=torch.float64)
    output, _ = module(x)
    found = bounds(replay(module, x).unrolls[0])
    assert found.gamma == 1.0
    assert found.gamma_mean == pytest.approx(float((1 - output**2).mean().detach()))
    assert found.lambda_ == pytest.approx(float(torch.linalg.svdvals(module.weight_hh_l0.detach())[0]))
    assert found.bound_factor == found.lambda_


def test_gated_cells_have_no_bound_by_the_norm_of_their_weights() -> None:
    found = bounds(replay(nn.GRU(2, 5), torch.randn(6, 3, 2)).unrolls[0])
    assert (found.gamma, found.gamma_mean, found.lambda_, found.rho, found.bound_factor) == (None,) * 5
    assert found.saturated is not None


@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
def test_saturation(family: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    module, x = family(2, 8), torch.randn(10, 3, 2)
    assert bounds(replay(module, x).unrolls[0]).saturated < 0.05
    with torch.no_grad():
        module.weight_ih_l0.mul_(1000)
    assert bounds(replay(module, x).unrolls[0]).saturated > 0.9


def test_saturation_leaves_padding_out() -> None:
    module = nn.RNN(1, 2, bias=False)
    with torch.no_grad():
        module.weight_ih_l0.fill_(100.0)
        module.weight_hh_l0.zero_()
    x = nn.utils.rnn.pack_padded_sequence(torch.ones(8, 2, 1), [8, 1])
    found = bounds(replay(module, x).unrolls[0])
    assert found.saturated == 1.0
    assert found.gamma_mean == pytest.approx(0.0, abs=1e-6)


def test_relu_units_count_as_saturated_where_they_are_dead() -> None:
    w = torch.zeros(4, 4, dtype=torch.float64)
    module = nn.RNN(1, 4, nonlinearity="relu", dtype=torch.float64)
    with torch.no_grad():
        module.weight_hh_l0.copy_(w)
        module.weight_ih_l0.copy_(torch.tensor([[1.0], [-1.0], [0.0], [0.0]]))
        module.bias_ih_l0.copy_(torch.tensor([0.0, 0.0, -1.0, 1.0]))
        module.bias_hh_l0.zero_()
    x = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat(3).view(6, 1, 1)
    assert bounds(replay(module, x).unrolls[0]).saturated == 0.25  # off half the time is not dead
