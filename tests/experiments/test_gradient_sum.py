from functools import cache, partial

import pytest
import torch
from msgspec.structs import replace

from gradreach.experiments.gradient_sum import (
    Difference,
    Job,
    Result,
    Size,
    claims,
    measure,
    remaining,
    setting,
    sums,
)
from gradreach.experiments.lab import Lab

from .falsified import newly_failing


@cache
def small() -> Result:
    return measure(Size(d=4, T=6), Lab(quiet=True))


@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
def test_the_size_of_each_part_is_that_of_a_weight_used_at_one_step_only(kind: str) -> None:
    job = Job(kind, d=4, T=5, seed=3)
    rnn, x, h, errors = setting(job)
    copies = [rnn.W.detach().clone().requires_grad_() for _ in range(job.T)]
    found = sums(job)
    for t, (W, inputs) in enumerate(zip(copies, x, strict=True)):
        h = rnn.step(h, inputs, W)
        parts = torch.autograd.grad(h @ errors[t], copies[: t + 1], retain_graph=True)
        of_inputs = torch.autograd.grad(h @ errors[t], rnn.U, retain_graph=True)[0]
        assert found.sizes[t] == pytest.approx([float(part.norm().log10()) for part in parts], abs=6e-5)
        assert found.steps[t] == pytest.approx(float(sum(parts).norm().log10()), abs=6e-5)
        assert found.steps_ih[t] == pytest.approx(float(of_inputs.norm().log10()), abs=6e-5)
        assert len(found.sizes_ih[t]) == t + 1


def test_what_remains_beyond_a_lag() -> None:
    part = partial(torch.full, (1, 1), dtype=torch.float64)
    # lag 0: 4 + 2, lag 1: 1 + 1, lag 2: 2
    parts = [
        torch.stack([part(4.0)]),
        torch.stack([part(1.0), part(2.0)]),
        torch.stack([part(2.0), part(1.0), part(0.0)]),
    ]
    left, total = remaining(parts)
    assert left == pytest.approx([1.0, 0.4, 0.2, 0.0])
    assert 10**total == pytest.approx(10)


def test_false_measurements_are_refused() -> None:
    true = small()
    for change, says in (
        ({"immediate": Difference(1e-6, 1e-12)}, "element by element"),
        ({"crossed": 1}, "p ≠ q"),
        ({"one_hh": Difference(1e-6, 1e-12)}, "∂L_t/∂W_hh"),
        ({"one_ih": Difference(1e-6, 1e-12)}, "∂L_t/∂W_x"),
        ({"all_hh": Difference(1e-6, 1e-12)}, "∂L/∂W_hh"),
        ({"all_ih": Difference(1e-6, 1e-12)}, "∂L/∂W_x"),
        ({"soft_hy": Difference(1e-6, 1e-12)}, "∂L/∂W_hy of a softmax"),
        ({"soft_hh": Difference(1e-6, 1e-12)}, "∂L/∂W_hh of a softmax"),
        ({"soft_ih": Difference(1e-6, 1e-12)}, "∂L/∂W_x of a softmax"),
        ({"bias": [0.0] * len(true.sums[0].bias)}, "truncation bias"),
    ):
        (failing,) = newly_failing(claims, true, Result([true.sums[0], replace(true.sums[1], **change)]))
        assert says in failing
