"""Powers: what |λ|ⁿ does to a linear recurrence and to numbers of finite width, and what tanh does where λ = 1.

eigenvalue: a linear recurrence turns into its leading eigenvector
formats: bⁿ in numbers of finite width, to its end
nested_tanh: tanh of tanh of … of x
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

from gradreach.experiments.claim import Claim
from gradreach.experiments.experiment import Experiment
from gradreach.experiments.lab import Lab
from gradreach.experiments.powers import eigenvalue, nested_tanh
from gradreach.experiments.powers import formats as number_formats
from gradreach.experiments.powers.eigenvalue import Linear, linear
from gradreach.experiments.powers.formats import BASES, FORMATS, Format, InvalidOperations, Power, invalid, power
from gradreach.experiments.powers.nested_tanh import NESTED, NestedTanh, nested

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Size:
    """The steps of the linear recurrence, and the formats that are run to their end."""

    linear: int
    formats: tuple[Format, ...] = FORMATS


class Result(Struct, frozen=True):
    """The recurrence, the powers in every format with the invalid operations on them, and tanh upon tanh."""

    linear: Linear
    powers: list[Power]
    invalid: list[InvalidOperations]
    nested: NestedTanh


def measure(size: Size, lab: Lab) -> Result:
    """Measure all three parts."""
    jobs = [(base, format) for format in size.formats for base in BASES]
    return Result(
        linear(size.linear),
        lab.spread(_power, jobs, "powers"),
        [invalid(format) for format in size.formats],
        nested(NESTED[-1]),
    )


def _power(job: tuple[float, Format]) -> Power:
    return power(*job)


def claims(result: Result) -> tuple[Claim, ...]:
    """Return the claims of each part in turn."""
    return (
        *eigenvalue.claims(result.linear),
        *number_formats.claims(result.powers, result.invalid),
        *nested_tanh.claims(result.nested),
    )


def draw_recurrence(result: Result) -> Figure:
    """Draw the growth and the turn of the recurrence."""
    return eigenvalue.draw(result.linear)


def draw_formats(result: Result) -> Figure:
    """Draw 1.01ⁿ and 0.99ⁿ in every format."""
    return number_formats.draw(result.powers)


def draw_tanh(result: Result) -> Figure:
    """Draw tanh upon tanh."""
    return nested_tanh.draw(result.nested)


EXPERIMENT = Experiment(
    name="powers",
    lesson=5,
    title="Powers, and the width of numbers",
    sizes={"quick": Size(linear=200), "usual": Size(linear=400)},
    result=Result,
    measure=measure,
    claims=claims,
    figures={"powers-eigenvalue": draw_recurrence, "powers-formats": draw_formats, "powers-tanh": draw_tanh},
)
