"""A cell that says it is linear in its state, against the same cell step by step, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

import gradreach as gr
from gradreach.engine.custom import linear
from gradreach.engine.custom.autograd import backward, reach_map
from gradreach.engine.custom.step import Cell
from gradreach.engine.custom.unroll import unroll

from .cases import close


class Linear(nn.Module):
    """Gates and a rotation that x decides, of either sign and beyond 1, and a trace that nothing enters."""

    def __init__(self, inputs: int, H: int) -> None:
        super().__init__()
        self.gate, self.into = nn.Linear(inputs, H), nn.Linear(inputs, H)
        self.angle = nn.Parameter(torch.randn(H))

    def forward(self, x: dict[str, Tensor], state: dict[str, Tensor]) -> dict[str, Tensor]:
        made = self.into(x["in"]) * x["gain"][:, None]
        turn = torch.polar(self.gate(x["in"]).sigmoid(), self.angle + made)
        return {
            "z": turn * state["z"] + torch.complex(made, -made),
            "h": 1.2 * torch.tanh(2 * self.gate(x["in"])) * state["h"] + made,
            "trace": 0.5 * state["trace"],
        }


@settings(max_examples=40)
@given(
    st.integers(0, 10**6),
    st.one_of(st.integers(1, 9), st.integers(64, 80)),
    st.integers(1, 3),
    st.integers(1, 3),
    st.sampled_from([1, 16, 2**12]),
)
def test_run_adjoint_and_map_are_those_of_the_plain_loop(seed: int, T: int, B: int, H: int, rows: int) -> None:
    torch.manual_seed(seed)
    module = Linear(2, H).double()
    x = {"in": torch.randn(T, B, 2, dtype=torch.float64), "gain": torch.rand(T, B, dtype=torch.float64)}
    kinds = {"h": torch.float64, "trace": torch.float64, "z": torch.complex128}
    state = {name: torch.randn(B, H, dtype=dtype) for name, dtype in kinds.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear, "_ROWS", rows)
        runs = [unroll(Cell(module, linear=at_once), x, state) for at_once in (True, False)]
        leaves, spec = tree_flatten(runs[0].states)
        error = tree_unflatten([torch.randn_like(leaf[1:]) for leaf in leaves], spec)
        adjoints = [backward(run, error) for run in runs]
        maps = [reach_map(run, error) for run in runs]
    for ours, theirs in zip(*(tree_leaves(run.states) for run in runs), strict=True):
        assert close(ours, theirs, 1e-12)
    for part in ("delta", "grad_state", "grad_x", "gradients"):
        ours, theirs = (tree_leaves(getattr(adjoint, part)) for adjoint in adjoints)
        assert all(close(a, b, 1e-11) for a, b in zip(ours, theirs, strict=True)), part
    assert torch.allclose(maps[0].log2_norms, maps[1].log2_norms, atol=1e-9)
    assert maps[0].lag_share == pytest.approx(maps[1].lag_share, abs=1e-9)


def test_the_step_is_called_a_few_times_alone() -> None:
    calls = []

    def leaky(x: Tensor, state: Tensor) -> Tensor:
        calls.append(len(x))
        return torch.sigmoid(x) * state + x

    x = torch.randn(2000, 2, 3)
    found = gr.reach(
        gr.Cell(leaky, linear=True), x, torch.ones(2000, 2, 3), state=torch.zeros(2, 3), anchors=2, max_lag=3
    )
    assert found.exact is False
    assert len(calls) < 20


X = torch.randn(5, 2, 3)


@pytest.mark.parametrize(
    ("step", "state", "says"),
    [
        (lambda x, s: torch.tanh(s) + x, torch.ones(2, 3), "linear in the state beside linear=True"),
        (lambda x, s: s.flip(1) + x, torch.randn(2, 3), "linear in the state beside linear=True"),
        (
            lambda x, s: (0.5 * s[0] + s[1], 0.5 * s[1] + x),
            (torch.randn(2, 3), torch.randn(2, 3)),
            "linear in the state beside linear=True",
        ),
        (
            lambda x, s: (0.5 * s[0] + x, s[1] + 1),
            (torch.ones(2, 3), torch.zeros(2, dtype=torch.long)),
            r"state\[1\]: expected a floating or complex tensor beside linear=True, got int64",
        ),
    ],
)
def test_what_is_not_so_is_refused(step: Callable[..., Any], state: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        unroll(Cell(step, linear=True), X, state)
    unroll(Cell(step), X, tree_map(torch.clone, state))
