"""An LSTM in place of a plain recurrence (Hochreiter, Schmidhuber 1997)."""

from __future__ import annotations

from gradreach.record.kinds import numbered
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str, root: str) -> str:
    """An LSTM of the same sizes in the module's place, whose state the code around it can handle as before."""
    inside = module.removeprefix(root).removeprefix(".")
    if inside:
        return (
            f'gr.swap({expression(root)}, "{inside}", "lstm")  # import gradreach as gr; before the optimizer is made'
        )
    name, cell = expression(module), "nn.LSTM" if numbered(kind) else "nn.LSTMCell"
    sizes = f"{name}.input_size, {name}.hidden_size"
    return f"{name} = {cell}({sizes})  # and further arguments as before; its state is (h, c)"


GATED_CELL = Advice(
    id="gated-cell",
    does="c_t carries the gradient by a sum, not a product; four times the weights",
    code=_code,
    answers=("GR101", "GR104", "GR402"),
    unfit="For cells that have gates already, and for recurrences of one's own.",
)
