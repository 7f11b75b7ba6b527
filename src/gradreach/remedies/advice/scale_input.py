"""Inputs of mean 0 and deviation 1."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(module: str, by_feature: bool = False) -> str:
    if by_feature:
        rows = "x.flatten(0, -2)"
        return f"x = (x - {rows}.mean(0)) / {rows}.std(0)  # what goes into `{module}`; by all training data at best"
    return f"x = (x - x.mean()) / x.std()  # what goes into `{module}`; large targets of a regression alike"


SCALE_INPUT = Advice(
    id="scale-input",
    does="inputs of size 1 keep the sums where the activation has slope",
    code=_code,
    answers=("GR103", "GR203", "GR204", "GR304", "GR305", "GR307", "GR701"),
    unfit="For upper layers, whose input is bounded anyway, and for counts and codes that stand for categories.",
)
