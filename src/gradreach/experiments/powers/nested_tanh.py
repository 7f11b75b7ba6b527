"""tanh of tanh of … of x: slope 1 at its fixed point 0 makes it fall as √(3 / (2n)), slower than any exponential."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from msgspec import Struct

from gradreach.experiments.claim import ROUNDOFF, Claim
from gradreach.experiments.drawing import BLUE, CYCLE, GREEN, ORANGE, VERMILION, axes, describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NESTED = (1, 2, 3, 10, 100, 1000)
DRAWN = 120
"""Points of a curve at most."""


class NestedTanh(Struct, frozen=True):
    """tanhⁿ(x) and its slope at x = 1, for n in `n`; and tanhⁿ at the points `x` for each n in NESTED."""

    n: list[int]
    value: list[float]
    slope: list[float]
    x: list[float]
    curves: list[list[float]]


def nested(n: int) -> NestedTanh:
    """Apply tanh n times, and keep values and slopes on the way."""
    x = torch.linspace(-3, 3, DRAWN + 1, dtype=torch.float64)
    shown = sorted({*NESTED, *torch.logspace(0, math.log10(n), DRAWN).round().int().tolist()})
    one = NestedTanh([], [], [], [round(each, 4) for each in x.tolist()], [])
    value, slope = torch.tensor(1.0, dtype=torch.float64), 1.0
    for step in range(1, n + 1):
        value, x = torch.tanh(value), torch.tanh(x)
        slope *= 1 - float(value) ** 2
        if step in shown:
            one.n.append(step)
            one.value.append(float(value))
            one.slope.append(slope)
        if step in NESTED:
            one.curves.append([round(each, 4) for each in x.tolist()])
    return one


def tanh_range(n: int, x: float = 1.0) -> tuple[float, float, float]:
    """Return tanhⁿ(x) to the next order beyond √(3 / (2n)), and bounds below and above.

    y = 1/x² grows in a step by coth²x − 1/x², which is at least 2/3 and at most 2/3 + 1/(15 y); so that
    y_n = y_0 + 2n/3 + ln(n) / 10 + O(1).
    """
    y = 1 / x**2
    grown = y + 2 * n / 3
    more = 0.1 * math.log((y + 2 * (n - 1) / 3) / y)
    return (grown + more) ** -0.5, (grown + more + 1 / (15 * y)) ** -0.5, grown**-0.5


def slope_range(n: int, value: float, x: float = 1.0) -> tuple[float, float]:
    """Bound the slope of tanhⁿ at x, where its value is known: (value / x)³ dy_n/dy_0.

    d/dy of a step is at least 1 − 1/(15 y²) and at most 1, and y_k at least y_0 + 2k/3.
    """
    y = 1 / x**2
    least = math.prod(1 - 1 / (15 * (y + 2 * k / 3) ** 2) for k in range(n))
    return least * (value / x) ** 3, (value / x) ** 3


def claims(found: NestedTanh) -> tuple[Claim, ...]:
    """Claim value and slope at 1."""
    at = {n: (value, slope) for n, value, slope in zip(found.n, found.value, found.slope, strict=True)}
    claims = []
    for n in (3, 100, 1000):
        predicted, low, high = tanh_range(n)
        say = f"tanh applied {n} times to 1 (√(3/(2n)) = {math.sqrt(1.5 / n):.4f})"
        claims.append(Claim(say, predicted, at[n][0], low, high, "1/x² grows by 2/3 to 2/3 + x²/15 a step"))
    for n in (100, 1000):
        low, high = slope_range(n, at[n][0])
        say = f"Its slope, the product of {n} factors 1 − tanh²"
        why = "x³ of the result, times 1 to Π (1 − 1/(15 y²)), y = 1 + 2k/3"
        claims.append(Claim(say, high, at[n][1], low, high * (1 + 4 * n * ROUNDOFF), why))
    return tuple(claims)


def draw(found: NestedTanh) -> Figure:
    """Draw tanhⁿ as a function, and its value and slope at 1 over n."""
    figure, (curves, decay) = axes(2, width=9, height=3.9)
    for n, curve, colour in zip(NESTED, found.curves, CYCLE, strict=True):
        curves.plot(found.x, curve, color=colour, label=f"n = {n}")
    describe(curves, "tanh applied n times", "x, no unit", "tanhⁿ(x), no unit", "best")
    decay.loglog(found.n, found.value, color=BLUE, label="tanhⁿ(1)")
    decay.loglog(found.n, [math.sqrt(1.5 / n) for n in found.n], "--", color=ORANGE, label="√(3/(2n))")
    decay.loglog(found.n, found.slope, color=GREEN, label="slope of tanhⁿ at 1")
    decay.loglog(found.n, [(1.5 / n) ** 1.5 for n in found.n], ":", color=VERMILION, label="(3/(2n))^1.5")
    short = [n for n in found.n if n < 150]
    decay.loglog(short, [0.9**n for n in short], color="gray", lw=1, label="0.9ⁿ, to compare")
    describe(decay, "Slower than any exponential", "n, applications", "value, no unit", "best")
    return figure
