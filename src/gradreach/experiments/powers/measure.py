"""The recurrence, the powers in every format, and tanh upon tanh."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from gradreach.experiments.lab import Lab
from gradreach.experiments.powers.eigenvalue import Linear, linear
from gradreach.experiments.powers.formats import BASES, FORMATS, Format, Invalid, Power, invalid, power
from gradreach.experiments.powers.nested_tanh import NESTED, Nested, nested


@dataclass(frozen=True)
class Size:
    """Steps of the linear recurrence, and the formats that are run to their end."""

    linear: int
    formats: tuple[Format, ...] = FORMATS


class Measured(Struct, frozen=True):
    """The recurrence, the powers in every format with the invalid operations on them, and tanh upon tanh."""

    linear: Linear
    powers: list[Power]
    invalid: list[Invalid]
    nested: Nested


def measure(size: Size, lab: Lab) -> Measured:
    """All of them."""
    jobs = [(base, format) for format in size.formats for base in BASES]
    return Measured(
        linear(size.linear),
        lab.spread(_power, jobs, "powers"),
        [invalid(format) for format in size.formats],
        nested(NESTED[-1]),
    )


def _power(job: tuple[float, Format]) -> Power:
    return power(*job)
