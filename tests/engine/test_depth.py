import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gradreach.engine.depth import depth_spectrum

ACTIVATIONS: list[Callable[[], nn.Module]] = [
    nn.Sigmoid, nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.ELU, nn.SELU, nn.CELU, nn.Softplus, nn.Softsign, nn.LeakyReLU,
    nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.ReLU6, nn.LogSigmoid, nn.Identity,
]  # fmt: skip


class Sine(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sin(x)


@st.composite
def stacks(draw: st.DrawFn) -> tuple[nn.Sequential, Tensor]:
    torch.manual_seed(draw(st.integers(0, 10**6)))
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=6))
    modules: list[nn.Module] = []
    for a, b in pairwise(widths):
        modules.append(nn.Linear(a, b, bias=draw(st.booleans())))
        modules.extend(f() for f in draw(st.lists(st.sampled_from([*ACTIVATIONS, Sine]), max_size=2)))
        modules.append(nn.Dropout(0.5))
    return nn.Sequential(*modules).double().eval(), torch.randn(draw(st.integers(1, 4)), widths[0]).double()


@settings(max_examples=60)
@given(stacks())
def test_norms_factors_and_gradient_are_autograds(case: tuple[nn.Sequential, Tensor]) -> None:
    stack, x = case
    error = torch.randn_like(stack(x))
    found = depth_spectrum(stack, x, error)
    heads = [n for n, f in enumerate(stack) if isinstance(f, nn.Linear)]
    L = len(heads)
    assert len(found.layers) == L
    for layer, at in enumerate([*heads, len(stack)]):
        h, rest = stack[:at](x).detach(), stack[at:]
        norms, gradients = [], []
        for b in range(len(x)):
            J = torch.autograd.functional.jacobian(lambda s, rest=rest: rest(s[None])[0], h[b])
            norms.append(torch.linalg.matrix_norm(J, 2))
            gradients.append((error[b] @ J).norm())
        for log10, theirs in ((found.log10_norm, norms), (found.log10_gradient, gradients)):
            assert 10 ** log10[layer] == pytest.approx(float(torch.stack(theirs).mean()), rel=1e-10, abs=1e-300)
        bound = found.log10_bound[layer]
        assert bound is None or found.log10_norm[layer] <= bound + 1e-6
    for each, at, end in zip(found.layers, heads, [*heads[1:], len(stack)], strict=True):
        a = stack[: at + 1](x).detach()
        slope = torch.autograd.functional.jacobian(lambda s, f=stack[at + 1 : end]: f(s).sum(), a).abs()
        assert each.weight == pytest.approx(float(torch.linalg.svdvals(stack[at].weight.detach())[0]))
        assert (each.slope_mean, each.slope_max) == pytest.approx((float(slope.mean()), float(slope.max())))
        assert each.gamma is None or each.slope_max <= each.gamma * (1 + 1e-7)
        assert (each.gamma is None) == any(isinstance(f, Sine) for f in stack[at + 1 : end])


@pytest.mark.parametrize("make", [*ACTIVATIONS, lambda: nn.LeakyReLU(-3.0), lambda: nn.ELU(2.5)])
def test_gamma_is_the_largest_slope(make: Callable[[], nn.Module]) -> None:
    stack = nn.Sequential(nn.Linear(1, 1, bias=False), make()).double()
    nn.init.ones_(stack[0].weight)
    (layer,) = depth_spectrum(stack, torch.linspace(-30, 30, 60001, dtype=torch.float64)[:, None] + 1e-9).layers
    assert layer.gamma == pytest.approx(layer.slope_max, rel=2e-3)  # the grid's step is 1e-3
    assert layer.slope_max <= layer.gamma * (1 + 1e-7)  # torch itself holds 1/6 and its like in float32


def test_a_thousand_logistic_layers_vanish_below_every_float() -> None:
    torch.manual_seed(0)
    modules = [f for _ in range(1000) for f in (nn.Linear(6, 6), nn.Sigmoid())]
    found = depth_spectrum(nn.Sequential(*modules, nn.Linear(6, 1)), torch.randn(3, 6))
    assert found.log10_quarter[0] == pytest.approx(1000 * math.log10(0.25))
    assert found.log10_quarter[1000:] == (0.0, 0.0)
    assert -5000 < found.log10_gradient[0] < found.log10_bound[0] < 0
    assert found.log10_norm[0] <= found.log10_bound[0]
    assert found.log10_gradient[0] == pytest.approx(found.log10_norm[0], abs=1e-9)  # one output: δ_0 is its row
    assert found.log10_norm[-1] == found.log10_bound[-1] == 0.0


def test_explosion_and_zero() -> None:
    deep = nn.Sequential(*[nn.Linear(2, 2, bias=False) for _ in range(200)]).double()
    for linear in deep:
        nn.init.eye_(linear.weight).data.mul_(1e3)
    found = depth_spectrum(deep, torch.ones(1, 2, dtype=torch.float64))
    assert found.log10_norm[0] == pytest.approx(600.0)
    assert found.log10_quarter == ()
    assert found.log10_gradient[0] == pytest.approx(600 + math.log10(math.sqrt(2)))
    nn.init.zeros_(deep[3].weight)
    found = depth_spectrum(deep, torch.ones(1, 2, dtype=torch.float64))
    assert found.log10_norm[:4] == found.log10_gradient[:4] == (-math.inf,) * 4
    assert found.log10_norm[4] == pytest.approx(588.0)


