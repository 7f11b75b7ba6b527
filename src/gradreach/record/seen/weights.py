"""What was seen of weights beside one another on one watched step: of one layer, and of layers in a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CopiedUnits:
    """A layer in which every one of its `units` has a twin, with the same incoming weights and the same gradient.

    Only `different` of the units differ from each other. `name` is the weight, `module` its owner and `kind` that one's
    class; `kind` is empty where it is a weight of the script's own. `is_reached` is False where the gradient of all of
    them is 0.
    """

    name: str
    module: str
    kind: str
    units: int
    different: int
    is_reached: bool


@dataclass(frozen=True, slots=True)
class LinearMaps:
    """Linear layers, or convolutions, each of which is given what the one before puts out and nothing reads besides.

    Nothing stands between them but dropout and views. `sizes` are what the first takes in, and what each puts out, none
    between two of them smaller than both of its neighbours: no bottleneck. `is_whole` says that nothing else of the
    model has weights.
    """

    modules: tuple[str, ...]
    sizes: tuple[int, ...]
    is_whole: bool
