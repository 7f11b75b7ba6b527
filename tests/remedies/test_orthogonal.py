import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from gradreach.engine.reach import reach
from gradreach.remedies import init
from gradreach.remedies import layers as ours
from gradreach.remedies.orthogonal import orthogonal

KINDS = [nn.RNN, nn.GRU, nn.LSTM]
CELLS = [nn.RNNCell, nn.GRUCell, nn.LSTMCell]


def off(W: Tensor) -> float:
    """The largest ‖WᵀW − 1‖₂ of W's square blocks."""
    X = W.detach().double().view(-1, W.shape[-1], W.shape[-1])
    return float(torch.linalg.matrix_norm(X.mT @ X - torch.eye(W.shape[-1], dtype=torch.float64), 2).max())


def weights(layer: nn.RNNBase) -> dict[str, Tensor]:
    return {name: getattr(layer, name) for name in layer._flat_weights_names if name.startswith("weight_hh")}


def cayley(A: Tensor) -> Tensor:
    eye = torch.eye(A.shape[-1], dtype=A.dtype)
    return (eye + A / 2) @ torch.linalg.inv(eye - A / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_block_of_every_layer_and_direction(kind: type[nn.RNNBase]) -> None:
    layer = kind(3, 6, 2, bidirectional=True)
    before = {name: W.detach().clone() for name, W in weights(layer).items()}
    assert orthogonal(layer) is layer
    assert len(weights(layer)) == 4
    for name, W in weights(layer).items():
        assert off(W) <= 1e-6
        U, _, Vh = torch.linalg.svd(before[name].view(-1, 6, 6))
        assert torch.allclose(W.view(-1, 6, 6), U @ Vh, atol=1e-5)  # the nearest


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_orthogonal_already_stays(kind: type[nn.RNNBase]) -> None:
    layer = init.orthogonal_(kind(3, 6, 2, dtype=torch.float64))
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    before = layer(x)[0]
    assert torch.allclose(orthogonal(layer)(x)[0], before, rtol=0, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_reaches_the_originals(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layer = orthogonal(kind(3, 4, 2, bidirectional=True, dtype=torch.float64))
    lists = layer.parametrizations
    for each in lists.values():
        each.original.data.normal_()
    x, error = torch.randn(5, 2, 3, dtype=torch.float64), torch.randn(5, 2, 8, dtype=torch.float64)
    (layer(x)[0] * error).sum().backward()
    plain = kind(3, 4, 2, bidirectional=True, dtype=torch.float64)
    originals = {name: each.original.detach().clone().requires_grad_() for name, each in lists.items()}
    made = {}
    for name in plain._flat_weights_names:
        made[name] = getattr(layer, name).detach().clone().requires_grad_()
        if name in originals:
            lower = originals[name].view(-1, 4, 4).tril(-1)
            made[name] = (lists[name][0].base @ cayley(lower - lower.mT)).view(-1, 4)
    (torch.func.functional_call(plain, made, (x,))[0] * error).sum().backward()
    for name, original in originals.items():
        assert original.grad is not None
        assert original.grad.abs().max() > 1e-3
        assert torch.allclose(lists[name].original.grad, original.grad, rtol=1e-10, atol=1e-12)
    assert torch.allclose(layer.weight_ih_l0.grad, made["weight_ih_l0"].grad)


@pytest.mark.slow(11, "takes ten thousand steps")
def test_ten_thousand_steps() -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.RNN(2, 8))
    steps = torch.optim.Adam(layer.parameters(), lr=1e-2)
    for _ in range(10_000):
        steps.zero_grad()
        layer(torch.randn(3, 2, 2))[0].square().sum().backward()
        steps.step()
    assert off(layer.weight_hh_l0) <= 1e-5


@pytest.mark.parametrize("size", [1.0, 1e2, 1e4])
@pytest.mark.parametrize("H", [1, 16, 200])
def test_however_far_the_optimizer_goes(H: int, size: float) -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.LSTM(2, H))
    layer.parametrizations.weight_hh_l0.original.data.normal_().mul_(size)
    assert off(layer.weight_hh_l0) <= 1e-5


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW, torch.optim.RMSprop])
def test_learns(optimizer: type[torch.optim.Optimizer]) -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.GRU(2, 8))
    steps = optimizer(layer.parameters(), lr=0.01)
    x, y = torch.randn(6, 4, 2), torch.randn(6, 4, 8).tanh()
    first = layer.weight_hh_l0.detach()
    losses = []
    for _ in range(200):
        loss = (layer(x)[0] - y).square().mean()
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
    assert (layer.weight_hh_l0 - first).norm() > 1e-3
    assert off(layer.weight_hh_l0) <= 1e-5


