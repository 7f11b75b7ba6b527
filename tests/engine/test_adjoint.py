from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from gradreach.engine.adjoint import LayerAdjoint, backward, backward_calls, gradient_error
from gradreach.engine.replay import Replay, replay, replay_cells

from .cases import ONEDNN, Case, cases, close, step, weights_of

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def swept(case: Case) -> tuple[Replay, list[LayerAdjoint]]:
    run = replay(case.module, case.x, case.hx, generator_state=case.generator_state)
    return run, backward(run, case.grad_output, case.grad_h_n, case.grad_c_n)


def check_gradients(case: Case, tolerance: float) -> None:
    run, found = swept(case)
    case.run_backward()
    ours = {name: gradient for each in found for name, gradient in each.gradients.items()}
    assert set(ours) == {name for name, _ in case.module.named_parameters()}
    for name, parameter in case.module.named_parameters():
        assert ours[name].shape == parameter.shape
        # relative to the sum of what it adds up, so that a gradient that cancels to nothing is no miss
        assert float((ours[name] - parameter.grad).norm()) <= tolerance * (1 + float(parameter.grad.norm())), name
    if case.hx is not None:
        firsts = case.hx if isinstance(case.hx, tuple) else (case.hx,)
        for first, part in zip(firsts, ("grad_h_0", "grad_c_0"), strict=False):
            mine = run.layout.state_out(torch.stack([getattr(each, part) for each in found]))
            assert float((mine - first.grad).norm()) <= tolerance * (1 + float(first.grad.norm())), part


@settings(deadline=None, max_examples=120)
@given(cases())
def test_gradients_are_the_modules_own_in_float64(case: Case) -> None:
    check_gradients(case, 1e-11)


@settings(deadline=None, max_examples=60)
@given(cases(torch.float32))
def test_gradients_are_the_modules_own_in_float32(case: Case) -> None:
    check_gradients(case, 1e-5)


def plainly(case: Case, run: Replay) -> tuple[Tensor, list[list[dict[int, Tensor]]], list[list[dict[int, Tensor]]]]:
    """The whole call row by row with autograd: its loss, and every unroll's h and c by row and step of the data."""
    module = case.module
    rows = case.lengths if run.layout.packed is None else sorted(case.lengths, reverse=True)
    x = run.layout.sequence_in(case.x)
    grad_output = run.layout.sequence_in(case.grad_output)
    grad_ends = [None if g is None else run.layout.state_in(g) for g in (case.grad_h_n, case.grad_c_n)]
    hs: list[list[dict[int, Tensor]]] = [[{} for _ in rows] for _ in run.unrolls]
    cs: list[list[dict[int, Tensor]]] = [[{} for _ in rows] for _ in run.unrolls]
    loss = torch.zeros((), dtype=x.dtype)
    for b, length in enumerate(rows):
        layer_in = [x[t, b] for t in range(length)]
        for layer in range(module.num_layers):
            for d in range(run.directions):
                n = layer * run.directions + d
                w = weights_of(module, run.names[n])
                h, c = run.unrolls[n].h[0, b], None if run.unrolls[n].c is None else run.unrolls[n].c[0, b]
                h = h.clone().requires_grad_()
                for t in range(length)[:: -1 if d else 1]:
                    h, c = step(module.mode, w, layer_in[t], h, c)
                    h.retain_grad()
                    hs[n][b][t] = h
                    if c is not None:
                        c.retain_grad()
                        cs[n][b][t] = c
                loss = loss + (h * grad_ends[0][n, b]).sum()
                if c is not None:
                    loss = loss + (c * grad_ends[1][n, b]).sum()
            steps = range(length)
            layer_in = [torch.cat([hs[layer * run.directions + d][b][t] for d in range(run.directions)]) for t in steps]
            if layer < module.num_layers - 1 and run.noise[layer] is not None:
                layer_in = [y * run.noise[layer][t, b] for t, y in enumerate(layer_in)]
        loss = loss + sum((layer_in[t] * grad_output[t, b]).sum() for t in range(length))
    return loss, hs, cs


@settings(deadline=None, max_examples=50)
@given(cases())
def test_every_delta_is_autograds(case: Case) -> None:
    run, found = swept(case)
    loss, hs, _ = plainly(case, run)
    loss.backward()
    for n, each in enumerate(found):
        for b, of_row in enumerate(hs[n]):
            for t in range(each.delta.shape[0]):
                theirs = of_row[t].grad if t in of_row else torch.zeros_like(each.delta[t, b])
                assert float((each.delta[t, b] - theirs).norm()) <= 1e-11 * (1 + float(theirs.norm()))


def test_a_loss_on_the_last_step_alone_has_one_local_error() -> None:
    torch.manual_seed(0)
    module, x = nn.LSTM(3, 5, dtype=torch.float64), torch.randn(9, 4, 3, dtype=torch.float64)
    output, (h_n, _) = module(x)
    end = torch.randn_like(h_n)
    by_state = backward(replay(module, x), None, end)[0]
    last = torch.zeros_like(output)
    last[-1] = end[0]
    by_output = backward(replay(module, x), last)[0]
    assert torch.equal(by_state.local_error, by_output.local_error)
    assert by_state.local_error.flatten(1).norm(dim=1).nonzero().flatten().tolist() == [8]
    assert (by_state.delta.flatten(1).norm(dim=1) > 0).all()


