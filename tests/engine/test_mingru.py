"""minGRU, whose gates do not look at the state: the closed form against autograd over its own formulas, in float64."""

from __future__ import annotations

import copy
import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import gradreach as gr
from gradreach.engine.adjoint import backward
from gradreach.engine.bounds import bounds
from gradreach.engine.replay import replay
from gradreach.engine.theory import gradient_terms

from .cases import close


def layer_of(*sizes: int, seed: int = 0, **options: object) -> nn.RNNBase:
    torch.manual_seed(seed)
    layer = gr.nn.MinGRU(*sizes, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return layer


def states(layer: nn.RNNBase, name: str, x: Tensor, h: Tensor) -> list[Tensor]:
    """h_1, … of one direction by the paper's formulas, in the order of x."""
    found = []
    for x_t in x:
        a = x_t @ getattr(layer, "weight_ih" + name).t() + getattr(layer, "bias_ih" + name)
        z, made = a.chunk(2, -1)
        h = (1 - z.sigmoid()) * h + z.sigmoid() * made
        h.retain_grad()
        found.append(h)
    return found


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(1, 7), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5))
def test_forward_and_every_gradient_are_autograds(seed: int, T: int, B: int, I: int, H: int) -> None:  # noqa: E741
    layer = layer_of(I, H, 2, bidirectional=True, seed=seed)
    x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
    h_0 = torch.randn(4, B, H, dtype=torch.float64, requires_grad=True)
    error, end = torch.randn(T, B, 2 * H, dtype=torch.float64), torch.randn(4, B, H, dtype=torch.float64)
    data, runs = x, []
    for level in range(2):
        ahead = states(layer, f"_l{level}", data, h_0[2 * level])
        back = states(layer, f"_l{level}_reverse", data.flip(0), h_0[2 * level + 1])
        data = torch.cat([torch.stack(ahead), torch.stack(back[::-1])], -1)
        runs += [ahead, back]
    loss = (data * error).sum() + sum((run[-1] * e).sum() for run, e in zip(runs, end, strict=True))
    tensors = [x, h_0, *layer.parameters()]
    theirs = torch.autograd.grad(loss, [*tensors, *(h for run in runs for h in run)])
    output, h_n = layer(x, h_0)
    assert close(output, data, 1e-12)
    ours = torch.autograd.grad((output * error).sum() + (h_n * end).sum(), tensors)
    assert all(close(a, b, 1e-10) for a, b in zip(ours, theirs, strict=False))
    deltas = torch.stack(theirs[len(tensors) :]).unflatten(0, (4, T))
    run = replay(layer, x, h_0)
    assert close(run.output.data, data, 1e-12)
    for n, adjoint in enumerate(backward(run, error, end)):
        assert close(adjoint.delta, deltas[n].flip(0) if n % 2 else deltas[n], 1e-10)
        assert not any(name.startswith("weight_hh") for name in adjoint.gradients)


def test_reach_is_autograds_and_knows_no_lag_share() -> None:
    layer, x = layer_of(3, 5), torch.randn(9, 4, 3, dtype=torch.float64)
    error = torch.randn(9, 4, 5, dtype=torch.float64)
    found = gr.reach(layer, x, error)
    h = states(layer, "_l0", x, torch.zeros(4, 5, dtype=torch.float64))
    for t in range(9):
        grads = torch.autograd.grad(h[t], h[: t + 1], error[t], retain_graph=True)
        assert close(found.map[t, : t + 1], torch.stack([g.norm(dim=-1).mean() for g in grads]), 1e-10)
    assert found.exact
    assert found.lag_share == found.truncation_bias == ()
    assert found.window() is None


