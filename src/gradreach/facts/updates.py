"""`Updates`: what the optimizers do with the gradients of one line that calls backward."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from gradreach.facts.decay import Decayed, decayed
from gradreach.facts.depth import update_ratio
from gradreach.facts.epsilon import Outweighed, outweighed
from gradreach.facts.half import Rounded, Underflowed, rounded, underflowed
from gradreach.facts.value_clip import ClippedValues, clipped_values
from gradreach.record.look import Look
from gradreach.record.schema import Step

FOLLOW_SIZE = frozenset({"SGD", "ASGD"})
"""The optimizers of torch whose step is as long as the gradient is; most others divide its size out."""


@dataclass(frozen=True)
class Updates:
    """The updates after one line, as its sound `looks` saw them beside its sound `steps`."""

    looks: Sequence[Look]
    steps: Sequence[Step]

    @cached_property
    def ratio(self) -> float | None:
        """‖Δw‖ / ‖w‖ of a step, by its median; None where no look saw one."""
        return update_ratio(self.looks)

    @property
    def follow_size(self) -> bool | None:
        """Whether the steps are as long as their gradients are; None where no optimizer was heard."""
        names = {name for look in self.looks if look.stepped is not None for name in look.stepped.optimizers}
        return names <= FOLLOW_SIZE if names else None

    @cached_property
    def decayed(self) -> Decayed | None:
        """What the optimizer's decay has taken away of the weights, whatever the loss does."""
        return decayed(self.looks)

    @cached_property
    def outweighed(self) -> Outweighed | None:
        """The optimizer's eps where it outweighs the gradient, whatever the loss does."""
        return outweighed(self.looks)

    @cached_property
    def rounded(self) -> Rounded | None:
        """What rounding takes from steps over weights in half precision, whatever the loss does."""
        return rounded(self.looks)

    @cached_property
    def underflowed(self) -> Underflowed | None:
        """What of the gradients underflows in float16, whatever the loss does."""
        return underflowed(self.looks, {step.step: step.scale for step in self.steps})

    @cached_property
    def clipped_values(self) -> ClippedValues | None:
        """How the gradients are clipped by value, and what that leaves of them."""
        return clipped_values(self.looks, self.steps)
