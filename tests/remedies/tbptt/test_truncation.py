import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import gradreach as gr
from gradreach.remedies.tbptt import truncation_bias as module
from gradreach.remedies.tbptt.auto_k2 import AutoK2
from gradreach.remedies.tbptt.batch_layout import BatchLayout
from gradreach.remedies.tbptt.tbptt import tbptt
from gradreach.remedies.tbptt.truncation_bias import truncation_bias
from tests.remedies.streams import KINDS, Stream, stream, windows


def measured(each: Stream, k1: int, **given: Any) -> Any:
    dim = None if isinstance(each.step, nn.RNNBase) else each.dim
    time = {"y": torch.arange(each.T).view([-1 if i == each.dim else 1 for i in range(each.dim + 1)])}
    loss = lambda output, y: each.loss(output, int(y.flatten()[0]))  # noqa: E731
    return truncation_bias(each.x, **time, k1=k1, step=each.step, state=each.state, dim=dim, loss=loss, **given)


@settings(max_examples=40)
@given(st.sampled_from(KINDS), st.integers(1, 12), st.integers(1, 5), st.integers(0, 1), st.integers(0, 10**6))
def test_bias_is_that_of_tbptt_itself(kind: str, T: int, k1: int, dim: int, seed: int) -> None:
    torch.manual_seed(seed)
    each = stream(kind, T, 2, dim)
    found = measured(each, k1)
    recurrent = [i for i, (name, _) in enumerate(named(each)) if not name.startswith("head")]

    whole = max(T // k1 * k1, min(T, k1))  # a shorter last window is left out

    def gradient(k2: int) -> Tensor:
        parts = each.defined(windows(whole, k1), max(0, k2 - k1))
        return torch.cat([parts[i].flatten() for i in recurrent])

    full = gradient(T)
    for k2, bias in zip(found.k2, found.bias, strict=True):
        assert bias == pytest.approx(float((full - gradient(k2)).norm() / full.norm()), rel=1e-6, abs=1e-9)
    assert found.k2[-1] == found.steps == whole
    assert found.bias[-1] == 0.0


def named(each: Stream) -> list[tuple[str, Tensor]]:
    model = getattr(each.step, "step", each.step)
    return list(model.named_parameters())


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_bias_at_k1_of_1_is_that_of_reach(kind: str) -> None:
    torch.manual_seed(0)
    each = stream(kind, 30, 3)
    found = measured(each, 1, parameters=[each.step.weight_hh_l0])
    output = each.step(each.x)[0].detach().requires_grad_()
    (error,) = torch.autograd.grad(each.loss(output, 0), output)
    reached = gr.reach(each.step, each.x, error, anchors="all").truncation_bias
    assert found.k2[:6] == (1, 2, 3, 4, 6, 8)
    assert found.bias[:-1] == pytest.approx([reached[k2] for k2 in found.k2[:-1]], rel=1e-8)


@pytest.mark.parametrize("k1", [1, 3, 10])
@pytest.mark.parametrize("tolerance", [0.3, 0.05, 1e-3])
@pytest.mark.parametrize("scale", [0.3, 0.9, 1.5])
def test_auto_is_the_smallest_k2_within_the_tolerance(k1: int, tolerance: float, scale: float) -> None:
    torch.manual_seed(0)
    layer, x, y = nn.RNN(3, 16, dtype=torch.float64), torch.randn(60, 4, 3).double(), torch.randn(60, 4, 16).double()
    gr.init.orthogonal_(layer).weight_hh_l0.data.mul_(scale)
    loss = nn.functional.mse_loss
    everything = truncation_bias(x, y, k1=k1, step=layer, loss=loss)
    seen = list(tbptt(x, y, k1=k1, k2=AutoK2(loss, tolerance), step=layer))
    assert seen[0].k2 == everything.window(tolerance)
    assert seen[0].bias is not None
    assert seen[0].bias.bias == pytest.approx(everything.bias[: len(seen[0].bias.bias)])
    assert seen[0].bias.steps == 60


def test_auto_gives_the_window_that_its_k2_says() -> None:
    torch.manual_seed(0)
    each = stream("RNN", 40, 2)
    each.step.weight_hh_l0.data.mul_(2.0)
    loss = lambda output, y: each.loss(output, int(y[0]))  # noqa: E731
    for window in tbptt(each.x, torch.arange(40), k1=5, k2=AutoK2(loss), step=each.step):
        loss(window.output, window.y).backward()
    gathered, defined = each.gathered(), each.defined(windows(40, 5), window.k2 - 5)
    assert 5 < window.k2 < 40
    assert all(torch.allclose(a, b, rtol=1e-10) for a, b in zip(gathered, defined, strict=True))


class Busy(nn.Module):
    """Dropout, and batch statistics that every call changes."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.drop, self.rnn = nn.BatchNorm1d(3), nn.Dropout(0.3), nn.GRU(3, 8)

    def forward(self, x: Tensor, state: Any) -> Any:
        normed = self.norm(x.flatten(0, 1)).view_as(x)
        return self.rnn(self.drop(normed), state)


def test_measuring_leaves_everything_as_it_was() -> None:
    torch.manual_seed(0)
    model, x, y = Busy(), torch.randn(40, 4, 3), torch.randn(40, 4, 8)
    nn.functional.mse_loss(model(x, None)[0], y).backward()
    grads = [p.grad.clone() for p in model.parameters()]
    buffers, state = [b.clone() for b in model.buffers()], torch.get_rng_state()
    found = truncation_bias(x, y, k1=4, step=model, loss=nn.functional.mse_loss)
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(buffers, model.buffers(), strict=True))
    assert all(torch.equal(a, p.grad) for a, p in zip(grads, model.parameters(), strict=True))
    assert found == truncation_bias(x, y, k1=4, step=model, loss=nn.functional.mse_loss)  # the same draws again


def test_a_head_does_not_dilute_the_bias() -> None:
    torch.manual_seed(0)
    rnn, head = nn.RNN(3, 8), nn.Linear(8, 1000)

    def step(x: Tensor, state: Any) -> Any:
        output, state = rnn(x, state)
        return head(output), state

    x = torch.randn(30, 4, 3)
    inside = truncation_bias(x, k1=3, step=step, loss=lambda output, _: output.square().sum())
    outside = truncation_bias(x, k1=3, step=rnn, loss=lambda output, _: head(output).square().sum())
    assert inside.bias == pytest.approx(outside.bias)
    joint = [*rnn.parameters(), *head.parameters()]
    diluted = truncation_bias(x, k1=3, step=step, loss=lambda output, _: output.square().sum(), parameters=joint)
    assert diluted.bias[0] < inside.bias[0]


def test_rows_that_end_are_measured_so() -> None:
    torch.manual_seed(0)
    layer, x, y = nn.RNN(3, 8), torch.randn(40, 4, 3), torch.randn(40, 4, 8)
    layer.weight_hh_l0.data.mul_(2.5)
    ends = (torch.arange(40) % 5 == 4).unsqueeze(1).expand(40, 4)
    given: dict[str, Any] = {"k1": 5, "k2": AutoK2(nn.functional.mse_loss), "step": layer}
    assert next(iter(tbptt(x, y, layout=BatchLayout(ends=ends), **given))).bias.bias[0] == 0.0
    assert next(iter(tbptt(x, y, **given))).bias.bias[0] > 0.05


def test_a_state_without_a_gradient_loses_nothing() -> None:
    rnn = nn.RNN(3, 8)

    def step(x: Tensor, state: Any) -> Any:
        output, state = rnn(x, state)
        return output, state.detach()

    found = truncation_bias(torch.randn(12, 2, 3), k1=3, step=step, loss=lambda output, _: output.sum())
    assert found.bias == (0.0, 0.0, 0.0, 0.0)


def test_a_measure_of_steps_is_bounded() -> None:
    layer, x, y = nn.RNN(3, 4), torch.randn(500, 2, 3), torch.randn(500, 2, 4)
    loss = nn.functional.mse_loss
    assert next(iter(tbptt(x, y, k1=10, k2=AutoK2(loss), step=layer))).bias.steps == 320
    assert next(iter(tbptt(x, y, k1=2, k2=AutoK2(loss), step=layer))).bias.steps == 256


X, LAYER = torch.randn(12, 2, 3), nn.RNN(3, 4)
FROZEN = nn.RNN(3, 4).requires_grad_(False)


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"k1": 0}, ValueError, "k1: expected at least 1 step, got 0"),
        ({"y": X[:5]}, ValueError, "y: expected the 12 steps of x"),
        ({"y": torch.cat([X, X])}, ValueError, "y: expected the 12 steps of x"),
        ({"x": X * nn.Parameter(torch.ones(()))}, ValueError, "x: expected a tensor without a graph"),
        ({"state": LAYER(X)[1]}, ValueError, "state: expected a tensor without a graph"),
        ({"parameters": []}, ValueError, "parameters: expected some that require a gradient"),
        ({"parameters": FROZEN.parameters()}, ValueError, "parameters: expected some that require a gradient"),
        ({"step": FROZEN}, ValueError, "loss: expected one with a gradient"),
        ({"loss": lambda output, _: output.detach().sum()}, ValueError, "loss: expected one with a gradient"),
    ],
)
def test_an_argument_that_does_not_fit_is_named(given: dict[str, Any], error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        truncation_bias(**{"x": X, "k1": 3, "step": LAYER, "loss": lambda output, _: output.sum(), **given})


def test_parameters_that_are_no_list_are_told() -> None:
    for each in (LAYER, LAYER.weight_hh_l0):
        with pytest.raises(TypeError, match=r"parameters: .*model\.parameters\(\)"):
            module._chosen(each)
    assert module._chosen([*LAYER.parameters(), *FROZEN.parameters()]) == list(LAYER.parameters())


def test_a_frozen_layer_under_a_head_that_learns_loses_nothing() -> None:
    head = nn.Linear(4, 1)
    assert truncation_bias(X, k1=6, step=FROZEN, loss=lambda output, _: head(output).sum()).bias == (0.0, 0.0)


def test_a_carry_gives_its_last_state() -> None:
    last = list(tbptt(X, k1=3, k2=9, step=LAYER))[-1]
    given: dict[str, Any] = {"k1": 3, "step": LAYER, "loss": lambda output, _: output.sum()}
    assert truncation_bias(X, state=last.carry, **given) == truncation_bias(X, state=last.state, **given)


def test_inference_mode_is_told_and_no_grad_measures() -> None:
    loss = lambda output, _: output.square().sum()  # noqa: E731
    with torch.no_grad():
        wanted = truncation_bias(X, k1=3, step=LAYER, loss=loss)
    assert wanted == truncation_bias(X, k1=3, step=LAYER, loss=loss)
    with torch.inference_mode():
        with pytest.raises(RuntimeError, match="inference_mode"):
            truncation_bias(X, k1=3, step=LAYER, loss=loss)
        with pytest.raises(RuntimeError, match=r"inference_mode.*k2 as a number"):
            list(tbptt(X, k1=3, k2=AutoK2(loss), step=LAYER))


def test_what_cannot_be_compared_is_told() -> None:
    layer, x = nn.RNN(3, 4), torch.randn(12, 2, 3)
    with pytest.raises(ValueError, match="loss: expected finite gradients"):
        truncation_bias(x, k1=3, step=layer, loss=lambda output, _: output.sum() * math.nan)
    with pytest.raises(ValueError, match="loss: expected a scalar tensor"):
        truncation_bias(x, k1=3, step=layer, loss=lambda output, _: output)
