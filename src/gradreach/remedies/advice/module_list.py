"""Keep parts of a model where torch finds them."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression

_KINDS = {(False, False): "ModuleList", (False, True): "ParameterList", (True, False): "ModuleDict"}


def _code(root: str, container: str, *, by_key: bool, bare: bool) -> str:
    kind = _KINDS.get((by_key, bare), "ParameterDict")
    held = f"{expression(container)}"
    return (
        f"{held} = torch.nn.{kind}({held})  # where the model is made\n"
        f"optimizer = type(optimizer)({expression(root)}.parameters(), lr=1e-3)  # after it"
    )


MODULE_LIST = Advice(
    id="module-list",
    does="parameters(), state_dict() and to() then hold the part, and an optimizer made of them moves it",
    code=_code,
    answers=("GR505",),
    unfit="Where the part is meant to stay as it is: freeze it.",
)
