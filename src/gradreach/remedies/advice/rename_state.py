"""Give the tensors of a checkpoint the names that the module has."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice
from gradreach.remedies.advice.spelling import expression


def _code(module: str, under: str, prefix: str, wanted: str) -> str:
    lines = [f"state = state[{under!r}]"] if under else []
    if prefix or wanted:
        rest = f"name.removeprefix({prefix!r})" if prefix else "name"
        new = f"{wanted!r} + {rest}" if wanted else rest
        lines.append(f"state = {{{new}: tensor for name, tensor in state.items()}}")
    lines.append(f"print({expression(module)}.load_state_dict(state, strict=False))  # says what is still left out")
    return "\n".join(lines)


RENAME_STATE = Advice(
    id="rename-state",
    does="gives the checkpoint the names that the module has",
    code=_code,
    answers=("GR509",),
    unfit="Where the checkpoint is of another model.",
)
