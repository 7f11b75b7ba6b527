import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gradreach.experiments.lab import Lab
from gradreach.experiments.powers import Result, Size, claims, measure
from gradreach.experiments.powers.eigenvalue import VALUES, linear, recurrence
from gradreach.experiments.powers.formats import FORMATS, Format, power, powers, resting, smallest, when
from gradreach.experiments.powers.nested_tanh import nested, slope_range, tanh_range

from .falsified import newly_failing

NARROW: list[Format] = ["float16", "bfloat16"]


@cache
def small() -> Result:
    return measure(Size(linear=200, formats=("float16", "bfloat16")), Lab(quiet=True))


@settings(max_examples=60, deadline=None)
@given(st.floats(0.5, 0.995), st.sampled_from(NARROW))
def test_a_power_rests_where_predicted(base: float, format: Format) -> None:
    assert power(base, format).last == resting(base, format)
    assert powers(base, format)[-1] == resting(base, format) * smallest(format)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.6, 0.99) | st.floats(1.02, 1.9), st.sampled_from(NARROW))
def test_a_power_leaves_the_format_when_predicted(base: float, format: Format) -> None:
    _, earliest, latest = when(base, format)
    assert math.floor(earliest - 1e-6) <= power(base, format).normal <= latest + 1e-6


@pytest.mark.parametrize("base", [1.1, 0.9])
@pytest.mark.parametrize("format", ["float16", "float32", "float64"])
def test_the_powers_are_numpys(base: float, format: Format) -> None:
    kind = getattr(np, format)
    x, found = kind(base), powers(base, format)
    with np.errstate(over="ignore", under="ignore"):
        for each in found:
            assert float(x) == each
            x = kind(x * kind(base))


def test_the_smallest_number() -> None:
    for format in FORMATS:
        least = torch.tensor(smallest(format), dtype=getattr(torch, format))
        assert least > 0
        assert least / 2 == 0


def test_the_recurrence_is_the_sum_over_its_eigenvectors() -> None:
    W, V, h = recurrence()
    values, _ = torch.linalg.eig(W)
    assert sorted(values.real.tolist(), reverse=True) == pytest.approx(VALUES)
    part, found = torch.linalg.solve(V, h), linear(60)
    for n, log10, sine in zip(found.n, found.measured, found.sine, strict=True):
        state = V @ (part * torch.tensor(VALUES, dtype=torch.float64) ** n)
        assert log10 == pytest.approx(float((state.norm() / h.norm()).log10()), abs=1e-12)
        cosine = float(V[:, 0] @ state / state.norm())
        assert 10**sine == pytest.approx(math.sqrt(max(1 - cosine**2, 0)), rel=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.floats(0.05, 3.0), st.integers(1, 300))
def test_bounds_of_tanh_upon_tanh(x: float, n: int) -> None:
    start = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    y = start
    for _ in range(n):
        y = torch.tanh(y)
    (slope,) = torch.autograd.grad(y, start)
    value = float(y.detach())
    predicted, low, high = tanh_range(n, x)
    assert low * (1 - 1e-12) <= value <= high * (1 + 1e-12)
    assert low <= predicted <= high
    least, most = slope_range(n, value, x)
    assert least * (1 - 1e-10) <= float(slope) <= most * (1 + 1e-10)


def test_the_limit_of_tanh_upon_tanh() -> None:
    found = nested(1000)
    assert found.value[-1] == pytest.approx(math.sqrt(1.5 / 1000), rel=0.002)
    assert found.value[0] == math.tanh(1)


def test_false_measurements_are_refused() -> None:
    true = small()

    def failing(**change: object) -> str:
        (says,) = newly_failing(claims, true, replace(true, **change))
        return says

    first, *others = true.powers
    assert "1.01ⁿ is a finite number, float16" in failing(powers=[replace(first, normal=first.normal + 200), *others])
    resting_on = [replace(each, last=each.last and each.last + 1) for each in true.powers if each.base == 0.99]
    changed = [next((r for r in resting_on if (r.base, r.format) == (p.base, p.format)), p) for p in true.powers]
    assert all("rests" in says for says in newly_failing(claims, true, replace(true, powers=changed)))
    assert "0.5ⁿ" in failing(powers=[replace(p, last=1) if p.base == 0.5 else p for p in true.powers])
    assert "inf − inf" in failing(invalid=[replace(each, difference=None) for each in true.invalid])
    assert "1.1ⁿ · 0.9ⁿ" in failing(invalid=[replace(each, with_nine_tenths=5) for each in true.invalid])
    line = true.linear
    assert "log₁₀" in failing(linear=replace(line, measured=[each + 1e-3 for each in line.measured]))
    assert "sine" in failing(linear=replace(line, sine=[each * 1.01 for each in line.sine]))
    tanh = true.nested
    larger = replace(tanh, value=[value * 1.02 for value in tanh.value])
    assert sum("applied" in says for says in newly_failing(claims, true, replace(true, nested=larger))) == 3
    slopes = newly_failing(claims, true, replace(true, nested=replace(tanh, slope=[s * 1.2 for s in tanh.slope])))
    assert len(slopes) == 2
