"""A sample of the steps whose local errors a reach map carries back, drawn so that its error can be told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.reach_map import ReachMap

Anchors: TypeAlias = int | Literal["all"] | Sequence[int]

ANCHORS = 64
"""The most steps that `gr.reach` carries back unless it is asked for more."""


@dataclass(frozen=True, slots=True)
class AnchorSample:
    """Which steps' errors and which rows (None: all) are carried back, out of T steps and B rows.

    `chances` are those of the steps, None where they were named and some are missing; `known` counts the steps with an
    error, and from lag `whole_from` on all of them that reach so far are in.
    """

    anchors: tuple[int, ...]
    chances: dict[int, float] | None
    known: int
    whole_from: int
    rows: list[int] | None
    T: int
    B: int

    def weighed(self, error: Float[Tensor, "T ..."]) -> Float[Tensor, "T ..."]:
        """The errors, each counted for as many steps as it stands for."""
        if self.chances is None or self.whole_from == 0:
            return error
        weights = torch.ones(self.T, *[1] * (error.dim() - 1), dtype=torch.float64, device="cpu")
        weights[list(self.chances)] /= torch.tensor(
            list(self.chances.values()), dtype=torch.float64, device="cpu"
        ).view(-1, *weights.shape[1:])
        return error * weights.to(error.device, error.real.dtype if error.is_complex() else error.dtype)

    def told(self, found: ReachMap) -> ReachMap:
        return found if self.chances is None else found.drawn(self.chances, self.whole_from)

    def left_out(self, found: ReachMap, max_lag: int | None) -> str:
        """What is not in the map, and what it cost; empty where all is in."""
        rows = self.B if self.rows is None else len(self.rows)
        parts = [
            "" if self.whole_from == 0 else f"{len(self.anchors)} of {self.known} steps with a local error",
            "" if self.rows is None else f"{rows} of {self.B} rows",
            "" if max_lag is None or max_lag >= self.T - 1 else f"lags up to {max_lag}",
        ]
        left_out = ", ".join(part for part in parts if part)
        lags, states = found.log2_norms.shape[1], len(self.anchors) * rows
        return f"{left_out}: {lags} products of {states} states each" if left_out else ""


def sample_of(error: Float[Tensor, "T B S"], anchors: Anchors, rows: int | None, reverse: bool = False) -> AnchorSample:
    T, B = error.shape[:2]
    held = B if rows is None else min(rows, B)
    spaced = None if held == B else [round(i * (B - 1) / max(held - 1, 1)) for i in range(held)]
    sizes = torch.linalg.vector_norm(error, dim=-1, dtype=torch.float64).mean(1).tolist()
    chances = _chosen(sizes, anchors, reverse=reverse)
    known = {t for t, size in enumerate(sizes) if size > 0}
    missing = known.difference(chances)
    whole_from = max((T - t if reverse else t + 1 for t in missing), default=0)
    named = missing and not isinstance(anchors, int)
    return AnchorSample(tuple(sorted(chances)), None if named else chances, len(known), whole_from, spaced, T, B)


def draw(sizes: Sequence[float], most: int, seed: int = 0) -> dict[int, float]:
    """At most `most` of the steps whose size is not 0, each with the chance it had, in ascending order.

    All of them, with chance 1, where they are no more. Else a step's chance is in proportion to its size, up to 1, and
    the last one's is 1, as it alone reaches all the way back. Neighbours stand in for each other: of two that are not
    both drawn one is, or the chances of both are left to one (ordered pivotal sampling: Deville and Tillé 1998,
    Unequal probability sampling without replacement through a splitting method). The same sizes give the same sample.

    >>> draw([0.0, 1.0, 0.0, 1.0], 2)
    {1: 1.0, 3: 1.0}
    >>> drawn = draw([1.0] * 99 + [50.0], 10)
    >>> len(drawn), drawn[99], round(min(drawn.values()), 3)
    (10, 1.0, 0.091)
    """
    steps = [t for t, size in enumerate(sizes) if size > 0]
    if len(steps) <= most:
        return dict.fromkeys(steps, 1.0)
    certain, chances = _chances(steps, sizes, most)
    drawn = certain | _pivotal(chances, random.Random(seed))  # its own numbers: the script's stay as they are
    return {t: chances.get(t, 1.0) for t in sorted(drawn)}


def _chosen(sizes: list[float], asked: Anchors, *, reverse: bool) -> dict[int, float]:
    """The steps asked for, and the chance that each had."""
    T = len(sizes)
    if isinstance(asked, int):
        drawn = draw(sizes[::-1] if reverse else sizes, asked)
        return {T - 1 - t if reverse else t: chance for t, chance in drawn.items()}
    if asked == "all":
        return {t: 1.0 for t, size in enumerate(sizes) if size > 0}
    if asked is None or isinstance(asked, str):
        raise ValueError(f'anchors: expected a number, "all" or steps of the data, got {asked!r}')
    bad = next((t for t in asked if not -T <= t < T), None)
    if bad is not None:
        raise ValueError(f"anchors: expected steps of the data, 0 … {T - 1}, got {bad}")
    return {t % T: 1.0 for t in asked}


def _chances(steps: Sequence[int], sizes: Sequence[float], most: int) -> tuple[set[int], dict[int, float]]:
    """The steps that are drawn for certain, and the chances of the others, which come to a whole number."""
    certain, rest = {steps[-1]}, list(steps[:-1])
    while True:
        left, total = most - len(certain), sum(sizes[t] for t in rest)
        large = {t for t in rest if left * sizes[t] >= total}
        if not large or left == 0:
            return certain, {t: left * sizes[t] / total for t in rest} if left else {}
        certain |= large
        rest = [t for t in rest if t not in large]


def _pivotal(chances: dict[int, float], numbers: random.Random) -> set[int]:
    drawn: set[int] = set()
    waiting, held = -1, 0.0
    for t, chance in chances.items():
        both = held + chance
        if both < 1.0:  # one of the two goes on with the chances of both
            waiting = waiting if numbers.random() * both < held else t
            held = both
        else:  # one is drawn, the other goes on with what is left
            stays = numbers.random() * (2.0 - both) < 1.0 - chance
            drawn.add(waiting if stays else t)
            waiting, held = (t if stays else waiting), both - 1.0
    return drawn | {waiting} if held > 0.5 else drawn  # 0 or 1 but for rounding
