"""What the rules' formulas share: a run's own numbers written so that they can be worked out again."""

from __future__ import annotations

import math

from gradreach.facts.statistics import is_finite
from gradreach.facts.wording import figure, percent
from gradreach.record.seen.recurrence import TimeLook

MEAN_SLOPE = "mean σ′ / max σ′ ≤ 1 − 0.95 · share, where the share has under 5 % of the largest slope"
"""The mathematics of saturation."""


def raised(base: float, exponent: int) -> str:
    """`base^exponent = value` to two digits, with as many digits of the base as that takes; beyond float's range too.

    A base shown to d digits is off by 5e-d at most, its power by `exponent` times as much: 2 % are granted.
    """
    return f"{_base(base, exponent)}^{exponent} = {_power(base, exponent)}"


def against_bound(seen: TimeLook, lag: int, r: float) -> str:
    """What arrives from `lag` steps back beside what (γλ)^ℓ allows (Pascanu, Mikolov, Bengio 2013); where a cell has
    no such bound, what arrives alone."""
    measured = f"r({lag}) = {raised(r ** (1 / lag), lag)}" if r > 0 else f"r({lag}) = 0"
    bound = seen.bound_factor
    if not is_finite(bound) or bound < 0:
        return measured
    factors = _base(bound, lag)
    if is_finite(seen.gamma) and is_finite(seen.lambda_) and math.isclose(seen.gamma * seen.lambda_, bound):
        factors = f"({figure(seen.gamma)} × {_base(seen.lambda_, lag)})"
    return f"r(ℓ) ≤ (γλ)^ℓ: {factors}^{lag} = {_power(bound, lag)}; measured {measured}"


def mean_slope(saturated: float) -> str:
    """The largest mean slope of activations a share of which has less than 5 % of the largest slope."""
    return f"mean σ′ / max σ′ ≤ 1 − 0.95 × {saturated:.4g} = {figure(1 - 0.95 * saturated)}"


def quotient(above: float, below: float) -> str:
    """`above / below = value`."""
    return f"{figure(above)} / {figure(below)} = {figure(above / below) if below else '∞'}"


def explained(share: float, q: float, level: float) -> str:
    """What the input at a lag tells of the error, and how sure that is."""
    return f"{percent(share, 2)} of the error's variance, q = {figure(q)} ≤ {level:g}"


def _base(base: float, exponent: int) -> str:
    return figure(base, math.ceil(2.4 + math.log10(exponent)))


def _power(base: float, exponent: int) -> str:
    if base <= 0:
        return "0"
    whole, part = divmod(exponent * math.log10(base), 1)
    if abs(whole) >= 300:
        return f"{10**part:.2g}e{whole:.0f}"
    return figure(float(f"{base**exponent:.2g}"))
