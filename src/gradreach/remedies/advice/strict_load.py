"""Have a load that does not fit raise."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

STRICT_LOAD = Advice(
    id="strict-load",
    does="raises and names every tensor that does not fit",
    code=lambda module: f"{expression(module)}.load_state_dict(state)  # strict, as it is by default",
    answers=("GR509",),
    unfit="Where a part of the module is new: read the names that load_state_dict returns.",
)
