"""Leave out the rows that hold values that are not finite."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def kept_rows(name: str = "x") -> str:
    """The rows that are finite, and which are not."""
    good = f"good = torch.isfinite({name}).flatten(1).all(1)"
    return f"{good}; x, y = x[good], y[good]  # (~good).nonzero() says which rows"


DROP_ROWS = Advice(
    id="drop-rows",
    does="one such row makes the loss and every weight NaN",
    code=kept_rows,
    answers=("GR301",),
    unfit="Where missing values are meant: mask them out of the loss.",
)
