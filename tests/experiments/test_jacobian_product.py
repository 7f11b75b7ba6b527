import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from gradreach.experiments.jacobian_product import (
    Case,
    Result,
    Size,
    check,
    claims,
    curve,
    measure,
    one_factor,
    product,
    setting,
    specials,
    states,
)
from gradreach.experiments.lab import Lab

from .falsified import newly_failing


@cache
def small() -> Result:
    return measure(Size(d=8, T=24, seeds=1, d_small=4, T_small=6), Lab(quiet=True))


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["tanh", "sigmoid"]),
    st.sampled_from(["random", "orthogonal"]),
    st.floats(0.3, 1.6),
    st.integers(0, 1000),
)
def test_the_product_is_autograds(kind: str, weights: str, factor: float, seed: int) -> None:
    found = check(Case(kind, weights, factor, d=5, T=6, seed=seed))
    assert found.difference <= found.tolerance < 1e-9


def test_the_product_is_what_a_small_push_does() -> None:
    rnn, x, h = setting(Case("tanh", "random", 1.2, d=4, T=5))
    J = product(rnn, states(rnn, x, h), 5)
    for q in range(4):
        push = torch.zeros(4, dtype=torch.float64)
        push[q] = 1e-6
        pushed = (states(rnn, x, h + push)[-1] - states(rnn, x, h - push)[-1]) / 2e-6
        assert torch.allclose(J[:, q], pushed, atol=1e-9)


def test_a_resting_state_rests_at_the_largest_slope() -> None:
    case = Case("sigmoid", "orthogonal", 1.0, inputs=0.0, resting=True, d=6, T=10)
    rnn, x, h = setting(case)
    assert torch.allclose(states(rnn, x, h)[-1], h, atol=1e-14)
    assert curve(case).gap == pytest.approx(0, abs=1e-6)


def test_a_factor_of_equal_slopes_has_no_spread() -> None:
    mean, variance = one_factor(torch.full((3, 7), 0.1, dtype=torch.float64))
    assert mean.tolist() == pytest.approx([-1.0] * 3)
    assert variance.max() < 1e-20


def test_orthogonal_weights_of_random_turns_are_as_predicted() -> None:
    case = specials(16, 40)["saturated"]
    for seed in range(4):
        found = curve(replace(case, seed=seed))
        more = found.norm[-1] - (found.bound[-1] + found.typical[-1])
        assert -4 * found.spread <= more <= 4 * found.spread + math.log10(16) / 2


def test_false_measurements_are_refused() -> None:
    true = small()
    curves, special = true.sweep, true.special

    def failing(**change: object) -> list[str]:
        return newly_failing(claims, true, changed(true, **change))

    (says,) = failing(checks=[changed(each, difference=1e-6) for each in true.checks])
    assert "autograd" in says
    over = [changed(each, excess=1e-6) if each.kind == "tanh" else each for each in curves]
    (says,) = failing(sweep=over)
    assert "tanh" in says
    (says,) = failing(sweep=[changed(each, norm=[0.0] * len(each.norm)) for each in curves])
    assert "must vanish" in says
    for name, part in (
        ("tight, logistic", "tight, logistic"),
        ("ρ < λ", "ρ < λ"),
        ("explodes", "explodes"),
        ("does not", "vanishes"),
    ):
        lower = changed(special[name], norm=[each - 9 for each in special[name].norm])
        (says,) = failing(special={**special, name: lower})
        assert part in says
