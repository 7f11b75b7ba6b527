"""What was seen of half precision on one watched step: what rounding takes from updates and from gradients."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RoundedStep:
    """One step of an `optimizer` over `elements` weights that are kept in a `dtype` of 16 bits, of all `of` it stepped.

    A share `lost` of the weights that a step other than 0 was due to holds the same numbers after it; weighed by
    |gradient × step|, what each was to contribute to the fall of the loss, it is `weighed`. `asked` is ‖Δw‖ / ‖w‖ of
    the step without rounding, at a learning rate of `rate`.
    """

    optimizer: str
    dtype: str
    elements: int
    of: int
    lost: float
    weighed: float
    asked: float
    rate: float


@dataclass(frozen=True, slots=True)
class Underflow:
    """What the backward pass of one step lost below float16's smallest number, by the same pass from a loss `times` as
    large.

    Of `present` numbers of gradients that are not 0 then, `lost` are 0 in the script's own pass. The gradients of
    `wrong` of the `of` trained weights are off by half of their norm or more, which are those of `modules`. `is_pure`
    says that weights are float16 themselves.
    """

    times: float
    present: int
    lost: int
    wrong: int
    of: int
    modules: tuple[str, ...]
    is_pure: bool
