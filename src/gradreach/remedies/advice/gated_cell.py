"""An LSTM in place of a plain recurrence (Hochreiter, Schmidhuber 1997)."""

from __future__ import annotations

from gradreach.record.kinds import numbered
from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.chrono_start import chrono
from gradreach.remedies.advice.spelling import expression


def _code(module: str, kind: str, root: str, steps: int) -> str:
    """An LSTM of the same sizes in the module's place, whose gates start open for up to `steps` steps.

    Its default start forgets half of its state at each step. The code around it can handle its state as before, but
    where the module is the model itself.
    """
    inside, name = module.removeprefix(root).removeprefix("."), expression(module)
    if inside:
        new = f'gr.swap({expression(root)}, "{inside}", "lstm")  # import gradreach as gr; before the optimizer is made'
    else:
        cell = "nn.LSTM" if numbered(kind) else "nn.LSTMCell"
        sizes = f"{name}.input_size, {name}.hidden_size"
        new = f"{name} = {cell}({sizes})  # and further arguments as before; its state is (h, c)"
    return f"{new}\n{chrono(module, steps)}"


GATED_CELL = Advice(
    id="gated-cell",
    does="c_t carries the gradient by a sum, not a product, once its gates start open; four times the weights",
    code=_code,
    answers=("GR101", "GR104", "GR402"),
    unfit="For cells that have gates already, and for recurrences of one's own.",
)
