"""What was seen of subnormal numbers on one watched step: where they are, and what they cost this CPU there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Arithmetic = Literal["kept", "kept at no cost", "flushed", "cannot flush"]
"""What this CPU's arithmetic does with subnormal numbers: it keeps them; it does, and was found to be as fast with them
as with 0; it takes them for 0; it has no other way than to keep them."""


@dataclass(frozen=True, slots=True)
class SubnormalPlace:
    """One place where `share` of the entries are subnormal, 0 < |x| < finfo.tiny of their dtype.

    `part` says what they are entries of: the "adjoint" δ of a recurrent layer, the "gradient" that reaches the output
    of a linear one, a parameter's own "weights", its "parameter gradient", or a "state" that the optimizer keeps of it.
    `name` is the module's or the parameter's, `kind` the class of the module, or the optimizer's with the key of the
    state, as in Adam.exp_avg_sq; empty for a parameter.

    `kept` and `flushed` are the seconds that a piece of work on these very tensors took in turns, with subnormal
    numbers as they are and with 0 in their place; both are empty where it was not timed. A step does `times` as much of
    that work. It is `whole` where the work was all that the place computes, a layer's forward and backward pass; else
    it stands for a part of it.
    """

    part: Literal["adjoint", "gradient", "weights", "parameter gradient", "state"]
    name: str
    kind: str
    share: float
    kept: tuple[float, ...] = ()
    flushed: tuple[float, ...] = ()
    times: float = 1.0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SubnormalLook:
    """What the `arithmetic` of the script's thread does with subnormal numbers, and the `places` that have them."""

    arithmetic: Arithmetic
    places: tuple[SubnormalPlace, ...] = ()
