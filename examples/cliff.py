"""The wall in the loss of a one-unit RNN: gradient descent is flung off it, and stays with it once clipped.

Pascanu, Mikolov and Bengio 2013, figure 6: h_{t+1} = w σ(h_t) + b from h_0 = 0.5 over 50 steps, σ the logistic
function, loss (σ(h_50) − 0.7)². Where the one unit has two stable states a wall parts them: the gradient across it is
thousands of times that of the slope that leads there.

    python examples/cliff.py --out cliff.png
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import gradreach as gr

STEPS = 50
W_RANGE, B_RANGE = (4.0, 5.6), (-2.9, -1.9)
START = (5.2, -2.3)
CLIPPED, UNCLIPPED = "#56b4e9", "#d55e00"  # sky blue and vermilion of Okabe and Ito: told apart by any eye


class OneUnit(nn.Module):
    """Two parameters and no input; the forward pass is the loss."""

    def __init__(self, w: float, b: float) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(b, dtype=torch.float64))

    def forward(self) -> Tensor:
        return loss(self.w, self.b)


@dataclass(frozen=True)
class Descent:
    """What gradient descent did: (n, 2) points (w, b), the loss at each, the gradient's norm there before clipping."""

    points: np.ndarray
    loss: np.ndarray
    norm: np.ndarray

    @property
    def moves(self) -> np.ndarray:
        """The length of each update."""
        return np.linalg.norm(np.diff(self.points, axis=0), axis=1)


def loss(w: Tensor, b: Tensor) -> Tensor:
    """(σ(h_50) − 0.7)² at every (w, b)."""
    h = torch.full_like(w, 0.5)
    for _ in range(STEPS):
        h = w * torch.sigmoid(h) + b
    return (torch.sigmoid(h) - 0.7).square()


def descend(threshold: float | None, updates: int = 600, lr: float = 0.1) -> Descent:
    """Plain gradient descent from START, its gradient's norm clipped at `threshold`."""
    model = OneUnit(*START)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    clip = None if threshold is None else gr.Clip(model, rule=threshold)
    points, losses, norms = [], [], []
    for _ in range(updates):
        points.append((model.w.item(), model.b.item()))
        value = model()
        value.backward()
        norms.append(float(torch.linalg.vector_norm(torch.stack([p.grad for p in model.parameters()]))))
        if clip is not None:
            clip()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(value.item())
    return Descent(np.array(points), np.array(losses), np.array(norms))


def surface(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """w, b and the loss over the domain that is drawn, (size, size) each."""
    w, b = torch.meshgrid(
        torch.linspace(*W_RANGE, size, dtype=torch.float64),
        torch.linspace(*B_RANGE, size, dtype=torch.float64),
        indexing="ij",
    )
    return w.numpy(), b.numpy(), loss(w, b).numpy()


def draw(unclipped: Descent, clipped: Descent, threshold: float, out: Path, size: int = 300) -> None:
    """The surface, both paths on it from above, and the loss over the updates, as one PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure = plt.figure(figsize=(15, 5), layout="constrained")
    grid = surface(size)
    _relief(figure.add_subplot(1, 3, 1, projection="3d"), grid)
    _map(figure.add_subplot(1, 3, 2), grid, unclipped, clipped, threshold)
    _course(figure.add_subplot(1, 3, 3), unclipped, clipped, threshold)
    figure.savefig(out, dpi=130)
    plt.close(figure)


def _relief(axes: Any, grid: tuple[np.ndarray, ...]) -> None:
    axes.plot_surface(*grid, cmap="cividis", rstride=1, cstride=1, linewidth=0, antialiased=False)
    axes.set(xlabel="w", ylabel="b", title="The loss: a slope, a wall, a plateau")
    axes.set_zlabel("loss", labelpad=10)
    axes.locator_params(nbins=5)
    axes.view_init(elev=38, azim=70)
    axes.set_box_aspect(None, zoom=0.85)


def _map(axes: Any, grid: tuple[np.ndarray, ...], unclipped: Descent, clipped: Descent, threshold: float) -> None:
    filled = axes.contourf(*grid, levels=24, cmap="cividis")
    axes.figure.colorbar(filled, ax=axes, label="loss", shrink=0.85)
    flung = int(unclipped.moves.argmax())
    path = unclipped.points[: flung + 1]
    (w, b), to = path[-1], unclipped.points[flung + 1]
    axes.plot(*path.T, "-", color=UNCLIPPED, lw=6, label="no clipping")
    axes.plot(*clipped.points.T, "-", color=CLIPPED, lw=1.3, label=f"clipped at {threshold:g}")
    away = (to - path[-1]) / np.linalg.norm(to - path[-1])
    edge = min((W_RANGE[1] - w) / away[0], (B_RANGE[1] - b) / away[1]) * 0.97
    tip = (w + edge * away[0], b + edge * away[1])
    axes.annotate("", tip, (w, b), arrowprops={"arrowstyle": "-|>", "color": UNCLIPPED, "lw": 2.2})
    said = f"gradient {unclipped.norm[flung]:.0f},\nflung to ({to[0]:.0f}, {to[1]:.0f})"
    box = {"boxstyle": "round", "fc": "white", "ec": UNCLIPPED}
    axes.annotate(said, tip, (-12, -20), textcoords="offset points", ha="right", va="top", bbox=box)
    axes.plot(*START, "*", color="white", mec="black", ms=15, label="start")
    axes.set(xlim=W_RANGE, ylim=B_RANGE, xlabel="w", ylabel="b", title="Both descents from above")
    axes.legend(loc="lower left")


def _course(axes: Any, unclipped: Descent, clipped: Descent, threshold: float) -> None:
    axes.semilogy(clipped.loss, "-", color=CLIPPED, lw=1, label=f"clipped at {threshold:g}")
    axes.semilogy(unclipped.loss, "--", color=UNCLIPPED, lw=2.5, label="no clipping")
    axes.axvline(unclipped.moves.argmax() + 1, color="grey", lw=1, ls=":", label="flung off the wall")
    axes.set(xlabel="update", ylabel="loss", ylim=(1e-6, 1), title="Loss over the updates")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left")


def main() -> None:
    """Descend twice, say what happened, draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("cliff.png"), help="where the PNG goes")
    parser.add_argument("--threshold", type=float, default=0.5, help="the norm that gradients are clipped at")
    args = parser.parse_args()
    unclipped, clipped = descend(None), descend(args.threshold)
    for name, run in (("no clipping", unclipped), (f"clipped at {args.threshold:g}", clipped)):
        w, b = run.points[-1]
        print(f"{name}: largest update {run.moves.max():.3g}, ends at ({w:.2f}, {b:.2f}) with loss {run.loss[-1]:.2g}")
    draw(unclipped, clipped, args.threshold, args.out)
    print(args.out)


if __name__ == "__main__":
    main()
