"""The axis of the batch moved before values are joined, in place of a view alone."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.remedies.advice.advice import Advice


def _code(shape_in: Sequence[int], axis_in: int, shape_out: Sequence[int], axis_out: int, batch: int) -> str:
    of_one = [size for axis, size in enumerate(shape_out) if axis != axis_out]
    value, axis, of_one_before = "h", axis_in, [size for at, size in enumerate(shape_in) if at != axis_in]
    if shape_in[axis_in] != batch:
        several = shape_in[axis_in] // batch
        value, axis, of_one_before = f"h.unflatten(0, ({several}, -1))", 1, [several, *shape_in[1:]]
    if axis:
        value += ".transpose(0, 1)" if axis == 1 else f".movedim({axis}, 0)"
    if of_one != of_one_before:
        value += f".reshape({', '.join(map(str, (-1, *of_one)))})"
    if axis_out:
        value += ".transpose(0, 1)" if axis_out == 1 else f".movedim(0, {axis_out})"
    return (
        "# the axis of the batch first, then join: view and reshape keep the order of memory, they never move an axis\n"
        f"h = {value}"
    )


BATCH_AXIS_FIRST = Advice(
    id="batch-axis-first",
    does="each row of the batch is then joined of what is its own",
    code=_code,
    answers=("GR711",),
    unfit="Where the rows are mixed on purpose.",
)
