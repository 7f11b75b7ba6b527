import copy
import io
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import gradreach as gr
from gradreach.engine import compiled_scan as compiled
from gradreach.engine.scan import Remedies
from gradreach.remedies.layers.layers import GRU, LSTM, RNN
from tests.engine.cases import ONEDNN, Case, cases

from . import plainly

pytestmark = pytest.mark.filterwarnings(ONEDNN)

KINDS = ["tanh", "relu", "sigmoid", "GRU", "LSTM", "MinGRU", "MinLSTM"]


def make(kind: str, *sizes: int, **options: Any) -> nn.RNNBase:
    if kind in ("GRU", "LSTM", "MinGRU", "MinLSTM"):
        return getattr(gr.nn, kind)(*sizes, **options)
    return RNN(*sizes, nonlinearity=kind, **options)


def twin_of(module: nn.RNNBase) -> nn.RNNBase:
    """Our layer of the same arguments, with a remedy that changes nothing, so that its own scan runs."""
    names = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
    options = {name: getattr(module, name) for name in names}
    if isinstance(module, nn.LSTM):
        options["proj_size"] = module.proj_size
    if isinstance(module, nn.RNN):
        options["nonlinearity"] = module.nonlinearity
    family = {nn.RNN: RNN, nn.GRU: GRU, nn.LSTM: LSTM}[type(module)]
    twin = family(**options, dtype=module.weight_hh_l0.dtype, keep_adjoint=True)
    twin.load_state_dict(module.state_dict())
    return twin.train(module.training)


@contextmanager
def using(loops: str) -> Iterator[None]:
    """The plain loops, or the compiled ones; skips the test where these cannot be had."""
    if loops == "compiled":
        pytest.importorskip("numba", reason="the compiled loops need numba, which is an extra")
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiled, "fits", lambda *_: False)
        yield


def values(y: Tensor | PackedSequence) -> Tensor:
    return y if isinstance(y, Tensor) else y.data


def near(ours: Tensor, theirs: Tensor, tolerance: float) -> bool:
    return float((ours.detach() - theirs.detach()).norm()) <= tolerance * (1 + float(theirs.detach().norm()))


def check_twin(case: Case, tolerance: float) -> None:
    twin = twin_of(case.module)
    hx = case.hx
    if hx is not None:
        parts = [s.detach().clone().requires_grad_() for s in (hx if isinstance(hx, tuple) else (hx,))]
        hx = tuple(parts) if isinstance(hx, tuple) else parts[0]
    torch.set_rng_state(case.generator_state)
    output, end = twin(case.x, hx)
    ends = end if isinstance(end, tuple) else (end,)
    theirs = [case.h_n] if case.c_n is None else [case.h_n, case.c_n]
    assert type(output) is type(case.output)
    assert near(values(output), values(case.output), tolerance)
    assert all(near(a, b, tolerance) for a, b in zip(ends, theirs, strict=True))
    case.run_backward()
    loss = (values(output) * case.grad_output).sum()
    for part, error in zip(ends, (case.grad_h_n, case.grad_c_n), strict=False):
        loss = loss + (part * error).sum()
    loss.backward()
    for (name, own), (_, parameter) in zip(twin.named_parameters(), case.module.named_parameters(), strict=True):
        assert near(own.grad, parameter.grad, tolerance), name
    if hx is not None:
        given = case.hx if isinstance(case.hx, tuple) else (case.hx,)
        for own, first in zip(parts, given, strict=True):
            assert near(own.grad, first.grad, tolerance)


@pytest.mark.parametrize("loops", ["plain", "compiled"])
@settings(max_examples=80)
@given(cases())
def test_equals_torchs_layer_in_float64(loops: str, case: Case) -> None:
    with using(loops):
        check_twin(case, 1e-11)


@pytest.mark.parametrize("loops", ["plain", "compiled"])
@settings(max_examples=40)
@given(cases(torch.float32))
def test_equals_torchs_layer_in_float32(loops: str, case: Case) -> None:
    with using(loops):
        check_twin(case, 1e-5)


