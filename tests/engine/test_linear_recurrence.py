"""All steps at once against the plain loop, in float64."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradreach.engine import linear_recurrence
from gradreach.engine.linear_recurrence import accumulate_


def plain(a: Tensor, states: Tensor, reverse: bool) -> Tensor:
    states = states.clone()
    for t in reversed(range(len(a))) if reverse else range(len(a)):
        to, of = (t, t + 1) if reverse else (t + 1, t)
        states[to] += a[t] * states[of]
    return states


def check(a: Tensor, states: Tensor, reverse: bool) -> None:
    """Equal to 1e-12 of what the terms of each state's sum come to without their signs."""
    found = states.clone()
    accumulate_(a, found, reverse=reverse)
    scale = plain(a.abs(), states.abs(), reverse)
    assert bool(((found - plain(a, states, reverse)).abs() <= 1e-12 * scale).all())


@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.one_of(st.integers(1, 70), st.integers(64, 1500)),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([1, 40, 2**16]),
    st.sampled_from([0.1, 1.0, 1.3]),
)
def test_equals_the_plain_loop(seed: int, T: int, B: int, reverse: bool, together: int, size: float) -> None:
    torch.manual_seed(seed)
    a = (torch.rand(T, B, 4, dtype=torch.float64) * 2 - 1) * size
    a[..., 0].abs_().sub_(1).neg_()  # a gate's, near 1 and below
    a[torch.rand_like(a) < 0.05] = 0.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(linear_recurrence, "_TOGETHER", together)
        check(a, torch.randn(T + 1, B, 4, dtype=torch.float64), reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("decay", [0.0, 1e-300, 0.5, 0.999999, 1.0, -1.0])
def test_constant_factors_over_many_steps(decay: float, reverse: bool) -> None:
    torch.manual_seed(0)
    a = torch.full((4096, 2, 3), decay, dtype=torch.float64)
    check(a, torch.randn(4097, 2, 3, dtype=torch.float64), reverse)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_product_that_overflows_where_the_state_does_not(reverse: bool) -> None:
    a = torch.full((200, 1, 2), 1e30, dtype=torch.float64)
    states = torch.zeros(201, 1, 2, dtype=torch.float64)
    states[100] = 1e-300
    a[[99, 100]] = 0.5
    a[98] = a[101] = 0.0
    found = states.clone()
    accumulate_(a, found, reverse=reverse)
    assert torch.equal(found, plain(a, states, reverse))
    assert bool(found.isfinite().all())


@pytest.mark.parametrize("reverse", [False, True])
def test_a_nan_stays_in_its_row_and_unit_and_on_its_side(reverse: bool) -> None:
    a, states = torch.full((300, 2, 2), 0.9), torch.ones(301, 2, 2)
    states[150, 1, 0] = torch.nan
    found = states.clone()
    accumulate_(a, found, reverse=reverse)
    assert torch.equal(found.isnan(), plain(a, states, reverse).isnan())


@pytest.mark.parametrize("shape", [(0, 2, 3), (100, 0, 3), (100, 2, 0)])
def test_nothing_to_do(shape: tuple[int, ...]) -> None:
    accumulate_(torch.ones(shape), states := torch.ones(shape[0] + 1, *shape[1:]))
    assert states.shape == (shape[0] + 1, *shape[1:])


def test_few_operations_over_many_steps() -> None:
    a, states = torch.full((4096, 1, 8), 0.5), torch.ones(4097, 1, 8)
    with torch.profiler.profile() as profile:
        accumulate_(a, states)
    sums = [each.count for each in profile.key_averages() if each.key in ("aten::addcmul", "aten::addcmul_")]
    assert sum(sums) <= 100
