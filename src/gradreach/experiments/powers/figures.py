"""The figures of the three parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gradreach.experiments.powers import eigenvalue, formats, nested_tanh
from gradreach.experiments.powers.measure import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_recurrence(measured: Measured) -> Figure:
    """Growth and turn of the recurrence."""
    return eigenvalue.draw(measured.linear)


def draw_formats(measured: Measured) -> Figure:
    """1.01ⁿ and 0.99ⁿ."""
    return formats.draw(measured.powers)


def draw_tanh(measured: Measured) -> Figure:
    """tanh upon tanh."""
    return nested_tanh.draw(measured.nested)