@dataclass(frozen=True)
class Sizes:
    """What a call is made of: a kind, (T, B, I, H), options, a seed."""

    kind: str
    sizes: tuple[int, int, int, int]
    options: dict[str, Any]
    seed: int

    def made(self) -> tuple[nn.RNNBase, Tensor, plainly.State, Tensor]:
        """A layer in float64, an input, a state, and errors for its outputs."""
        torch.manual_seed(self.seed)
        T, B, I, H = self.sizes  # noqa: E741
        layer = make(self.kind, I, H, keep_adjoint=True, dtype=torch.float64, **self.options)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.3)
        h_0 = torch.randn(B, layer.proj_size or H, dtype=torch.float64, requires_grad=True)
        c_0 = torch.randn(B, H, dtype=torch.float64, requires_grad=True) if self.kind == "LSTM" else None
        x = torch.randn(T, B, I, dtype=torch.float64, requires_grad=True)
        return layer, x, (h_0, c_0), torch.randn(T, B, layer.proj_size or H, dtype=torch.float64)


@st.composite
def calls(draw: st.DrawFn) -> Sizes:
    kind = draw(st.sampled_from(KINDS))
    T, B, I, H = (draw(st.integers(1, most)) for most in (9, 3, 3, 5))  # noqa: E741
    options: dict[str, Any] = {"bias": draw(st.booleans()), "skip": draw(st.integers(0, T + 1))}
    if kind == "LSTM" and H > 1 and draw(st.booleans()):
        options["proj_size"] = draw(st.integers(1, H - 1))
    options["layer_norm"] = H > 1 and draw(st.booleans())
    return Sizes(kind, (T, B, I, H), options, draw(st.integers(0, 10**6)))


def gradients(loss: Tensor, layer: nn.RNNBase, x: Tensor, state: plainly.State) -> list[Tensor]:
    tensors = [x, *layer.parameters(), *(s for s in state if s is not None)]
    found = torch.autograd.grad(loss, tensors, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(tensors, found, strict=True)]


def called(layer: nn.RNNBase, x: Tensor, state: plainly.State) -> Tensor:
    hx = state[0][None] if state[1] is None else (state[0][None], state[1][None])
    return layer(x, hx)[0]


@pytest.mark.parametrize("loops", ["plain", "compiled"])
@settings(max_examples=120)
@given(calls(), st.one_of(st.none(), st.floats(0.05, 3.0)))
def test_skip_norm_and_clip_equal_autograd(loops: str, call: Sizes, clip: float | None) -> None:
    with using(loops):
        check_against_autograd(call, clip)


def check_against_autograd(call: Sizes, clip: float | None) -> None:
    layer, x, state, error = call.made()
    layer.remedies = Remedies(layer.remedies.skip, math.inf if clip is None else clip)
    states: list[plainly.State] = []
    expected = plainly.run(layer.mode, plainly.weights(layer), x, state, layer.remedies, states)
    output = called(layer, x, state)
    assert near(output, expected, 1e-12)
    delta = torch.stack(torch.autograd.grad((expected * error).sum(), [h for h, _ in states], retain_graph=True))
    theirs = gradients((expected * error).sum(), layer, x, state)
    ours = gradients((output * error).sum(), layer, x, state)
    assert all(near(a, b, 1e-10) for a, b in zip(ours, theirs, strict=True))
    if clip is None:
        assert near(layer.adjoint[0], delta, 1e-10)
    else:
        assert float(layer.adjoint[0].norm(dim=-1).max()) <= clip * (1 + 1e-12)


