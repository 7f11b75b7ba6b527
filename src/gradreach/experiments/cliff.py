"""The cliff: the wall in the loss of a one-unit RNN flings gradient descent away, unless the gradient is clipped.

Pascanu, Mikolov and Bengio 2013, figure 6: h_{t+1} = w σ(h_t) + b from h_0 = 0.5 over 50 steps, σ the logistic
function, loss (σ(h_50) − 0.7)². For large w the unit has two stable states and an unstable one between them. The wall
stands where h_0 itself is the unstable one: b = h_0 − w σ(h_0), and there ∂h_50/∂h_0 = (w σ′(h_0))^50.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from gradreach.experiments.claim import Claim, at_least, at_most
from gradreach.experiments.drawing import HEAT, ORANGE, SKY, axes, describe
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.lab import Lab
from gradreach.remedies.clip import Clip
from gradreach.tasks.scalar import FIRST, GOAL, STEPS, OneUnit, unrolled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

W_RANGE, B_RANGE = (4.0, 5.6), (-2.9, -1.9)
START, RATE, THRESHOLD = (5.2, -2.3), 0.1, 0.5
DRAWN = 200
"""Points along each side of the surface that is drawn."""
NEVER = 1e30
"""A threshold that no norm reaches."""


@dataclass(frozen=True)
class Size:
    """The points along each side of the domain, and the updates of either descent."""

    grid: int
    updates: int


class Descent(Struct, frozen=True):
    """Points (w, b), the loss at each, and the gradient's norm there before clipping."""

    points: list[tuple[float, float]]
    loss: list[float]
    norm: list[float]

    @property
    def moves(self) -> np.ndarray:
        """The length of each update."""
        lengths: np.ndarray = np.linalg.norm(np.diff(np.array(self.points), axis=0), axis=1)
        return lengths


class Result(Struct, frozen=True):
    """The wall as pairs (w, b between the two points of the grid at which the loss differs most); both descents."""

    wall: list[tuple[float, float]]
    unclipped: Descent
    clipped: Descent


def loss(w: Tensor, b: Tensor) -> Tensor:
    """Return (σ(h_50) − 0.7)² at every (w, b)."""
    return (torch.sigmoid(unrolled(w, b, torch.full_like(w, FIRST), STEPS)) - GOAL).square()


