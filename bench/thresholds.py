"""Does `Auto` choose well? On exploding tasks: its final loss against a log grid of fixed thresholds and against no
clipping. On healthy runs: the share of steps that it clips.

The rule was made while looking at the design half of both; the unseen half was run after. A final loss is the mean
over the last tenth of a run, ∞ where that is not finite, and then over the seeds; the grid's best has the least mean.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping

import exploding
import healthy
import timing
import torch

from gradreach.remedies.clip import Clip

GRID = [10 ** (k / 2) for k in range(-6, 7)]
OPTIMIZERS = (("SGD", 0.01), ("SGD", 0.1), ("Adam", 1e-3), ("Adam", 1e-2))
NONE = 1e38
"""A threshold past every finite norm of float32: no clipping."""


def final_loss(task: exploding.Task, name: str, rate: float, rule: str | float, seed: int, steps: int) -> float:
    """The loss at the end of one run under one rule; ∞ where it broke."""
    torch.manual_seed(seed)
    model, loss = task()
    optimizer: torch.optim.Optimizer = getattr(torch.optim, name)(model.parameters(), lr=rate)
    clip, losses = Clip(optimizer, rule), []
    for _ in range(steps):
        optimizer.zero_grad()
        now = loss()
        now.backward()
        clip()
        optimizer.step()
        losses.append(float(now.detach()))
        if not math.isfinite(losses[-1]):
            return math.inf
    return sum(losses[-steps // 10 :]) / len(losses[-steps // 10 :])


def exploding_rows(
    tasks: Mapping[str, exploding.Task], half: str, grid: list[float], seeds: int, steps: int
) -> list[list[str]]:
    """A row a task, optimizer and rate: auto, the grid's best, no clipping, and auto over best."""
    rows = []
    for title, task in tasks.items():
        for name, rate in OPTIMIZERS:
            mean = lambda rule: sum(final_loss(task, name, rate, rule, s, steps) for s in range(seeds)) / seeds  # noqa: B023, E731
            auto, none = mean("auto"), mean(NONE)
            best, at = min((mean(threshold), threshold) for threshold in grid)
            print(
                f"{title}, {name} {rate:g}: auto {auto:.3g}, best {best:.3g} at {at:.3g}, unclipped {none:.3g}",
                file=sys.stderr,
                flush=True,
            )
            ratio = f"{auto / best:.2f}" if math.isfinite(best) else "none finite"
            rows.append(
                [half, title, f"{name} {rate:g}", f"{auto:.3g}", f"{best:.3g}", f"{at:.3g}", f"{none:.3g}", ratio]
            )
    return rows


def healthy_rows(runs: Mapping[str, healthy.Run], half: str, seeds: int) -> list[list[str]]:
    """A row a run: the largest share of clipped steps over the seeds, and the last loss."""
    rows = []
    for title, (build, steps) in runs.items():
        rates = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            optimizer, loss = build()
            clip = Clip(optimizer)
            for step in range(steps):
                now = loss(step)
                optimizer.zero_grad()
                now.backward()
                clip()
                optimizer.step()
            rates.append(sum(clip.curve.clipped) / steps)
        print(f"{title}: {max(rates):.2%} clipped", file=sys.stderr, flush=True)
        rows.append([half, title, str(steps), f"{max(rates):.2%}", f"{float(now.detach()):.3g}"])
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, a coarse grid, short runs: a look only")
    parser.add_argument("--only", choices=("healthy", "exploding"), help="one of the two claims")
    given = parser.parse_args()
    torch.set_num_threads(1)
    seeds, grid, steps = (1, GRID[::4], 100) if given.quick else (3, GRID, 300)
    if given.only != "exploding":
        rows = healthy_rows(healthy.DESIGN, "design", seeds) + healthy_rows(healthy.UNSEEN, "unseen", seeds)
        print(timing.table([["half", "healthy run", "steps", "clipped, most", "last loss"], *rows]), flush=True)
    if given.only != "healthy":
        head = ["half", "exploding task", "optimizer", "auto", "best", "at", "unclipped", "auto / best"]
        rows = exploding_rows(exploding.DESIGN, "design", grid, seeds, steps)
        rows += exploding_rows(exploding.UNSEEN, "unseen", grid, seeds, steps)
        print(timing.table([head, *rows]))


if __name__ == "__main__":
    main()