@settings(max_examples=150)
@given(calls(), st.integers(1, 10))
def test_truncation_is_the_defining_sum(call: Sizes, k2: int) -> None:
    layer, x, state, error = call.made()
    layer.remedies = Remedies(layer.remedies.skip, truncate=k2)
    loss = plainly.truncated_loss(layer.mode, plainly.weights(layer), x, state, layer.remedies, error, k2)
    theirs = gradients(loss, layer, x, state)
    ours = gradients((called(layer, x, state) * error).sum(), layer, x, state)
    assert all(near(a, b, 1e-10) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck_and_a_clear_error_for_the_second_derivative(kind: str) -> None:
    torch.manual_seed(0)
    layer = make(kind, 2, 3, 2, bidirectional=True, dtype=torch.float64, skip=2, layer_norm=kind == "GRU")
    x = torch.randn(4, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, *_: layer(x)[0], (x, *layer.parameters()), fast_mode=True)
    (first,) = torch.autograd.grad(layer(x)[0].square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match=r"gradreach\.nn: expected first derivatives only.*torch\.nn layer"):
        first.sum().backward()


def flat(called: Any) -> tuple[Tensor, ...]:
    output, end = called
    return (output, *(end if isinstance(end, tuple) else (end,)))


@pytest.mark.parametrize("loops", ["plain", "compiled"])
@pytest.mark.parametrize("kind", ["tanh", "relu", "GRU", "LSTM"])
def test_without_a_remedy_there_are_second_derivatives(kind: str, loops: str) -> None:
    torch.manual_seed(0)
    layer = make(kind, 2, 3, 2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(16, 2, 2, dtype=torch.float64, requires_grad=True)
    h_0 = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    with using(loops):
        assert torch.autograd.gradgradcheck(
            lambda x, h: flat(layer(x, (h, h) if kind == "LSTM" else h)), (x, h_0), fast_mode=True
        )
        ours = torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()), create_graph=True)
    theirs = torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()))
    assert all(near(a, b, 1e-11) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", ["tanh", "relu", "GRU", "LSTM"])
def test_without_a_remedy_the_compiled_loops_train(kind: str) -> None:
    pytest.importorskip("numba", reason="the compiled loops need numba, which is an extra")
    torch.manual_seed(0)
    layer, x = make(kind, 3, 4, 2, bidirectional=True), torch.randn(20, 2, 3)
    trained, looked_at = layer(x)[0], layer.eval().requires_grad_(False)(x)[0]
    assert torch.allclose(trained, looked_at, atol=1e-6)
    assert "Scan" in str(trained.grad_fn.next_functions)
    with torch.no_grad():
        assert layer(x)[0].grad_fn is None
    gradient = torch.func.grad(lambda x: layer(x)[0].sum())(x)  # transforms go to torch's kernel
    assert gradient.shape == x.shape


@pytest.mark.parametrize("kind", ["tanh", "GRU", "LSTM"])
def test_state_dict_goes_both_ways(kind: str) -> None:
    ours = make(kind, 3, 4, 2, bidirectional=True, skip=2, clip_state_grad=1.0, orthogonal=True)
    stock = {"tanh": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}[kind](3, 4, 2, bidirectional=True)
    stock.load_state_dict(ours.state_dict())
    make(kind, 3, 4, 2, bidirectional=True, truncate=3).load_state_dict(stock.state_dict())


def test_a_layer_is_copied_saved_and_printed() -> None:
    layer = LSTM(3, 4, orthogonal=True, skip=2, clip_state_grad=0.5, keep_adjoint=True)
    x = torch.randn(5, 2, 3)
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    for other in (copy.deepcopy(layer), torch.load(buffer, weights_only=True)):
        assert torch.equal(other(x)[0], layer(x)[0])
        assert (
            repr(other) == repr(layer) == "LSTM(3, 4, orthogonal=True, skip=2, clip_state_grad=0.5, keep_adjoint=True)"
        )


def test_adjoint_of_a_packed_call_has_the_callers_rows() -> None:
    torch.manual_seed(0)
    layer = GRU(2, 3, keep_adjoint=True, dtype=torch.float64)
    lengths = [2, 5, 3]
    x = torch.randn(5, 3, 2, dtype=torch.float64)
    _, h_n = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    h_n.sum().backward()
    packed = layer.adjoint
    assert packed.shape == (1, 5, 3, 3)
    for b, length in enumerate(lengths):
        layer(x[:length, b : b + 1])[1].sum().backward()
        assert near(packed[:, :length, b], layer.adjoint[:, :, 0], 1e-12)
        assert not packed[:, length:, b].any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layer = RNN(3, 4, skip=2).to(dtype)
    x = torch.randn(6, 2, 3).to(dtype)
    output, h_n = layer(x)
    assert output.dtype == h_n.dtype == dtype
    whole = copy.deepcopy(layer).float()
    assert torch.equal(output, whole(x.float())[0].to(dtype))
    output.float().sum().backward()
    assert layer.weight_hh_l0.grad.dtype == dtype


def test_autocast_leaves_the_scan_in_float32() -> None:
    layer = LSTM(3, 4, skip=2)
    x = torch.randn(6, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = layer(x)[0]
        assert layer(x.bfloat16())[0].dtype == torch.bfloat16
    assert torch.equal(output, layer(x)[0])


def test_what_is_done_to_the_output_in_place_leaves_the_gradient_alone() -> None:
    layer = RNN(3, 4, skip=2, dtype=torch.float64)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    torch.relu_(layer(x)[0]).sum().backward()
    found = layer.weight_hh_l0.grad.clone()
    layer.zero_grad()
    torch.relu(layer(x)[0]).sum().backward()
    assert torch.equal(found, layer.weight_hh_l0.grad)


@pytest.mark.parametrize("family", [RNN, GRU, LSTM])
@pytest.mark.parametrize("remedies", [{}, {"skip": 3}])
def test_a_graph_that_is_kept_gives_the_same_gradients_again(family: Any, remedies: dict[str, Any]) -> None:
    layer = family(4, 4, 2, bidirectional=True, dtype=torch.float64, **remedies)
    x = torch.randn(20, 2, 4, dtype=torch.float64, requires_grad=True)
    loss = layer(x)[0].square().sum()
    wanted = [x, *layer.parameters()]
    first = torch.autograd.grad(loss, wanted, retain_graph=True)
    for keep in (True, False):
        again = torch.autograd.grad(loss, wanted, retain_graph=keep)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # of the compiler's own
def test_compiled_model_runs_the_scan_uncompiled() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), RNN(3, 4, skip=2))
    x = torch.randn(6, 2, 3)
    compiled = torch.compile(model, backend="eager")
    assert torch.equal(compiled(x)[0], model(x)[0])