def test_several_calls_before_one_backward() -> None:
    layer = orthogonal(nn.RNN(2, 4))
    h, total = None, torch.zeros(())
    for _ in range(3):
        y, h = layer(torch.randn(5, 1, 2), h)
        total = total + y.sum()
    total.backward()
    assert layer.parametrizations.weight_hh_l0.original.grad.norm() > 0


def test_one_evaluation_a_call() -> None:
    layer = orthogonal(nn.LSTM(2, 4))
    count = []
    layer.parametrizations.weight_hh_l0[0].register_forward_hook(lambda *_: count.append(1))
    layer(torch.zeros(3, 1, 2))
    assert len(count) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_state_dict_and_copies(kind: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    layer = orthogonal(kind(3, 4, 2, bidirectional=True))
    layer.parametrizations.weight_hh_l0.original.data.normal_()
    x = torch.randn(5, 2, 3)
    y = layer(x)[0]
    fresh = orthogonal(kind(3, 4, 2, bidirectional=True))
    fresh.load_state_dict(layer.state_dict())
    saved = io.BytesIO()
    torch.save(layer, saved)
    saved.seek(0)
    copies = [fresh, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer)), torch.load(saved, weights_only=False)]
    for each in copies:
        assert torch.equal(each(x)[0], y)
        assert each.state_dict().keys() == layer.state_dict().keys()
        assert [n for n, _ in each.named_parameters()] == [n for n, _ in layer.named_parameters()]
        assert type(each) is not type(layer)
        assert orthogonal(each) is each
        each(x)[0].sum().backward()
        assert each.parametrizations.weight_hh_l1.original.grad is not None
    assert layer.parametrizations.weight_hh_l1.original.grad is None


