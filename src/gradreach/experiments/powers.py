"""Powers: what |λ|ⁿ does to a linear recurrence and to numbers of finite width, and what tanh does where λ = 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from gradreach.experiments import eigenvalue, formats, nested_tanh
from gradreach.experiments.claim import Claim
from gradreach.experiments.eigenvalue import Linear, linear
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.formats import BASES, FORMATS, Format, Invalid, Power, invalid, power
from gradreach.experiments.lab import Lab
from gradreach.experiments.nested_tanh import NESTED, Nested, nested

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def claims(measured: Measured) -> tuple[Claim, ...]:
    """Of each in turn."""
    return (
        *eigenvalue.claims(measured.linear),
        *formats.claims(measured.powers, measured.invalid),
        *nested_tanh.claims(measured.nested),
    )


def draw_recurrence(measured: Measured) -> Figure:
    """Growth and turn of the recurrence."""
    return eigenvalue.draw(measured.linear)


def draw_formats(measured: Measured) -> Figure:
    """1.01ⁿ and 0.99ⁿ."""
    return formats.draw(measured.powers)


def draw_tanh(measured: Measured) -> Figure:
    """tanh upon tanh."""
    return nested_tanh.draw(measured.nested)


EXPERIMENT = Experiment(
    title="Powers, and the width of numbers",
    sizes={"quick": Size(linear=200), "usual": Size(linear=400)},
    measured=Measured,
    measure=measure,
    claims=claims,
    figures={"powers-eigenvalue": draw_recurrence, "powers-formats": draw_formats, "powers-tanh": draw_tanh},
)
