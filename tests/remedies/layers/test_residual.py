import copy
import inspect
import pickle
from collections import namedtuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence

from gradreach.engine.depth import depth_spectrum
from gradreach.remedies.layers.residual import Residual


def layers(activation: type[nn.Module], depth: int) -> list[nn.Module]:
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(16, 16), activation()) for _ in range(depth)]


def first_gradient(stack: nn.Module) -> float:
    stack(torch.randn(8, 16)).square().mean().backward()
    return float(next(stack.parameters()).grad.norm())


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
def test_the_first_of_fifty_layers_gets_its_gradient(activation: type[nn.Module]) -> None:
    plain = first_gradient(nn.Sequential(*layers(activation, 50)))
    skipping = first_gradient(nn.Sequential(*map(Residual, layers(activation, 50))))
    assert plain < 1e-10
    assert skipping > 1e-2


def test_the_jacobian_of_fifty_layers_keeps_its_size() -> None:
    x = torch.randn(1, 16)
    plain = depth_spectrum(nn.Sequential(*layers(nn.Tanh, 50)), x)
    stack = nn.Sequential(*(Residual(layer, scale=0.0) for layer in layers(nn.Tanh, 50)))
    J = torch.autograd.functional.jacobian(lambda x: stack(x), x).view(16, 16)
    assert torch.equal(J, torch.eye(16))  # α = 0
    assert plain.log10_norm[0] < -5  # ∂h_50/∂h_0


def test_output_alone_gets_the_path() -> None:
    torch.manual_seed(0)
    lstm, x, hx = nn.LSTM(4, 4), torch.randn(5, 2, 4), (torch.randn(1, 2, 4), torch.randn(1, 2, 4))
    output, (h, c) = Residual(lstm)(x, hx)
    plain, (h_n, c_n) = lstm(x, hx)
    assert torch.equal(output, x + plain)
    assert torch.equal(h, h_n)
    assert torch.equal(c, c_n)


def test_projection_and_scale() -> None:
    torch.manual_seed(0)
    gru, P, x = nn.GRU(3, 4, bidirectional=True), nn.Linear(3, 8, bias=False), torch.randn(5, 2, 3)
    layer = Residual(gru, projection=P, scale=0.0)
    assert torch.equal(layer(x)[0], P(x))
    layer(x)[0].sum().backward()
    assert layer.scale.grad.abs() > 0
    assert not gru.weight_hh_l0.grad.any()  # at α = 0 only α learns
    layer.scale.data.fill_(0.5)
    assert torch.allclose(layer(x)[0], P(x) + 0.5 * gru(x)[0])


def test_maps() -> None:
    x = torch.randn(2, 3, 8, 8)
    f, P = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.Conv2d(3, 6, 1, stride=2, bias=False)
    assert torch.allclose(Residual(f, P)(x), P(x) + f(x))


def test_packed() -> None:
    torch.manual_seed(0)
    rnn, packed = nn.RNN(4, 4), pack_sequence([torch.randn(3, 4), torch.randn(5, 4)], enforce_sorted=False)
    output, _ = Residual(rnn)(packed)
    assert isinstance(output, PackedSequence)
    assert torch.equal(output.data, packed.data + rnn(packed)[0].data)
    assert torch.equal(output.unsorted_indices, packed.unsorted_indices)


def test_inference_and_compile() -> None:
    layer = Residual(nn.GRU(3, 3))
    x = torch.randn(4, 2, 3)
    expected = layer(x)[0]
    with torch.inference_mode():
        assert torch.equal(layer(x.clone())[0], expected)
    stack = nn.Sequential(Residual(nn.Linear(3, 3)), Residual(nn.Tanh(), scale=0.5))
    assert torch.allclose(torch.compile(stack, backend="eager", fullgraph=True)(x), stack(x))


def test_a_named_tuple_stays_one() -> None:
    Found = namedtuple("Found", "output state")

    class Named(nn.Module):
        def forward(self, x: Tensor) -> Found:
            return Found(2 * x, x)

    found = Residual(Named())(torch.ones(2))
    assert type(found) is Found
    assert torch.equal(found.output, torch.full((2,), 3.0))
    assert torch.equal(found.state, torch.ones(2))


def test_copies() -> None:
    layer, x = Residual(nn.Linear(3, 3), scale=0.3), torch.randn(2, 3)
    for each in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(each(x), layer(x))
    assert set(layer.state_dict()) == {"module.weight", "module.bias", "scale"}


def test_errors() -> None:
    x = torch.randn(5, 2, 4)
    with pytest.raises(ValueError, match=r"of its input, \(5, 2, 4\), got \(5, 2, 1\); projection=nn.Linear\(4, 1, b"):
        Residual(nn.Linear(4, 1))(x)  # would broadcast
    with pytest.raises(ValueError, match=r"projection=nn.Conv2d\(3, 6, 1, bias=False\), with the stride"):
        Residual(nn.Conv2d(3, 6, 3, padding=1))(torch.randn(2, 3, 8, 8))
    with pytest.raises(
        ValueError, match=r"projection: expected it to give \(5, 2, 8\), as the module does, got \(5, 2, 7\)"
    ):
        Residual(nn.Linear(4, 8), nn.Linear(4, 7))(x)
    with pytest.raises(RuntimeError, match=r"leaves its input alone.*inplace=False"):
        Residual(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 4)))(x)

    class Named(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"output": x}

    with pytest.raises(TypeError, match=r"expected a tensor from the module, got dict; return the output first"):
        Residual(Named())(x)
    untyped = inspect.unwrap(Residual.__init__)  # as outside this suite, which checks annotations
    for module, came in ((None, "None"), (nn.Linear, "the class Linear"), (torch.tanh, "<built-in method tanh")):
        with pytest.raises(TypeError, match=rf"module: expected an nn.Module, as nn.Linear\(8, 8\), got {came}"):
            untyped(Residual.__new__(Residual), module)
    with pytest.raises(TypeError, match=r"projection: expected an nn.Module, as nn.Linear\(8, 8\), got 0.0"):
        untyped(Residual.__new__(Residual), nn.Linear(4, 4), 0.0)
    with pytest.raises(TypeError, match=r"input: expected a tensor or a PackedSequence, got list"):
        inspect.unwrap(Residual.forward)(Residual(nn.Linear(4, 4)), [x])
