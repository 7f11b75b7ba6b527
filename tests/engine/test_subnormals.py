import sys
import threading

import pytest
import torch
from torch import Tensor, nn

import gradreach as gr
from gradreach.engine.adjoint import sweep_of
from gradreach.engine.replay import replay
from gradreach.engine.subnormals import flushed
from gradreach.engine.threads import on_every_thread

TINY = torch.finfo(torch.float32).tiny


def keeps_them() -> bool:
    """Whether this thread's arithmetic keeps subnormal numbers."""
    return sys.float_info.min / 2 > 0


def are_subnormal(values: Tensor) -> Tensor:
    """Which are; told from the bits, since arithmetic may take them for 0."""
    size = values.detach().contiguous().view(torch.int32) & 0x7FFFFFFF
    return (size > 0) & (size < 0x00800000)


def _fails_within() -> None:
    with flushed():
        assert not keeps_them()
        raise KeyError


def test_a_thread_gets_the_mode_back_that_it_had() -> None:
    assert keeps_them()
    with pytest.raises(KeyError):
        _fails_within()
    assert keeps_them()
    torch.set_flush_denormal(True)
    try:
        with flushed():
            assert not keeps_them()
        assert not keeps_them()
    finally:
        torch.set_flush_denormal(False)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_thread_of_torch_flushes_and_then_does_not(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        small = torch.full((2**21,), TINY)
        with flushed():
            seen: dict[int, bool] = {}
            on_every_thread(lambda: seen.update({threading.get_ident(): keeps_them()}))
            flat = small * 0.5
        assert len(seen) == threads
        assert not any(seen.values())
        assert int(flat.count_nonzero()) == 0
        assert int((small * 0.5).count_nonzero()) == len(small)
    finally:
        torch.set_num_threads(before)


def vanishing(kind: type[nn.RNNBase]) -> tuple[nn.RNNBase, Tensor]:
    torch.manual_seed(0)
    return kind(8, 16), torch.randn(400, 3, 8)


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_no_adjoint_of_a_sweep_is_subnormal_and_the_map_is_as_in_float64(kind: type[nn.RNNBase]) -> None:
    layer, x = vanishing(kind)
    error = torch.zeros(400, 3, 16)
    error[-1] = 1.0
    (run,) = replay(layer, x).unrolls
    back = sweep_of(run, error)
    assert int(are_subnormal(back.delta).sum()) == 0
    assert int(are_subnormal(back.g).sum()) == 0
    ours = gr.reach(layer, x, error)
    theirs = gr.reach(layer.double(), x.double(), error.double())
    assert ours.log10_curve[-1] < -44  # below the least subnormal number of float32
    assert torch.tensor(ours.log10_curve).allclose(torch.tensor(theirs.log10_curve), atol=1e-2)
    assert torch.tensor(ours.truncation_bias).allclose(torch.tensor(theirs.truncation_bias), atol=1e-5)
    assert torch.tensor(ours.lag_share).allclose(torch.tensor(theirs.lag_share), atol=1e-5)
    assert keeps_them()


def test_errors_that_are_subnormal_themselves_are_carried_back() -> None:
    layer, x = vanishing(nn.RNN)
    error = torch.zeros(400, 3, 16)
    error[-1] = 2.0**-140
    as_one = torch.zeros_like(error)
    as_one[-1] = 1.0
    small, large = gr.reach(layer, x, error), gr.reach(layer, x, as_one)
    assert small.log10_map[0, -1] == pytest.approx(float(large.log10_map[0, -1]) - 140 * torch.tensor(2.0).log10())
    assert torch.tensor(small.log10_curve[:200]).allclose(torch.tensor(large.log10_curve[:200]), atol=1e-3)


@pytest.mark.parametrize("kind", [gr.nn.RNN, gr.nn.GRU, gr.nn.LSTM])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_layers_of_gr_nn_meet_no_subnormal_adjoint(kind: type[nn.RNNBase], threads: int) -> None:
    torch.manual_seed(0)
    ours = kind(8, 16, keep_adjoint=True)
    family = kind.__name__
    stock = getattr(nn, family)(8, 16)
    stock.load_state_dict(ours.state_dict())
    x = torch.randn(400, 3, 8)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        grads = []
        for layer in (ours, stock):
            start = x.clone().requires_grad_()
            layer(start)[0][-1].sum().backward()
            grads.append(start.grad)
    finally:
        torch.set_num_threads(before)
    assert ours.adjoint is not None
    assert int(are_subnormal(ours.adjoint).sum()) == 0
    assert (ours.adjoint == 0).any() or family != "RNN"
    assert grads[0] is not None
    assert grads[1] is not None
    assert torch.allclose(grads[0], grads[1], rtol=1e-4, atol=1e-7)
    assert keeps_them()
