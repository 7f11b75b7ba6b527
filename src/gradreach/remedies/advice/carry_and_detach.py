"""Carry a state from batch to batch without its history."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

CARRY_AND_DETACH = Advice(
    id="carry-and-detach",
    does="the next batch starts from the state's numbers, and its gradient ends there",
    code=lambda: "state = tuple(s.detach() for s in state)  # or state.detach(); before the next forward pass",
    answers=("GR105", "GR501", "GR503"),
    unfit="Where every batch starts anew: then make a new state of zeros for each.",
)
