import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from gradreach.engine.replay import Replay, replay, replay_cells

from .cases import ONEDNN, Case, cases, close

pytestmark = pytest.mark.filterwarnings(ONEDNN)


def check(case: Case, run: Replay, tolerance: float) -> None:
    assert run.why_inexact == ""
    assert type(run.output) is type(case.output)
    assert run.output.data.shape == case.output.data.shape
    parts = [(run.output.data, case.output.data), (run.h_n, case.h_n)]
    if case.c_n is not None:
        assert run.c_n is not None
        parts.append((run.c_n, case.c_n))
    for ours, theirs in parts:  # the gates' own size is 1: a small state is a difference of larger numbers
        assert float((ours - theirs.detach()).norm()) <= tolerance * max(float(theirs.detach().norm()), 1.0)


@settings(deadline=None, max_examples=120)
@given(cases())
def test_equals_the_module_in_float64(case: Case) -> None:
    check(case, replay(case.module, case.x, case.hx, generator_state=case.generator_state), 1e-12)


@settings(deadline=None, max_examples=60)
@given(cases(torch.float32))
def test_equals_the_module_in_float32(case: Case) -> None:
    check(case, replay(case.module, case.x, case.hx, generator_state=case.generator_state), 1e-6)


@settings(deadline=None, max_examples=30)
@given(cases())
def test_touches_nothing(case: Case) -> None:
    random, versions = torch.get_rng_state(), [p._version for p in case.module.parameters()]
    values = [p.detach().clone() for p in case.module.parameters()]
    data = case.x.data.clone()
    run = replay(case.module, case.x, case.hx, generator_state=case.generator_state)
    assert torch.equal(torch.get_rng_state(), random)
    assert [p._version for p in case.module.parameters()] == versions
    assert all(torch.equal(p, value) for p, value in zip(case.module.parameters(), values, strict=True))
    assert torch.equal(case.x.data, data)
    assert all(p.grad is None for p in case.module.parameters())
    assert not run.output.data.requires_grad


def test_says_that_dropout_could_not_be_drawn_again() -> None:
    module = nn.GRU(3, 4, num_layers=2, dropout=0.5)
    x = torch.randn(5, 2, 3)
    assert "dropout" in replay(module, x).why_inexact
    assert replay(module.eval(), x).why_inexact == ""


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_runs_in_float32(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    module = nn.LSTM(8, 8, dtype=dtype)
    x = torch.randn(6, 3, 8, dtype=dtype)
    run = replay(module, x)
    assert run.h_n.dtype == torch.float32
    assert close(run.output.data, module(x)[0].detach().float(), 4 * torch.finfo(dtype).eps)


def test_stands_apart_from_autocast() -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(8, 8), torch.randn(6, 3, 8)
    plain = replay(module, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(replay(module, x).output.data, plain.output.data)


def test_refuses_other_modules() -> None:
    with pytest.raises(TypeError, match=r"expected nn\.RNN, nn\.GRU or nn\.LSTM, got Linear"):
        replay(nn.Linear(2, 2), torch.randn(3, 2))
    with pytest.raises(ValueError, match="got 4-D"):
        replay(nn.GRU(2, 2), torch.randn(3, 2, 2, 2))


@pytest.mark.parametrize(
    "cell", [nn.RNNCell(3, 4), nn.RNNCell(3, 4, nonlinearity="relu"), nn.GRUCell(3, 4), nn.LSTMCell(3, 4, bias=False)]
)
@pytest.mark.parametrize("rows", [(), (2,)])
def test_stitches_cells(cell: nn.Module, rows: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    inputs = [torch.randn(*rows, 3) for _ in range(6)]
    state, states, outputs = None, [], []
    for x in inputs:
        states.append(state)
        state = cell(x, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    run = replay_cells(cell, inputs, states)
    assert run.why_inexact == ""
    assert close(run.output.data, torch.stack(outputs).detach(), 1e-6)


def test_stitches_chunks_with_their_own_dropout() -> None:
    torch.manual_seed(2)
    module = nn.LSTM(3, 4, num_layers=3, dropout=0.4, batch_first=True)
    inputs = [torch.randn(2, length, 3) for length in (1, 3, 2)]
    state, states, draws, outputs = None, [], [], []
    for x in inputs:
        states.append(state)
        draws.append(torch.get_rng_state())
        y, state = module(x, state)
        outputs.append(y)
    run = replay_cells(module, inputs, states, generator_states=draws)
    assert run.why_inexact == ""
    assert close(run.output.data, torch.cat(outputs, dim=1).detach(), 1e-6)


def test_says_where_a_state_was_changed_between_calls() -> None:
    torch.manual_seed(3)
    cell = nn.GRUCell(3, 4)
    inputs = [torch.randn(2, 3) for _ in range(5)]
    states: list[Tensor | None] = []
    state = None
    for t, x in enumerate(inputs):
        if t == 3:
            state = state * 0.9
        states.append(state)
        state = cell(x, state)
    assert replay_cells(cell, inputs, states).why_inexact.endswith("before call 3")
    reset = [None, states[1], None, *states[3:]]
    assert replay_cells(cell, inputs, reset).why_inexact.endswith("before call 2")


def test_refuses_what_cannot_be_stitched() -> None:
    with pytest.raises(ValueError, match="at least one call"):
        replay_cells(nn.GRUCell(2, 2), [], [])
    with pytest.raises(ValueError, match="bidirectional"):
        replay_cells(nn.GRU(2, 2, bidirectional=True), [torch.randn(1, 1, 2)], [None])
