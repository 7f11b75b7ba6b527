"""Keep a state that is fed back near size 1."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def normalised(state: str = "h") -> str:
    """A line that brings a state back to size 1, for the end of each step of the loop."""
    return f"{state} = F.layer_norm({state}, {state}.shape[-1:])  # at the end of each step of that loop"


NORMALISE_STATE = Advice(
    id="normalise-state",
    does="what is multiplied or added to itself at every step grows without end; normalised it cannot",
    code=normalised,
    answers=("GR102", "GR301"),
    unfit="Where the size of the state is meant: make the factor or the step smaller, as by scaling times to 0 … 1.",
)
