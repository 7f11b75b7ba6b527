"""Make an optimizer once, before the loop."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

OF_TORCH = frozenset({
    "ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Muon", "NAdam", "RAdam", "RMSprop", "Rprop",
    "SGD", "SparseAdam",
})  # fmt: skip
"""The optimizers of `torch.optim` that may be made anew at each step."""


def _code(kind: str, roots: Sequence[str], rate: float, momentum: float) -> str:
    each = [f"{expression(root)}.parameters()" for root in roots]
    given = each[0] if len(each) == 1 else f"[{', '.join(f'*{one}' for one in each)}]"
    more = f", momentum={momentum:g}" if momentum else ""
    made = f"torch.optim.{kind}" if kind in OF_TORCH else kind
    return f"optimizer = {made}({given}, lr={rate:g}{more})  # once, before the loop; none is made at a step"


MAKE_OPTIMIZER_ONCE = Advice(
    id="make-optimizer-once",
    does="one optimizer that makes all steps keeps what it knows of earlier gradients",
    code=_code,
    answers=("GR511",),
    unfit="Where each step is meant to know nothing of those before: take SGD without momentum.",
)
