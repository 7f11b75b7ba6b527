"""An eps of the optimizer that outweighs what the gradient leaves of the second moment, and so shortens each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.seen.loop import Epsilon

TIMES = 10.0
"""How many times an eps must shorten the steps to count: a tenth of what the learning rate asks for is left."""

USUAL = 1e-8
"""The eps that torch begins with. Where it is larger than the roots as well, the gradient is what is too small."""


@dataclass(frozen=True, slots=True)
class Outweighed:
    """The `eps` of an `optimizer`, at a learning rate of `rate`, in `looks` looks at one line.

    `root` is the median, over the last half of them, of the roots of the second moments that it is added to, `below`
    the share of these that are smaller; `times` is how many times shorter the steps are for it.
    """

    optimizer: str
    eps: float
    rate: float
    root: float
    below: float
    times: float
    looks: int


def outweighed(looks: Sequence[Look]) -> Outweighed | None:
    """What the eps does at one line, where it outweighs from the first look on, and a usual one would not."""
    told = [
        max(look.stepped.epsilons, key=lambda each: each.elements)
        for look in looks
        if look.stepped is not None and look.stepped.epsilons
    ]
    if len(told) < MIN_LOOKS or not all(map(_is_outweighed, told[:MIN_LOOKS])):
        return None
    half, last = told[len(told) // 2 :], told[-1]
    root, below = median([each.root for each in half]), median([each.below for each in half])
    times = 1 + last.eps / root
    return Outweighed(last.optimizer, last.eps, last.rate, root, below, times, len(told)) if times >= TIMES else None


def _is_outweighed(seen: Epsilon) -> bool:
    return seen.eps >= (TIMES - 1) * seen.root and seen.root > USUAL
