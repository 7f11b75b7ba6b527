"""A code of places that counts along the axis of time."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice


def _code(axis: int, table: str, *, looks_up: bool, is_added: bool) -> str:
    time, name = 1 - axis, table.rpartition(".")[2] or "pe"
    count = f"# count the places of time, axis {time}, and not the rows of the batch, axis {axis}\n"
    if looks_up:
        at, shape = ("", "(time,)") if time else ("[:, None]", "(time, 1)")
        positions = f"torch.arange(x.size({time}), device=x.device){at}"
        return f"{count}positions = {positions}  # {shape}: their codes are the same for all rows"
    code = f"self.{name}[: x.size({time})].reshape({'1, -1' if time else '-1, 1'}, self.{name}.size(-1))"
    return f"{count}x = x + {code}" if is_added else f"{count}code = {code}.expand(*x.shape[:2], -1)"


COUNT_PLACES = Advice(
    id="count-places",
    does="each place of a sequence then has a code of its own, and all rows of the batch the same",
    code=_code,
    answers=("GR713",),
    unfit="Where the axis that is counted is time, and each moment has a set of things without an order.",
)