@pytest.mark.parametrize("given", [(5, 0), (1, 2), (1, 1)])
def test_small_calls(given: tuple[int, int]) -> None:
    T, B = given
    for kind in KINDS:
        layer = make(kind, 3, 4, skip=2, layer_norm=True)
        output = layer(torch.randn(T, B, 3))[0]
        output.sum().backward()
        assert output.shape == (T, B, 4)
        assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())


def test_non_contiguous_input() -> None:
    layer = LSTM(3, 4, skip=2, batch_first=True)
    x = torch.randn(6, 5, 3).transpose(0, 1)
    assert torch.equal(layer(x)[0], layer(x.contiguous())[0])


def test_a_state_may_be_a_list_as_in_torch() -> None:
    layer, h = LSTM(3, 4, skip=2), torch.randn(1, 2, 4)
    x = torch.randn(5, 2, 3)
    assert torch.equal(layer(x, [h, h])[0], layer(x, (h, h))[0])


def test_numba_that_cannot_be_imported_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ImportError("Numba needs NumPy 2.3 or less")

    monkeypatch.setattr(compiled, "_loops", broken)
    compiled._found.cache_clear()
    try:
        layer = RNN(3, 4, skip=2)
        layer(torch.randn(20, 2, 3))[0].sum().backward()
        assert layer.weight_hh_l0.grad is not None
    finally:
        compiled._found.cache_clear()


@pytest.mark.filterwarnings("ignore:The tensor attributes self._flat_weights")  # torch's own layers say so too
def test_export() -> None:
    exported = torch.export.export(LSTM(3, 4).eval(), (torch.randn(20, 2, 3),))
    assert exported is not None


def test_nan_goes_through_as_in_torch() -> None:
    layer = RNN(3, 4, skip=2)
    x = torch.randn(6, 2, 3)
    x[2, 0, 0] = math.nan
    output = layer(x)[0]
    assert output[:2].isfinite().all()
    assert output[2:, 0].isnan().all()
    assert output[:, 1].isfinite().all()


BAD: list[tuple[str, type[Exception], dict[str, Any]]] = [
    (r"skip: expected a number of steps.*got -1", ValueError, {"skip": -1}),
    (r"clip_state_grad: expected a 2-norm over 0.*got 0", ValueError, {"clip_state_grad": 0.0}),
    (r"truncate: expected k2 of at least 1.*got 0", ValueError, {"truncate": 0}),
    (r"clip_state_grad: expected None beside truncate", ValueError, {"truncate": 2, "clip_state_grad": 1.0}),
    (r"init: expected 'orthogonal'.*got 'ortho'", ValueError, {"init": "ortho"}),
    (r"t_max: goes with init='chrono'", ValueError, {"t_max": 100}),
    (r"t_max: expected at least 3 steps, got 2", ValueError, {"init": "chrono", "t_max": 2}),
    (r"forget_bias: init='chrono' sets it", ValueError, {"init": "chrono", "t_max": 9, "forget_bias": 1.0}),
    (r"orthogonal: expected proj_size=0, got 2", ValueError, {"orthogonal": True, "proj_size": 2}),
    (r"clip_grad: no such argument of LSTM; the remedies are orthogonal, skip", TypeError, {"clip_grad": 1.0}),
]


