"""What was seen of the weights of a layer beside one another on one watched step."""

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