def test_a_packed_rows_state_error_falls_on_its_own_last_step() -> None:
    torch.manual_seed(0)
    module = nn.GRU(2, 3, bidirectional=True)
    x = nn.utils.rnn.pack_padded_sequence(torch.randn(6, 3, 2), [2, 6, 4], enforce_sorted=False)
    _, h_n = module(x)
    forward, reverse = backward(replay(module, x), None, torch.ones_like(h_n))
    sizes = torch.stack([forward.local_error.norm(dim=-1), reverse.local_error.norm(dim=-1)])
    assert sizes[0].nonzero().tolist() == [[1, 2], [3, 1], [5, 0]]  # rows lie sorted by length: 6, 4, 2
    assert sizes[1].nonzero().tolist() == [[0, 0], [0, 1], [0, 2]]


CELLS: dict[str, Callable[[], nn.Module]] = {
    "tanh": lambda: nn.RNNCell(3, 4, dtype=torch.float64),
    "relu": lambda: nn.RNNCell(3, 4, nonlinearity="relu", dtype=torch.float64),
    "GRU": lambda: nn.GRUCell(3, 4, dtype=torch.float64),
    "LSTM": lambda: nn.LSTMCell(3, 4, dtype=torch.float64),
}


@pytest.mark.parametrize("kind", CELLS)
@pytest.mark.parametrize("used", [[5], [1, 3], [0, 1, 2, 3, 4, 5]])
def test_local_errors_of_a_loop_of_cells(kind: str, used: list[int]) -> None:
    torch.manual_seed(0)
    cell = CELLS[kind]()
    inputs = [torch.randn(2, 3, dtype=torch.float64) for _ in range(6)]
    state, outputs, cells = None, [], []
    for x in inputs:
        state = cell(x, state)
        parts = state if isinstance(state, tuple) else (state,)
        for part, kept in zip(parts, (outputs, cells), strict=False):
            part.retain_grad()
            kept.append(part)
    errors = torch.zeros(6, 2, 4, dtype=torch.float64)
    errors[used] = torch.randn(len(used), 2, 4, dtype=torch.float64)
    sum((h * e).sum() for h, e in zip(outputs, errors, strict=True)).backward()
    zero = torch.zeros(2, 4, dtype=torch.float64)
    seen = [
        torch.stack([zero if s.grad is None else s.grad for s in each]).unsqueeze(1)
        for each in (outputs, cells)
        if each
    ]
    found = backward_calls(replay_cells(cell, inputs, [None]), *seen)[0]
    assert close(found.local_error, errors, 1e-11)
    assert found.local_error.flatten(1).norm(dim=1).nonzero().flatten().tolist() == used
    assert found.local_error_c is None or not found.local_error_c.any()
    assert gradient_error([found], {name: p.grad for name, p in cell.named_parameters()}) < 1e-11


@pytest.mark.parametrize("family", [nn.RNN, nn.GRU, nn.LSTM])
def test_local_errors_of_a_stacked_layer_fed_step_by_step(family: type[nn.RNNBase]) -> None:
    torch.manual_seed(0)
    module = family(3, 4, num_layers=2, dtype=torch.float64)
    inputs = [torch.randn(1, 2, 3, dtype=torch.float64) for _ in range(5)]
    state, outputs, states, cells = None, [], [], []
    for x in inputs:
        y, state = module(x, state)
        parts = state if isinstance(state, tuple) else (state,)
        for part, kept in zip((y, *parts), (outputs, states, cells), strict=False):
            part.retain_grad()
            kept.append(part)
    sum((y**2).sum() for y in outputs).backward()
    zero = torch.zeros(2, 2, 4, dtype=torch.float64)
    seen = [torch.stack([zero if s.grad is None else s.grad for s in each]) for each in (states, cells) if each]
    above = torch.cat([y.grad for y in outputs])
    run = replay_cells(module, inputs, [None])
    found = backward_calls(run, seen[0], seen[1] if cells else None, above)
    expected = backward(run, above)
    for one, other in zip(found, expected, strict=True):
        assert close(one.delta, other.delta, 1e-11)
        assert close(one.local_error, other.local_error, 1e-11)
    assert gradient_error(found, {name: p.grad for name, p in module.named_parameters()}) < 1e-11


def test_gradient_error_tells_a_foreign_gradient() -> None:
    torch.manual_seed(0)
    module, x = nn.RNN(3, 4), torch.randn(5, 2, 3)
    output, _ = module(x)
    output.sum().backward()
    found = backward(replay(module, x), torch.ones_like(output))
    own = {name: p.grad for name, p in module.named_parameters()}
    assert gradient_error(found, own) < 1e-6
    assert gradient_error(found, {name: 2 * grad for name, grad in own.items()}) == pytest.approx(0.5, rel=1e-5)
    assert gradient_error(found, {}) is None
