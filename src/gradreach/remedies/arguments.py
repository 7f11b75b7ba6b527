"""Checks of numbers that clip, guard and tbptt share; every error names the argument."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any


def integer(name: str, given: Any, what: str = "a whole number") -> int:
    """The int of anything that counts, a NumPy integer among them. Raises TypeError for anything else."""
    try:
        if isinstance(given, bool):
            raise TypeError
        return operator.index(given)
    except TypeError:
        raise TypeError(f"{name}: expected {what}, got {given!r}") from None


def check_at_least_one(**numbers: Any) -> None:
    """Raise TypeError or ValueError for the first argument that is not a whole number of at least 1."""
    for name, number in numbers.items():
        if integer(name, number) < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")


def check_positive(**numbers: Any) -> None:
    """Raise TypeError or ValueError for the first argument that is not a finite number above 0."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{name}: expected a finite number above 0, got {number!r}")
        if not (math.isfinite(number) and float(number) > 0):
            raise ValueError(f"{name}: expected a finite number above 0, got {number}")
