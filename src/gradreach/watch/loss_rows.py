"""The rows of a loss: what it was computed of, at the last place where this is no single number yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.graph import maker

FEWEST_ROWS = 4
MOST_NODES = 64
"""Operations on single numbers behind a loss, within which what it was computed of is looked for."""


def rows_of(losses: Sequence[Tensor], most_axes: int = 2) -> Iterator[tuple[GradientEdge, Sequence[int]]]:
    """What the losses were computed of, where it has few axes, with its shape; the first axis has the rows."""
    pending = [(node, loss.output_nr, tuple(loss.shape)) for loss in losses if (node := maker(loss)) is not None]
    for node, output, shape in pending:  # grows while it is walked
        if len(pending) > MOST_NODES:
            return
        if prod(shape) > 1:
            if 0 < len(shape) <= most_axes and shape[0] >= FEWEST_ROWS:
                yield GradientEdge(node, output), shape
            continue
        pending += [
            (parent, at, tuple(parent._input_metadata[at].shape))
            for parent, at in node.next_functions
            if parent is not None
        ]