def test_a_copied_model_and_optimizer_stay_together() -> None:
    model = nn.Sequential(orthogonal(nn.RNN(2, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model, optimizer = copy.deepcopy((model, optimizer))
    assert {id(p) for p in model.parameters()} == {id(p) for p in optimizer.param_groups[0]["params"]}


def test_taking_it_off() -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.GRU(3, 4))
    other = copy.deepcopy(layer)
    x = torch.randn(5, 2, 3)
    parameter, y = layer.parametrizations.weight_hh_l0.original, layer(x)[0]
    parametrize.remove_parametrizations(layer, "weight_hh_l0")
    assert type(layer) is nn.GRU
    assert layer.weight_hh_l0 is parameter
    assert torch.equal(layer(x)[0], y)
    layer.weight_hh_l0.data.mul_(0.5)
    assert not torch.equal(layer(x)[0], y)
    assert torch.equal(other(x)[0], y)
    assert torch.allclose(nn.GRU(3, 4).load_state_dict(layer.state_dict()) and layer.weight_hh_l0, parameter)
    assert torch.equal(orthogonal(layer)(x)[0], orthogonal(layer)(x)[0])


def test_dtypes() -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.LSTM(3, 16))
    x = torch.randn(5, 2, 3)
    y = layer(x)[0]
    double = copy.deepcopy(layer).to(torch.float64)
    assert torch.allclose(double(x.double())[0].float(), y, atol=1e-6)
    assert off(double.weight_hh_l0) <= 1e-14
    half = copy.deepcopy(double).to(torch.bfloat16)
    half(x.bfloat16())[0].sum().backward()
    assert half.weight_hh_l0.dtype == torch.bfloat16
    assert off(half.weight_hh_l0) <= 4 * torch.finfo(torch.bfloat16).eps
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert off(layer.weight_hh_l0) <= 1e-6


@pytest.mark.parametrize("kind", CELLS)
def test_cells(kind: type[nn.RNNCellBase]) -> None:
    torch.manual_seed(0)
    cell = orthogonal(kind(3, 4))
    count = []
    cell.parametrizations.weight_hh[0].register_forward_hook(lambda *_: count.append(1))
    state = None
    with parametrize.cached():
        for x in torch.randn(5, 2, 3):
            state = cell(x, state)
    h = state[0] if isinstance(state, tuple) else state
    h.sum().backward()
    assert len(count) == 1
    assert off(cell.weight_hh) <= 1e-6
    assert cell.parametrizations.weight_hh.original.grad.norm() > 0
    assert torch.equal(copy.deepcopy(cell).weight_hh, cell.weight_hh)


def test_initialisers_and_assignment_reach_it() -> None:
    layer = orthogonal(nn.RNN(3, 4))
    layer.weight_hh_l0 = 3 * torch.eye(4)
    assert torch.allclose(layer.weight_hh_l0, torch.eye(4))
    nn.init.zeros_(layer.weight_hh_l0)  # a copy
    assert torch.allclose(layer.weight_hh_l0, torch.eye(4))
    init.orthogonal_(layer)
    assert not torch.allclose(layer.weight_hh_l0, torch.eye(4))
    init.identity_(layer)
    assert torch.allclose(layer.weight_hh_l0, torch.eye(4))
    assert torch.allclose(layer.bias_hh_l0, torch.zeros(4))
    assert off(layer.weight_hh_l0) <= 1e-6


def test_the_engine_sees_the_weights_of_now() -> None:
    torch.manual_seed(0)
    layer = orthogonal(nn.RNN(2, 4, dtype=torch.float64))
    x, error = torch.randn(6, 1, 2, dtype=torch.float64), torch.randn(6, 1, 4, dtype=torch.float64)
    layer(x)
    layer.parametrizations.weight_hh_l0.original.data.normal_()
    plain = nn.RNN(2, 4, dtype=torch.float64)
    plain.load_state_dict({name: getattr(layer, name) for name in layer._flat_weights_names})
    assert reach(layer, x, error).curve == reach(plain, x, error).curve


def test_what_is_not_finite_is_left_for_others_to_see() -> None:
    layer = orthogonal(nn.RNN(2, 4))
    layer.parametrizations.weight_hh_l0.original.data.fill_(float("nan"))
    assert layer(torch.zeros(2, 1, 2))[0].isnan().any()


def test_an_error_inside_a_call_leaves_no_cache_behind() -> None:
    layer = orthogonal(nn.RNN(2, 4))
    with pytest.raises(RuntimeError):
        layer(torch.zeros(3, 1, 5))
    assert layer.weight_hh_l0 is not layer.weight_hh_l0


def test_errors() -> None:
    with pytest.raises(TypeError, match=r"expected nn.RNN, nn.GRU, nn.LSTM or a cell of these, got Sequential; pass"):
        orthogonal(nn.Sequential(nn.RNN(2, 2)))  # type: ignore[type-var]
    with pytest.raises(TypeError, match=r"got gr.nn.GRU; make it with orthogonal=True"):
        orthogonal(ours.GRU(2, 2))
    with pytest.raises(ValueError, match=r"expected proj_size=0, got 2"):
        orthogonal(nn.LSTM(2, 4, proj_size=2))
    layer = nn.RNN(2, 4)
    parametrizations.weight_norm(layer, "weight_hh_l0")
    with pytest.raises(ValueError, match=r"expected weight_hh_l0 without a parametrization"):
        orthogonal(layer)
    both = orthogonal(nn.RNN(2, 4))
    parametrizations.weight_norm(both, "weight_ih_l0")
    with pytest.raises(RuntimeError, match=r"expected no other parametrization beside gr.orthogonal's"):
        copy.deepcopy(both)