def descend(threshold: float | None, updates: int) -> Descent:
    """Descend from START by plain gradient descent, the gradient's norm clipped at `threshold`."""
    model = OneUnit(*START, STEPS, torch.float64)
    x = torch.tensor([[FIRST]], dtype=torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    clip = Clip(model, NEVER if threshold is None else threshold)
    points, losses, norms = [], [], []
    for _ in range(updates):
        points.append((model.w.item(), model.b.item()))
        value = (model(x) - GOAL).square().mean()
        value.backward()
        norms.append(float(clip()))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(value.item())
    return Descent(points, losses, norms)


def domain(size: int) -> tuple[Tensor, Tensor]:
    """Return w and b at the points of the surface, (size, size) each."""
    w, b = (torch.linspace(*side, size, dtype=torch.float64) for side in (W_RANGE, B_RANGE))
    grid = torch.meshgrid(w, b, indexing="ij")
    return grid[0], grid[1]


def measure(size: Size, _lab: Lab) -> Result:
    """Find the wall, and descend twice from the same point."""
    w, b = domain(size.grid)
    highest = loss(w, b).diff(dim=1).abs().argmax(1)
    wall = [(float(w[i, 0]), float(b[i, j] + b[i, j + 1]) / 2) for i, j in enumerate(highest)]
    unclipped, clipped = (descend(threshold, size.updates) for threshold in (None, THRESHOLD))
    return Result(wall, unclipped, clipped)


def predicted_wall(w: float) -> float:
    """Return the b at which h_0 is a fixed point: h_0 = w σ(h_0) + b."""
    return FIRST - w / (1 + float(np.exp(-FIRST)))


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim where the wall stands, how far it flings, and how far a clipped step goes."""
    spacing = (B_RANGE[1] - B_RANGE[0]) / (len(result.wall) - 1)
    slope = float(np.exp(-FIRST) / (1 + np.exp(-FIRST)) ** 2)
    sharp = [
        (w, b)
        for w, b in result.wall
        if (w * slope) ** STEPS > 10 / spacing and predicted_wall(w) > B_RANGE[0] + spacing
    ]
    flung = int(result.unclipped.moves.argmax())
    return (
        at_most(
            "Largest distance in b between the wall and the line b = h₀ − w σ(h₀)",
            max(abs(b - predicted_wall(w)) for w, b in sharp),
            spacing,
            f"the grid; for {len(sharp)} w at which (w σ′(h₀))⁵⁰ makes the wall far thinner",
        ),
        at_least(
            "Length of the update at the wall without clipping",
            float(result.unclipped.moves[flung]),
            float(np.hypot(W_RANGE[1] - W_RANGE[0], B_RANGE[1] - B_RANGE[0])),
            "the diagonal of the domain: it leaves it, wherever it stood",
        ),
        at_most(
            "Longest update with clipping",
            float(result.clipped.moves.max()),
            RATE * THRESHOLD * (1 + 1e-6),
            "learning rate × threshold; 1e-6 for the division by norm + ε",
        ),
        at_most(
            "Loss at the end with clipping",
            result.clipped.loss[-1],
            result.unclipped.loss[-1],
            "that of the descent without clipping",
        ),
    )


def draw(result: Result) -> Figure:
    """Draw both descents from above, and the loss over the updates."""
    figure, (above, course) = axes(2, width=9, height=3.9)
    _from_above(above, result)
    course.semilogy(result.clipped.loss, color=SKY, lw=1, label=f"clipped at {THRESHOLD:g}")
    course.semilogy(result.unclipped.loss, "--", color=ORANGE, lw=2.5, label="no clipping")
    describe(course, "The loss over the updates", "update, steps", "loss, no unit")
    course.legend(loc="lower left")
    return figure


def _from_above(above: Axes, result: Result) -> None:
    w, b = domain(DRAWN)
    filled = above.contourf(w, b, loss(w, b), levels=24, cmap=HEAT)
    above.figure.colorbar(filled, ax=above, label="loss, no unit")
    flung = int(result.unclipped.moves.argmax())
    points = np.array(result.unclipped.points)
    above.plot(*points[: flung + 1].T, color=ORANGE, lw=5, label="no clipping")
    above.plot(*np.array(result.clipped.points).T, color=SKY, lw=1.3, label=f"clipped at {THRESHOLD:g}")
    here, to = points[flung], points[flung + 1]
    away = (to - here) / np.linalg.norm(to - here)
    tip = here + 0.97 * min((W_RANGE[1] - here[0]) / away[0], (B_RANGE[1] - here[1]) / away[1]) * away
    above.annotate("", tip, here, arrowprops={"arrowstyle": "-|>", "color": ORANGE, "lw": 2.2})
    above.annotate(
        f"gradient {result.unclipped.norm[flung]:.0f},\nflung to ({to[0]:.0f}, {to[1]:.0f})",
        tip,
        (-12, -20),
        textcoords="offset points",
        ha="right",
        va="top",
        color="black",
        bbox={"boxstyle": "round", "fc": "white", "ec": ORANGE},
    )
    line = np.array(W_RANGE)
    above.plot(line, [predicted_wall(x) for x in line], ":", color="black", lw=1.5, label="b = h₀ − w σ(h₀)")
    above.plot(*START, "*", color="white", mec="black", ms=14, label="start")
    describe(above, "The loss from above", "w, no unit", "b, no unit", xlim=W_RANGE, ylim=B_RANGE)
    above.legend(
        loc="lower left", fontsize="small", labelcolor="black", frameon=True, facecolor="white", framealpha=0.8
    )


EXPERIMENT = Experiment(
    name="cliff",
    lesson=8,
    title="The cliff",
    sizes={"quick": Size(grid=120, updates=600), "usual": Size(grid=200, updates=600)},
    result=Result,
    measure=measure,
    claims=claims,
    figures={"cliff": draw},
)
