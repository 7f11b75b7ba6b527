import math

import pytest
import torch
from torch import nn

from gradreach.remedies import init

LAYERS = [
    nn.RNN(3, 5, 2, bidirectional=True),
    nn.GRU(3, 5),
    nn.LSTM(3, 5, 2),
    nn.RNNCell(3, 5),
    nn.GRUCell(3, 5),
    nn.LSTMCell(3, 5),
]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)
def test_orthogonal_and_identity(layer: nn.Module) -> None:
    blocks = lambda: [b for n, p in layer.named_parameters() if n.startswith("weight_hh") for b in p.split(5)]  # noqa: E731
    assert init.orthogonal_(layer) is layer
    assert all(torch.allclose(b.T @ b, torch.eye(5), atol=1e-5) for b in blocks())
    init.identity_(layer, 0.5)
    assert all(torch.equal(b, 0.5 * torch.eye(5)) for b in blocks())


def test_identity_takes_the_biases_of_a_plain_layer_alone() -> None:
    rnn, lstm = init.identity_(nn.RNN(3, 5)), nn.LSTM(3, 5)
    before = lstm.bias_ih_l0.clone()
    assert not rnn.bias_ih_l0.any()
    assert not rnn.bias_hh_l0.any()
    assert torch.equal(init.identity_(lstm).bias_ih_l0, before)


def test_the_gate_that_keeps_the_state_opens() -> None:
    torch.manual_seed(0)
    lstm = init.forget_bias_(nn.LSTM(3, 5, 2), 2.0)
    assert torch.equal((lstm.bias_ih_l1 + lstm.bias_hh_l1)[5:10], torch.full((5,), 2.0))
    gru = init.forget_bias_(nn.GRU(3, 5), 3.0)
    with torch.no_grad():
        gru.weight_ih_l0.zero_()
        gru.weight_hh_l0.zero_()
        gru.bias_ih_l0[10:], gru.bias_hh_l0[10:] = 0.0, 0.0
    _, h = gru(torch.zeros(1, 1, 3), torch.ones(1, 1, 5))
    assert torch.allclose(h, torch.full((1, 1, 5), 1 / (1 + math.exp(-3.0))))  # z of the state stays


def test_chrono_spreads_the_time_constants() -> None:
    torch.manual_seed(0)
    lstm = init.chrono_(nn.LSTM(3, 4000), t_max=100)
    i, f = (lstm.bias_ih_l0 + lstm.bias_hh_l0).detach()[:8000].split(4000)
    assert torch.equal(i, -f)
    assert float(f.min()) >= 0.0
    assert float(f.max()) <= math.log(99)
    assert float(f.exp().mean()) == pytest.approx(50, rel=0.03)  # uniform in [1, 99]
    gru = init.chrono_(nn.GRU(3, 4), t_max=50)
    assert float((gru.bias_ih_l0 + gru.bias_hh_l0).detach()[4:8].min()) >= 0.0


def test_errors() -> None:
    with pytest.raises(TypeError, match="layer: expected an LSTM or a GRU, whose gates have biases, got RNN"):
        init.chrono_(nn.RNN(2, 2), 100)
    with pytest.raises(ValueError, match="t_max: expected at least 3 steps, got 2"):
        init.chrono_(nn.LSTM(2, 2), 2)
    with pytest.raises(ValueError, match="bias=False"):
        init.forget_bias_(nn.LSTM(2, 2, bias=False))
    with pytest.raises(ValueError, match=r"expected square blocks of W_hh, got \(4, 2\); leave proj_size at 0"):
        init.orthogonal_(nn.LSTM(2, 4, proj_size=2))
