"""Consecutive steps of a sequence whose rows may end anywhere, and what the next batch needs of them."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor

from gradreach.engine.custom.form import outline
from gradreach.remedies.tbptt.arguments import check_state, length_of
from gradreach.remedies.tbptt.trees import detached, join, take


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive steps: a pytree x with time at `dim`. `ends[t, b]`, (T, B), says that row b ends with step t.

    `cuts` are the steps t + 1 after an end, ascending; they are known on the host, so that windows ask no device.
    """

    x: Any
    dim: int
    steps: int
    ends: Bool[Tensor, "T B"] | None = None
    cuts: tuple[int, ...] = ()

    @staticmethod
    def of(x: Any, dim: int, ends: Bool[Tensor, "T B"] | None = None) -> Segment:
        cuts = () if ends is None else tuple((ends.any(1).nonzero().flatten() + 1).tolist())
        return Segment(x, dim, length_of("x", x, dim), ends, cuts)

    def part(self, start: int, stop: int) -> Segment:
        """Steps start … stop − 1; the segment itself where that is all of it."""
        if (start, stop) == (0, self.steps):
            return self
        cuts = self.cuts[bisect_right(self.cuts, start) : bisect_right(self.cuts, stop)]
        ends = None if self.ends is None else self.ends[start:stop]
        x = take(self.x, self.dim, start, stop)
        return Segment(x, self.dim, stop - start, ends, tuple(cut - start for cut in cuts))

    def before(self, later: Segment) -> Segment:
        """This segment and the one that follows it, as one."""
        if self.steps == 0 or later.steps == 0:
            return later if self.steps == 0 else self
        both = (self, later)
        ends = next((part.ends for part in both if part.ends is not None), None)
        if ends is not None:
            none, B = ends.new_zeros, ends.shape[1]
            ends = torch.cat([none(part.steps, B) if part.ends is None else part.ends for part in both])
        cuts = (*self.cuts, *(cut + self.steps for cut in later.cuts))
        return Segment(join([self.x, later.x], self.dim), self.dim, self.steps + later.steps, ends, cuts)

    def own(self) -> Segment:
        """A copy that keeps neither a graph nor a larger tensor alive."""
        return replace(self, x=detached(self.x), ends=None if self.ends is None else self.ends.clone())


@dataclass(frozen=True, slots=True)
class Carry:
    """What the windows of the next batch need of this one: the last steps, and the states that stood among them.

    `states` are pairs of a state and the number of steps before the end at which it stood, the oldest first.
    """

    past: Segment
    states: tuple[tuple[int, Any], ...]

    def check(self, x: Any, dim: int) -> None:
        """Raise ValueError where x cannot go on from here."""
        came, wanted = (outline(take(tree, at, 0, 0)) for tree, at in ((x, dim), (self.past.x, self.past.dim)))
        if (came, dim) != (wanted, self.past.dim):
            raise ValueError(
                f"state: expected the carry of a batch like this one, with x of {came} without its steps, time at dim "
                f"{dim}, got that of {wanted}, time at dim {self.past.dim}; pass the carry of the same stream, or None"
            )

    def followed_by(self, sequence: Segment, start: int, stop: int) -> Segment:
        """Steps start … stop − 1 of the sequence; negative ones are of what came before it."""
        if start >= 0:
            return sequence.part(start, stop)
        past = self.past.part(self.past.steps + start, self.past.steps + min(stop, 0))
        return past.before(sequence.part(0, max(stop, 0)))


torch.serialization.add_safe_globals([Carry, Segment])  # checkpoints of a stream load with weights_only


def last_state(state: Any) -> Any:
    """The state at which a carry ends; any other state is returned as it is."""
    state = state.states[-1][1] if isinstance(state, Carry) else state
    check_state("state", state)
    return state
