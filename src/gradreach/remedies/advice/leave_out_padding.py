"""The mean of the loss over the places that hold data, without the padding."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

_LOSSES = {
    "squared error": "(output - target) ** 2",
    "absolute error": "(output - target).abs()",
    "binary cross entropy": 'F.binary_cross_entropy(output, target, reduction="none")',
    "binary cross entropy on logits": 'F.binary_cross_entropy_with_logits(output, target, reduction="none")',
}
"""The loss of each number."""


def _code(kind: str, label: int | None, elsewhere: bool) -> str:
    if label is None:
        return (
            "real = x != 0  # (batch, time), where 0 is the padding of the input; of features (x != 0).any(-1)\n"
            f"loss = ({_LOSSES[kind]})[real].mean()  # over the data alone, in place of the mean over all places"
        )
    name = "F.cross_entropy" if kind == "cross entropy" else "F.nll_loss"
    if elsewhere:
        return (
            "target = target.masked_fill((x == 0).reshape(target.shape), -100)  # where 0 is the padding of the input\n"
            f"loss = {name}(output, target)  # leaves -100 out; no ignore_index={label}, for data have that target too"
        )
    return f"loss = {name}(output, target, ignore_index={label})  # {label} is the target at the padding alone"


LEAVE_OUT_PADDING = Advice(
    id="leave-out-padding",
    does="the loss is a mean over the places that hold data",
    code=_code,
    answers=("GR708",),
    unfit="Where what is filled up is to be told from the data: let the first place after each row count.",
)