def test_logistic_decay_alone_wants_logistic_layers_alone() -> None:
    mixed = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid(), nn.Linear(3, 3), nn.Tanh())
    assert depth_spectrum(mixed, torch.randn(2, 3)).log10_quarter == ()
    nested = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()), nn.Dropout(0.0), nn.Linear(3, 3), nn.Sigmoid())
    found = depth_spectrum(nested, torch.randn(2, 3))
    assert [round(each, 3) for each in found.log10_quarter] == [-1.204, -0.602, 0.0]
    assert [(each.name, each.activation) for each in found.layers] == [("0.0", "Sigmoid Dropout"), ("2", "Sigmoid")]


def test_what_comes_before_the_first_linear_makes_h_0() -> None:
    torch.manual_seed(0)
    stack = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6), nn.Linear(6, 4), nn.BatchNorm1d(4), nn.PReLU(4)).eval()
    with torch.no_grad():
        stack[1].running_mean.normal_()
        stack[3].weight.normal_()
    x = torch.randn(3, 2, 3)
    found = depth_spectrum(stack, x)
    h_0 = stack[:2](x).detach()
    J = torch.autograd.functional.jacobian(lambda h: stack[2:](h).sum(0), h_0).movedim(1, 0)
    norms = torch.stack([torch.linalg.matrix_norm(each, 2) for each in J.double()])
    assert 10 ** found.log10_norm[0] == pytest.approx(float(norms.mean()), rel=1e-5)
    assert found.log10_bound == (None, 0.0)


def test_rows_in_several_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    stack, x = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)), torch.randn(7, 4)
    whole = depth_spectrum(stack, x)
    monkeypatch.setattr("gradreach.engine.depth._BLOCK", 30)
    assert depth_spectrum(stack, x).log10_norm == pytest.approx(whole.log10_norm, abs=1e-12)


def test_nothing_of_the_stack_is_touched() -> None:
    stack = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 2), nn.Sigmoid())
    calls: list[int] = []
    for module in stack:
        module.register_forward_hook(lambda *_: calls.append(1))
    x, state = torch.randn(4, 3, requires_grad=True), torch.get_rng_state()
    depth_spectrum(stack, x)
    assert not calls
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in stack.parameters())
    assert x.grad is None


class Blend(nn.Module):
    """Elementwise in shape alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.1 * x.roll(1, dims=-1)


X = torch.zeros(4, 3)
STACK = nn.Sequential(nn.Linear(3, 3), nn.Tanh())
NAN = nn.Sequential(nn.Linear(3, 3))
with torch.no_grad():
    NAN[0].bias[1] = math.nan


@pytest.mark.parametrize("module", [nn.Softmax(dim=-1), nn.LayerNorm(3), Blend(), nn.BatchNorm1d(3), nn.GLU()])
def test_what_mixes_units_or_rows_is_refused(module: nn.Module) -> None:
    torch.manual_seed(0)
    width = 4 if isinstance(module, nn.GLU) else 3
    stack = nn.Sequential(nn.Linear(3, width), module, nn.Linear(width, 2))
    with pytest.raises(TypeError, match=f"stack: .* got {type(module).__name__} '1', which does not; cut the stack"):
        depth_spectrum(stack, torch.randn(4, 3))


@pytest.mark.parametrize(
    ("stack", "x", "error", "kind", "says"),
    [
        (nn.Linear(3, 3), X, None, TypeError, "stack: expected nn.Sequential, got Linear"),
        (nn.Sequential(nn.Tanh()), X, None, ValueError, "stack: expected at least one nn.Linear, got none"),
        (nn.Sequential(nn.Linear(3, 3), nn.Dropout()), X, None, ValueError, "stack: .* Dropout '1' in training"),
        (NAN, X, None, ValueError, "module: expected finite weights, got .* 0.bias"),
        (STACK, torch.zeros(4, 2), None, ValueError, r"x: expected 3 features in 2-D at Linear '0', got \(4, 2\)"),
        (STACK, torch.zeros(4, 2, 3), None, ValueError, r"x: expected 3 features in 2-D .* got \(4, 2, 3\)"),
        (STACK, X[:0], None, ValueError, r"x: expected at least one row, got shape \(0, 3\)"),
        (STACK, X.double(), None, ValueError, "x: expected dtype torch.float32, .* got torch.float64"),
        (STACK, X.to("meta"), None, ValueError, "x: expected device cpu, .* got meta"),
        (STACK, X * math.nan, None, ValueError, "x: expected finite numbers"),
        (STACK, X, torch.zeros(4, 2), ValueError, r"error: expected the output's shape \(4, 3\), got \(4, 2\)"),
        (STACK, X, X * math.inf, ValueError, "error: expected finite numbers"),
    ],
)
def test_bad_input_is_named(
    stack: nn.Module, x: Tensor, error: Tensor | None, kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=says):
        depth_spectrum(stack, x, error)


def test_a_slope_that_cancels_is_still_of_each_unit_by_itself() -> None:
    stack = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Tanhshrink()).double()
    nn.init.eye_(stack[0].weight)
    x = torch.tensor([[7.7606e-07, -1.1907e-06, -1.0647e-06]], dtype=torch.float64)
    found = depth_spectrum(stack, x, torch.ones(1, 3, dtype=torch.float64))
    assert found.layers[0].slope_max == pytest.approx(
        1.1907e-06**2, rel=1e-3
    )  # tanh² x, of which float64 keeps 4 digits
