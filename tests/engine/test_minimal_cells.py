"""minGRU and minLSTM, whose gates do not look at the state: the closed form against autograd over their formulas."""

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

KINDS = ["MinGRU", "MinLSTM"]


def layer_of(kind: str, *sizes: int, seed: int = 0, **options: object) -> nn.RNNBase:
    torch.manual_seed(seed)
    layer = getattr(gr.nn, kind)(*sizes, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.5)
    return layer


def shares(layer: nn.RNNBase, name: str, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What of h_{t−1} and of h̃_t is in h_t, and h̃_t, by the paper's formulas."""
    a = x @ getattr(layer, "weight_ih" + name).t() + getattr(layer, "bias_ih" + name)
    if layer.mode == "MinGRU":
        z, made = a.chunk(2, -1)
        return 1 - z.sigmoid(), z.sigmoid(), made
    f, i, made = a.chunk(3, -1)
    f, i = f.sigmoid(), i.sigmoid()
    return f / (f + i), i / (f + i), made


def states(layer: nn.RNNBase, name: str, x: Tensor, h: Tensor) -> list[Tensor]:
    """h_1, … of one direction by the paper's formulas, in the order of x."""
    found = []
    for stays, enters, made in zip(*shares(layer, name, x), strict=True):
        h = stays * h + enters * made
        h.retain_grad()
        found.append(h)
    return found


STEPS = st.one_of(st.integers(1, 7), st.integers(64, 90))
"""Fewer and more than are run in blocks."""


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(st.integers(0, 10**6), STEPS, st.integers(1, 3), st.integers(1, 4), st.integers(1, 5))
def test_forward_and_every_gradient_are_autograds(
    kind: str,
    seed: int,
    T: int,
    B: int,
    I: int,  # noqa: E741
    H: int,
) -> None:
    layer = layer_of(kind, I, H, 2, bidirectional=True, seed=seed)
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


@pytest.mark.parametrize("kind", KINDS)
def test_reach_is_autograds_and_knows_no_lag_share(kind: str) -> None:
    layer, x = layer_of(kind, 3, 5), torch.randn(9, 4, 3, dtype=torch.float64)
    error = torch.randn(9, 4, 5, dtype=torch.float64)
    found = gr.reach(layer, x, error)
    h = states(layer, "_l0", x, torch.zeros(4, 5, dtype=torch.float64))
    for t in range(9):
        grads = torch.autograd.grad(h[t], h[: t + 1], error[t], retain_graph=True)
        assert close(found.map[t, : t + 1], torch.stack([g.norm(dim=-1).mean() for g in grads]), 1e-10)
    assert found.exact
    assert found.lag_share == found.truncation_bias == ()
    assert found.window() is None


@pytest.mark.parametrize("kind", KINDS)
def test_spectrum_and_exponents_are_those_of_a_product_of_diagonals(kind: str) -> None:
    layer, x = layer_of(kind, 3, 5), torch.randn(40, 1, 3, dtype=torch.float64)
    stays = shares(layer, "_l0", x[:, 0])[0].detach()
    found = gr.spectrum(layer, x)
    assert (found.gates, found.lambda_, found.gamma, found.log10_bound) == ({}, None, None, ())
    for lag, values in found.log10_singular_values.items():
        expected = stays[40 - lag :].log10().sum(0).sort(descending=True).values
        assert values == pytest.approx(expected.tolist(), abs=1e-10)
        assert found.log10_norm[lag] == pytest.approx(float(expected[0]), abs=1e-10)
    limits = bounds(replay(layer, x).unrolls[0], exponents=5)
    assert sum(limits.lyapunov) == pytest.approx(float(stays[:30].log().sum(1).mean()), abs=1e-9)
    assert (limits.saturated, limits.bound_factor) == (None, None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[2, 6, 4], [70, 90, 3]])
def test_packed_rows_are_those_of_calls_of_their_own(kind: str, lengths: list[int]) -> None:
    layer, x = layer_of(kind, 2, 3, bidirectional=True), torch.randn(max(lengths), 3, 2, dtype=torch.float64)
    together, _ = pad_packed_sequence(layer(pack_padded_sequence(x, lengths, enforce_sorted=False))[0])
    for b, length in enumerate(lengths):
        alone = layer(x[:length, b])[0]
        assert close(together[:length, b], alone, 1e-12)
    error = torch.randn_like(together)
    ours = torch.autograd.grad((together * error).sum(), list(layer.parameters()))
    rows = ((layer(x[:length, b])[0] * error[:length, b]).sum() for b, length in enumerate(lengths))
    theirs = torch.autograd.grad(sum(rows), list(layer.parameters()))
    assert all(close(a, b, 1e-10) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "remedies", [{}, {"skip": 70}, {"clip_state_grad": 0.5}, {"truncate": 5}, {"layer_norm": True}]
)
def test_gradcheck_over_blocks_of_steps_and_where_the_plain_loop_runs(kind: str, remedies: dict[str, int]) -> None:
    layer, x = layer_of(kind, 2, 3, **remedies), torch.randn(80, 1, 2, dtype=torch.float64, requires_grad=True)
    h_0 = torch.randn(1, 1, 3, dtype=torch.float64, requires_grad=True)
    if {"clip_state_grad", "truncate"} & set(remedies):  # which shape the gradient, and not what is computed
        assert torch.autograd.grad(layer(x, h_0)[0].sum(), x)[0].isfinite().all()
        return
    assert torch.autograd.gradcheck(lambda x, h, *_: layer(x, h), (x, h_0, *layer.parameters()), fast_mode=True)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [60.0, 2000.0])
def test_gates_far_beyond_their_flat_ends(kind: str, size: float) -> None:
    layer = layer_of(kind, 1, 2)
    x = torch.randn(90, 2, 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
        layer.weight_ih_l0[-2:] = 1.0
        layer.bias_ih_l0[:-2] = -size
        layer.bias_ih_l0[-2:] = 0.0
    output = layer(x)[0]
    output.sum().backward()
    assert output.isfinite().all()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    if kind == "MinLSTM":  # f and i are alike, however small: half of each
        h = torch.zeros(2, 2, dtype=torch.float64)
        for t in range(90):
            h = h / 2 + x[t] / 2
        assert close(output[-1], h, 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_torchs_arguments_and_a_layer_that_is_saved(kind: str) -> None:
    layer = getattr(gr.nn, kind)(3, 4, 2, bias=False, batch_first=True, dropout=0.5, skip=2)
    assert list(layer.state_dict()) == ["weight_ih_l0", "weight_ih_l1"]
    assert repr(layer) == f"{kind}(3, 4, num_layers=2, bias=False, batch_first=True, dropout=0.5, skip=2)"
    x = torch.randn(2, 5, 3)
    output, h_n = layer(x)
    assert (output.shape, h_n.shape) == ((2, 5, 4), (2, 2, 4))
    buffer = io.BytesIO()
    torch.save(layer.eval(), buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(layer), torch.load(buffer, weights_only=True)):
        assert torch.equal(other(x)[0], layer(x)[0])
    assert kind in dir(gr.nn)
    with pytest.raises(AttributeError, match=r"has no attribute 'MaxGRU'; it has GRU, LSTM, MinGRU, MinLSTM"):
        gr.nn.MaxGRU  # noqa: B018


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
