import copy

import pytest
import torch
from torch import Tensor, nn

from gradreach.remedies.layers.layers import GRU, LSTM, RNN


def off(W: Tensor) -> float:
    """The largest ‖WᵀW − 1‖₂ of W's square blocks."""
    X = W.detach().double().view(-1, W.shape[-1], W.shape[-1])
    return float(torch.linalg.matrix_norm(X.mT @ X - torch.eye(W.shape[-1], dtype=torch.float64), 2).max())


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
@pytest.mark.parametrize("family", [RNN, GRU, LSTM])
def test_stays_orthogonal_while_it_learns(family: type[nn.RNNBase], optimizer: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    layer = family(2, 8, orthogonal=True)
    steps = optimizer(layer.parameters(), lr=0.01)
    x, y = torch.randn(6, 4, 2), torch.randn(6, 4, 8).tanh()
    losses = []
    for _ in range(200):
        loss = (layer(x)[0] - y).square().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
        assert off(layer.weight_hh_l0) <= 1e-5
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("step", [1e-8, 1e-7, 3e-7, 1e-6])
@pytest.mark.parametrize(
    "H", [16, 200, pytest.param(512, marks=pytest.mark.slow(6, "multiplies large matrices two hundred times"))]
)
def test_steps_as_small_as_rounding_do_not_add_up(step: float, H: int) -> None:
    torch.manual_seed(0)
    layer = RNN(2, H, orthogonal=True)
    along = torch.outer(layer.weight_hh_l0.detach()[:, 0], torch.eye(H)[0])  # stretches one direction alone
    for _ in range(200):
        layer.weight_hh_l0.data.add_(along, alpha=step)
        layer(torch.zeros(1, 1, 2))
        assert off(layer.weight_hh_l0) <= 1e-5


@pytest.mark.slow(7, "takes ten thousand steps")
def test_ten_thousand_steps() -> None:
    torch.manual_seed(0)
    layer = RNN(2, 16, orthogonal=True)
    steps = torch.optim.Adam(layer.parameters(), lr=1e-2)
    for _ in range(10_000):
        steps.zero_grad()
        layer(torch.randn(3, 2, 2))[0].square().sum().backward()
        steps.step()
    assert off(layer.weight_hh_l0) <= 1e-5


def test_updates_by_hand_and_loaded_weights_are_brought_back() -> None:
    torch.manual_seed(0)
    layer = LSTM(2, 8, orthogonal=True)
    layer.weight_hh_l0.data.add_(0.05 * torch.randn(32, 8))
    assert off(layer.weight_hh_l0) > 1e-2
    assert off(layer.state_dict()["weight_hh_l0"]) <= 1e-5
    layer.load_state_dict(nn.LSTM(2, 8).state_dict())
    assert off(layer.weight_hh_l0) > 1e-2
    layer(torch.zeros(1, 1, 2))
    assert off(layer.weight_hh_l0) <= 1e-5


def test_under_autocast() -> None:
    layer = LSTM(2, 8, orthogonal=True)
    layer.weight_hh_l0.data.add_(0.05 * torch.randn(32, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        layer(torch.zeros(1, 1, 2))
    assert off(layer.weight_hh_l0) <= 1e-5


def test_weights_from_far_off_come_to_rest_at_once() -> None:
    torch.manual_seed(0)
    layer = RNN(2, 64, orthogonal=True, dtype=torch.float64)
    layer.load_state_dict(nn.RNN(2, 64, dtype=torch.float64).state_dict())
    x, h = torch.randn(3, 2, 2, dtype=torch.float64), torch.zeros(1, 2, 64, dtype=torch.float64, requires_grad=True)
    y, h = layer(x, h)
    for _ in range(3):
        y, h = layer(x, h)
    y.sum().backward()


def test_one_layer_in_two_calls_before_the_backward_pass() -> None:
    layer = RNN(2, 8, orthogonal=True)
    x = torch.randn(4, 3, 2)
    y, h = layer(x)
    (y.sum() + layer(x, h)[0].sum()).backward()
    assert layer.weight_hh_l0.grad is not None


def test_a_copy_is_kept_too() -> None:
    torch.manual_seed(0)
    layer = copy.deepcopy(RNN(2, 8, orthogonal=True))
    steps = torch.optim.SGD(layer.parameters(), lr=0.1)
    layer(torch.randn(4, 3, 2))[0].sum().backward()
    steps.step()
    assert off(layer.weight_hh_l0) <= 1e-5
