"""The activations of hidden layers over a run, and from which share of them on a layer counts as saturated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from gradreach.facts.thresholds import Threshold
from gradreach.record.look import Look
from gradreach.record.seen.depth import DepthLook

SATURATED = Threshold("saturated", 0.8, 0.01, 1.0, "share of activations with less than 5 % of their largest slope")


class ModuleKey(NamedTuple):
    """One module, as seen from one line that calls backward."""

    site: int
    module: str


def hidden_activations(looks: Sequence[Look], root_of: Callable[[str], str]) -> dict[ModuleKey, list[DepthLook]]:
    """The looks at each module that some module with weights of the same root follows.

    What no weights follow is an output, which may saturate rightly.
    """
    hidden: dict[ModuleKey, list[DepthLook]] = {}
    for look in looks:
        last: dict[str, int] = {}
        for seen in look.depth:
            if seen.parameters:
                root = root_of(seen.module)
                last[root] = max(last.get(root, -1), seen.order)
        for seen in look.depth:
            if seen.order < last.get(root_of(seen.module), -1):
                hidden.setdefault(ModuleKey(look.site, seen.module), []).append(seen)
    return hidden
