"""Give every parameter a value before the first step."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def initialised(parameter: str) -> str:
    """A line that initialises one parameter."""
    return f"nn.init.normal_({parameter}, std=0.02)  # a matrix: nn.init.xavier_uniform_"


INITIALISE = Advice(
    id="initialise",
    does="replaces what lay in memory, where torch.empty, torch.Tensor(n, m) and to_empty() leave it",
    code=initialised,
    answers=("GR301",),
    unfit="Where the weights come from a file: look for the value there.",
)