@pytest.mark.parametrize(("said", "error", "options"), BAD)
def test_arguments_that_do_not_go_together(said: str, error: type[Exception], options: dict[str, Any]) -> None:
    with pytest.raises(error, match=said):
        LSTM(3, 4, **options)


def test_a_forget_bias_needs_a_gate() -> None:
    with pytest.raises(ValueError, match="nonlinearity: expected 'tanh', 'relu' or 'sigmoid', got 'gelu'"):
        RNN(3, 4, nonlinearity="gelu")
    with pytest.raises(TypeError, match="layer: expected an LSTM or a GRU, whose gates have biases, got RNN"):
        RNN(3, 4, forget_bias=1.0)


CALLS: list[tuple[str, type[Exception], Any, Any]] = [
    (r"input: expected \(T, B, I\) or, unbatched, \(T, I\), got \(3,\)", ValueError, torch.zeros(3), None),
    (r"input: expected 3 features in its last dimension, got \(5, 2, 4\)", ValueError, torch.zeros(5, 2, 4), None),
    (r"input: expected at least one step, got T = 0", ValueError, torch.zeros(0, 2, 3), None),
    (r"input: expected dtype torch.float32 .* got torch.float64", ValueError, torch.zeros(5, 2, 3).double(), None),
    (r"input: expected it on cpu with the weights, got meta", ValueError, torch.zeros(5, 2, 3, device="meta"), None),
    (
        r"hx: expected a tuple \(h_0, c_0\) for LSTM, got h_0 alone",
        TypeError,
        torch.zeros(5, 2, 3),
        torch.zeros(1, 2, 4),
    ),
    (
        r"hx: expected h_0 of shape \(1, 2, 4\).*got \(2, 4\)",
        ValueError,
        torch.zeros(5, 2, 3),
        (torch.zeros(2, 4), torch.zeros(2, 4)),
    ),
    (
        r"hx \(c_0\): expected dtype torch.float32",
        ValueError,
        torch.zeros(5, 2, 3),
        (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4).double()),
    ),
]


@pytest.mark.parametrize(("said", "error", "x", "hx"), CALLS)
def test_bad_calls(said: str, error: type[Exception], x: Any, hx: Any) -> None:
    with pytest.raises(error, match=said):
        LSTM(3, 4, skip=2)(x, hx)


def test_public_name() -> None:
    assert gr.nn.LSTM is LSTM
    assert gr.init.chrono_.__name__ == "chrono_"


@pytest.mark.parametrize("remedies", [Remedies(skip=2), Remedies(skip=3, truncate=2), Remedies(clip=0.1)])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_a_packed_call_are_those_of_calls_of_their_own(kind: str, remedies: Remedies) -> None:
    torch.manual_seed(0)
    layer = make(kind, 2, 3, 2, bidirectional=True, dtype=torch.float64, layer_norm=True)
    layer.remedies = remedies
    lengths, H = [2, 6, 1, 4], 3
    x = torch.randn(6, 4, 2, dtype=torch.float64)
    h_0 = torch.randn(4, 4, H, dtype=torch.float64, requires_grad=True)
    hx = (h_0, h_0 * 0.5) if kind == "LSTM" else h_0
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    together, _ = pad_packed_sequence(layer(packed, hx)[0])
    alone = torch.zeros_like(together)
    for b, length in enumerate(lengths):
        rows = slice(b, b + 1)
        state = tuple(s[:, rows].contiguous() for s in hx) if isinstance(hx, tuple) else hx[:, rows]
        alone[:length, rows] = layer(x[:length, rows], state)[0]
    assert near(together, alone, 1e-12)
    error = torch.randn_like(together)
    tensors = [*layer.parameters(), h_0]
    ours, theirs = (torch.autograd.grad((y * error).sum(), tensors, retain_graph=True) for y in (together, alone))
    assert all(near(a, b, 1e-10) for a, b in zip(ours, theirs, strict=True))
