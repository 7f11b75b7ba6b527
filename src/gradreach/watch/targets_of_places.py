"""Whether a loss has a target at each place of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from gradreach.record.seen.loss import LossLook

_OF_CLASSES = ("cross entropy", "cross entropy on probabilities", "negative log-likelihood")


def asks_each_place(losses: Sequence[LossLook], rows: Iterable[int], steps: int, given: Sequence[Tensor]) -> bool:
    """Whether a loss has one for each of so many steps, or all but one, of each row; there are as many `rows` as one of
    these numbers says, or as a sequence of so many steps has that the model is given."""
    sizes = (x.shape[:2] for x in given if x.dim() > 1 and steps in x.shape[:2])
    counts = {*rows, *(size[1] if size[0] == steps else size[0] for size in sizes)}
    targets = [shape for seen in losses for shape in _shapes(seen)]
    return any(_has_each(shape, count, at) for shape in targets for count in counts for at in (steps, steps - 1))


def _has_each(shape: tuple[int, ...], rows: int, steps: int) -> bool:
    """Whether targets of this shape are one, or several, for each step of each row."""
    sizes = tuple(size for size in shape if size > 1)
    return sizes[:1] == (rows * steps,) or sizes[:2] in ((rows, steps), (steps, rows))


def _shapes(seen: LossLook) -> tuple[tuple[int, ...], ...]:
    """The shape of a comparison, without its classes, which stand at the second axis or at the last."""
    return (seen.shape,) if seen.kind not in _OF_CLASSES else (seen.shape[:1] + seen.shape[2:], seen.shape[:-1])
