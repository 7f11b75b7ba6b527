"""Rows of one size: divided by a scale that is not next to 0, without numbers that stand for a missing value."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, bound: float) -> str:
    return (
        f"scale = scale.clamp(min=scale.median())  # where the rows that go into `{module}` are divided by a scale\n"
        f"x = torch.where(x.abs() < {bound:.0e}, x, 0.0)  # where a number stands for a missing value"
    )


FLOOR_SCALE = Advice(
    id="floor-scale",
    does="rows of one size count alike; of the two lines take the one that fits, and print such a row first to see",
    code=_code,
    answers=("GR701",),
    unfit="Where half of the scales or more are 0 the median is no floor: leave these rows out.",
)
