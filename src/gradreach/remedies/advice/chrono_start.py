"""Gates that start with time constants up to a lag (Tallec, Ollivier 2018)."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def chrono(module: str, lag: int) -> str:
    """`gr.init` sets the gates of all layers of a module."""
    return f"gr.init.chrono_({expression(module)}, t_max={max(lag + 1, 3)})  # import gradreach as gr; before training"


CHRONO_START = Advice(
    id="chrono-start",
    does="gates that hold the state for as many steps as the lag, from the start",
    code=chrono,
    answers=("GR104", "GR402"),
    unfit="For recurrences without gates, and for models that are trained already.",
)
