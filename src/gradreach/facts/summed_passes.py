"""Whether the gradients of several backward passes are summed for one update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.record.look import Look

FEWEST_LOOKS = 6
MOST_FOLLOWED = 0.6
"""Share of the looks that an update may follow where passes are summed: half of them, of two passes, and chance."""


@dataclass(frozen=True, slots=True)
class SummedPasses:
    """Of `told` passes that were watched an update followed `followed`; after the others the gradient stayed."""

    followed: int
    told: int


def summed_passes(looks: Sequence[Look]) -> SummedPasses | None:
    """None where every pass is followed by an update, and where this was not heard of often enough."""
    told = [look.stepped for look in looks if look.stepped is not None and not look.stepped.is_discarded]
    followed = sum(each.steps > 0 for each in told)
    if len(told) < FEWEST_LOOKS or not 0 < followed <= MOST_FOLLOWED * len(told):
        return None
    return SummedPasses(followed, len(told)) if all(each.steps or each.left for each in told) else None
