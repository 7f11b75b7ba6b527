"""End the network in a linear layer."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

_BOUNDING = ("sigmoid", "softmax", "tanh", "relu", "softplus", "exp")


def _code(operation: str, module: str, behind: str = "") -> str:
    """`behind` is the layer whose output the operation works on, where that is known."""
    if operation not in _BOUNDING and not behind:
        return "self.head = nn.Linear(hidden_size, targets)  # output = self.head(state)"
    if module.rpartition(".")[2].isdecimal():
        return f"{expression(module)} = nn.Identity()  # no {operation} at the end"
    root, _, layer = behind.partition(".")
    if root and not module:
        return f"y = {root}(x)  # without the {operation} behind it"
    if layer:
        return f"y = {expression(f'self.{layer}')}(h)  # no {operation} on the output"
    return f"return x  # without the {operation}"


LINEAR_END = Advice(
    id="linear-end",
    does="a linear output reaches every target, and its slope is 1 everywhere",
    code=_code,
    answers=("GR307", "GR603"),
    unfit="Where the output must stay in its range: scale the targets into it.",
)