def test_spectrum_and_exponents_are_those_of_a_product_of_diagonals() -> None:
    layer, x = layer_of(3, 5), torch.randn(40, 1, 3, dtype=torch.float64)
    stays = 1 - (x[:, 0] @ layer.weight_ih_l0[:5].t() + layer.bias_ih_l0[:5]).detach().sigmoid()
    found = gr.spectrum(layer, x)
    assert (found.gates, found.lambda_, found.gamma, found.log10_bound) == ({}, None, None, ())
    for lag, values in found.log10_singular_values.items():
        expected = stays[40 - lag :].log10().sum(0).sort(descending=True).values
        assert values == pytest.approx(expected.tolist(), abs=1e-10)
        assert found.log10_norm[lag] == pytest.approx(float(expected[0]), abs=1e-10)
    limits = bounds(replay(layer, x).unrolls[0], exponents=5)
    assert sum(limits.lyapunov) == pytest.approx(float(stays[:30].log().sum(1).mean()), abs=1e-9)
    assert (limits.saturated, limits.bound_factor) == (None, None)


def test_packed_rows_are_those_of_calls_of_their_own() -> None:
    layer, x = layer_of(2, 3, bidirectional=True), torch.randn(6, 3, 2, dtype=torch.float64)
    lengths = [2, 6, 4]
    together, _ = pad_packed_sequence(layer(pack_padded_sequence(x, lengths, enforce_sorted=False))[0])
    for b, length in enumerate(lengths):
        assert close(together[:length, b], layer(x[:length, b])[0], 1e-12)


def test_torchs_arguments_and_a_layer_that_is_saved() -> None:
    layer = gr.nn.MinGRU(3, 4, 2, bias=False, batch_first=True, dropout=0.5, skip=2)
    assert list(layer.state_dict()) == ["weight_ih_l0", "weight_ih_l1"]
    assert repr(layer) == "MinGRU(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.5, skip=2)"
    x = torch.randn(2, 5, 3)
    output, h_n = layer(x)
    assert (output.shape, h_n.shape) == ((2, 5, 4), (2, 2, 4))
    buffer = io.BytesIO()
    torch.save(layer.eval(), buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(layer), torch.load(buffer, weights_only=True)):
        assert torch.equal(other(x)[0], layer(x)[0])
    assert "MinGRU" in dir(gr.nn)
    with pytest.raises(AttributeError, match=r"has no attribute 'MaxGRU'; it has GRU, LSTM, MinGRU"):
        gr.nn.MaxGRU  # noqa: B018


def test_it_takes_the_place_of_another_layer() -> None:
    model = nn.ModuleDict({"rnn": nn.GRU(3, 4, 2), "head": nn.Linear(4, 1)})
    new = gr.swap(model, "rnn", gr.nn.MinGRU, skip=2)
    assert isinstance(new, gr.nn.MinGRU)
    assert model["rnn"](torch.randn(5, 2, 3))[0].shape == (5, 2, 4)


X = torch.zeros(5, 1, 2)


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (
            lambda: gr.nn.MinGRU(2, 3, orthogonal=True),
            ValueError,
            "orthogonal: expected a kind with a W_hh, got MinGRU",
        ),
        (lambda: gr.nn.MinGRU(2, 3, init="identity"), ValueError, "init: expected a kind with a W_hh, got MinGRU"),
        (lambda: gr.nn.MinGRU(2, 3, forget_bias=1.0), TypeError, "layer: expected an LSTM or a GRU, .* got MinGRU"),
        (lambda: gr.Omega(gr.nn.MinGRU(2, 3)), ValueError, "layer: expected one with a W_hh, .* got MinGRU"),
        (
            lambda: gradient_terms(gr.nn.MinGRU(2, 3), X, torch.ones(3)),
            TypeError,
            "expected a plain RNN, .* got MinGRU",
        ),
        (lambda: gr.nn.MinGRU(2, 3)(X, (X, X)), TypeError, "hx: expected h_0 alone for MinGRU, got a tuple"),
        (lambda: gr.reach(gr.nn.MinGRU(2, 3), X * math.nan, X), ValueError, "x: expected finite values"),
    ],
)
def test_what_does_not_fit_is_named(call: object, kind: type[Exception], says: str) -> None:
    with pytest.raises(kind, match=says):
        call()
