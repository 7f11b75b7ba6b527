"""A linear recurrence h_{t+1} = W h_t: ‖h_{t+n}‖ ~ |λ₁|ⁿ ‖h_t‖, turning into its eigenvector as |λ₂/λ₁|ⁿ falls."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from msgspec import Struct
from torch import Tensor

from gradreach.engine.theory import eigenvalue_heuristic
from gradreach.experiments.claim import ROUNDOFF, Claim, equal
from gradreach.experiments.drawing import BLUE, ORANGE, axes, describe

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALUES = (1.01, 0.9, 0.6)
"""Eigenvalues, the leading one first."""
DRAWN = 120
"""Points of a curve at most."""


class Linear(Struct, frozen=True):
    """At n steps: log10 of ‖h_n‖ / ‖h_0‖ and of |λ₁|ⁿ, and log10 of the sine between h_n and the leading eigenvector.

    `parts[i]` is log10 of the norm of h_0's part along eigenvector i, relative to ‖h_0‖, and `aside[i]` that of what of
    it is perpendicular to the first eigenvector (from i = 1 on). `rounding` is what rounding may do to log10 in a step.
    """

    n: list[int]
    measured: list[float]
    predicted: list[float]
    sine: list[float]
    parts: list[float]
    aside: list[float]
    rounding: float


def recurrence() -> tuple[Tensor, Tensor, Tensor]:
    """Make W = V diag(VALUES) V⁻¹, not symmetric, V with columns of norm 1, and h_0, in float64."""
    draw = torch.Generator().manual_seed(0)
    d = len(VALUES)
    V = torch.randn(d, d, dtype=torch.float64, generator=draw)
    V /= torch.linalg.vector_norm(V, dim=0)
    W = V @ torch.diag(torch.tensor(VALUES, dtype=torch.float64)) @ torch.linalg.inv(V)
    return W, V, torch.randn(d, dtype=torch.float64, generator=draw)


def linear(steps: int) -> Linear:
    """Follow h_{t+1} = W h_t from h_0."""
    W, V, h = recurrence()
    part = torch.linalg.solve(V, h) / h.norm()
    leading = V[:, 0]
    aside = (V - leading.unsqueeze(1) * (leading @ V)) * part
    n = sorted({round(each) for each in torch.linspace(0, steps, DRAWN).tolist()})
    found = [eigenvalue_heuristic(W, h, each) for each in n]
    sine, state, at = [], h, 0
    for each in n:
        while at < each:
            state, at = W @ state, at + 1
        sine.append(float(((state - leading * (leading @ state)).norm() / state.norm()).log10()))
    return Linear(
        n,
        [each.log10_measured for each in found],
        [each.log10_predicted for each in found],
        sine,
        part.abs().log10().tolist(),
        torch.linalg.vector_norm(aside, dim=0)[1:].log10().tolist(),
        float(4 * len(h) * ROUNDOFF * W.norm() * torch.linalg.cond(V) / VALUES[0]) / math.log(10),
    )


def claims(found: Linear) -> tuple[Claim, ...]:
    """Claim how fast the state grows, and how fast it turns."""
    leading, second, *_ = VALUES
    n, per_step = found.n[-1], found.rounding
    others = [
        (10 ** (part - found.parts[0]), value / leading)
        for part, value in zip(found.parts[1:], VALUES[1:], strict=True)
    ]
    third = [(10 ** (each - found.aside[0]), v / second) for each, v in zip(found.aside[1:], VALUES[2:], strict=True)]

    def left(shares: list[tuple[float, float]], n: int) -> float:
        return sum(share * ratio**n for share, ratio in shares)

    a, b = (min(range(len(found.n)), key=lambda i: abs(found.n[i] - n * part)) for part in (0.25, 0.5))
    steps = found.n[b] - found.n[a]
    apart = sum(
        math.log1p(e) - math.log1p(-e) for i in (a, b) for e in (left(others, found.n[i]), left(third, found.n[i]))
    )
    apart += 10 ** -found.sine[b] * n * per_step
    return (
        equal(
            f"log₁₀ of ‖h_t‖ / (|λ₁|^t ‖h_0‖) after {n} steps",
            found.parts[0],
            found.measured[-1] - found.predicted[-1],
            math.log1p(left(others, n)) + n * per_step,
            "log₁₀ of h_0’s part along the leading eigenvector; what is left of the others, and rounding",
        ),
        Claim(
            "Factor per step of the sine between h_t and the leading eigenvector",
            second / leading,
            10 ** ((found.sine[b] - found.sine[a]) / steps),
            second / leading * math.exp(-apart / steps),
            second / leading * math.exp(apart / steps),
            f"|λ₂/λ₁|, over steps {found.n[a]} to {found.n[b]}; what is left of λ₁’s others and of λ₃, and rounding",
        ),
    )


def draw(found: Linear) -> Figure:
    """Draw ‖h_t‖ beside |λ|^t, and the turn into the leading eigenvector."""
    figure, (growth, turn) = axes(2, width=9, height=3.6)
    growth.semilogy(found.n, [10**each for each in found.measured], color=BLUE, label="‖h_t‖ / ‖h₀‖")
    growth.semilogy(found.n, [10**each for each in found.predicted], "--", color=ORANGE, label="|λ₁|^t, λ₁ = 1.01")
    describe(growth, "A linear recurrence grows as |λ₁|^t", "t, steps", "growth, no unit")
    growth.legend()
    first = 10 ** (found.aside[0] - found.parts[0])
    line = [first * (VALUES[1] / VALUES[0]) ** n for n in found.n]
    turn.semilogy(found.n, [10**each for each in found.sine], color=BLUE, label="measured")
    turn.semilogy(found.n, line, "--", color=ORANGE, label="∝ |λ₂/λ₁|^t, λ₂ = 0.9")
    describe(turn, "It turns as |λ₂/λ₁|^t", "t, steps", "sine of the angle to the eigenvector")
    turn.legend()
    return figure
