"""Whether the targets of a loss go through batch and time in the order in which its outputs do.

A few looks ask single rows of the output, by short backward passes over the script's own graph which accumulate into no
`.grad`, which place of the ids they read; and count how well the ids there fit the targets as they stand, and laid out
along the other axis first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import TargetOrder
from gradreach.watch.comparisons import Compared, comparisons
from gradreach.watch.fit_of_classes import fit
from gradreach.watch.graph import Node, maker, mark
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.seams import Back
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_LOOKS = 6
MOST_CALLS = 16
MOST_ROWS = 3
FEWEST_PLACES = 32
FEWEST_LINES = 4
"""Rows and columns of the ids, of which fewer can be moved only among a few others."""

MOST_NUMBERS = 1 << 26
"""Numbers in what a pass begins from, for the memory that it takes: of more nothing is asked."""


@dataclass(frozen=True, slots=True)
class _RowPerPlace:
    """A loss with a row for each place of the ids (F, S) that an embedding was given; `counts` are the rows whose
    target is not ignored."""

    ids: Tensor
    target: Tensor
    counts: Tensor
    output: Node
    embedding: Node
    back: Back

    def is_along_ids(self) -> bool | None:
        """Whether row r of the loss is that of the place (r // S, r % S) of the ids; False where it is that of
        (r % F, r // F), None where what single rows read shows neither."""
        rows, columns = self.ids.shape
        every = torch.arange(self.ids.numel(), device="cpu")
        along, across = (every // columns, every % columns), (every % rows, every // rows)
        apart = self.counts.cpu() & (along[0] != across[0]) & (along[1] != across[1])
        asked = apart.nonzero().flatten().tolist()
        reads = [(row, self._reads(row)) for row in asked[:: len(asked) // MOST_ROWS + 1]]
        ways = [all(_is_own(read, way[0][row], way[1][row]) for row, read in reads) for way in (along, across)]
        return ways[0] if len(reads) > 1 and ways[0] != ways[1] else None

    def _reads(self, row: int) -> Tensor | None:
        """Which places (F, S) one row of the loss reads; None where the embedding has another form."""
        metadata = self.output._input_metadata[0]
        only = torch.zeros(tuple(metadata.shape), dtype=metadata.dtype, device=metadata.device)
        only[row] = torch.linspace(1.0, 2.0, only.shape[1])
        (gradient,) = self.back([GradientEdge(self.output, 0)], [GradientEdge(self.embedding, 0)], [only])
        if gradient is None or gradient.shape[:2] != self.ids.shape:
            return None
        read: Tensor = gradient.ne(0).flatten(2).any(2).cpu()
        return read


class TargetOrderOfLoss(Lens):
    """Keeps the ids that embeddings are given, and holds the order of a cross entropy's rows and targets against it."""

    asks_the_loss = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._calls: list[tuple[nn.Module, Tensor]] = []
        self._mark = object()
        self._is_asked = step.carried.get(TargetOrderOfLoss, 0) < MOST_LOOKS
        self._found: tuple[TargetOrder, ...] = ()

    def called(self, call: ModuleCall) -> None:
        """Take in one call of an embedding of sequences."""
        if not self._is_asked or not call.of_model or not isinstance(call.module, nn.Embedding) or not call.args:
            return
        ids, y = call.args[0], call.output
        if not isinstance(ids, Tensor) or not isinstance(y, Tensor) or ids.dim() != 2 or not is_dense(ids):
            return
        node = maker(y)
        if (
            node is not None
            and is_dense_and_real(y)
            and min(ids.shape) >= FEWEST_LINES
            and len(self._calls) < MOST_CALLS
        ):
            mark(node, self._mark, len(self._calls))
            self._calls.append((call.module, ids.detach()))

    def before_backward(self, backward: BackwardPass) -> None:
        """Compare, where a further pass is seen by nobody but us."""
        calls, self._calls = self._calls, []
        if not calls or not self.step.may_pass_again(backward):
            return
        nodes = [
            (*calls[node.metadata[self._mark]], node) for node in backward.graph.nodes if self._mark in node.metadata
        ]
        found = [
            order
            for compared in comparisons(backward.losses, lambda _: None)
            for module, ids, embedding in nodes
            if (asked := _row_per_place(compared, ids, embedding, backward.back)) is not None
            and (order := self._order(asked, module)) is not None
        ]
        self._found = tuple(found)
        self.step.carried[TargetOrderOfLoss] = self.step.carried.get(TargetOrderOfLoss, 0) + 1

    def look(self, look: Look) -> Look:
        """The look's `target_orders`."""
        return replace(look, target_orders=self._found)

    def _order(self, asked: _RowPerPlace, module: nn.Module) -> TargetOrder | None:
        """How the targets fit in both orders; None where the rows tell no order."""
        is_along, (rows, columns) = asked.is_along_ids(), asked.ids.shape
        if is_along is None:
            return None
        along, across = (
            fit(asked.ids, *(table.reshape(rows, columns) for table in (asked.target, asked.counts))),
            fit(asked.ids, *(table.reshape(columns, rows).t() for table in (asked.target, asked.counts))),
        )
        given, turned = (along, across) if is_along else (across, along)
        return TargetOrder(self.step.models.path(module), (rows, columns), is_along, given, turned)


def _row_per_place(compared: Compared, ids: Tensor, embedding: Node, back: Back) -> _RowPerPlace | None:
    """A cross entropy with as many rows as there are ids, and whole numbers for targets."""
    target, places = compared.target, ids.numel()
    if compared.kind != "cross entropy" or target is None or target.dtype != torch.int64 or not is_dense(target):
        return None
    output = compared.path[0]
    if len(output._input_metadata) > 1:  # which of them was compared is not known
        return None
    shape = tuple(output._input_metadata[0].shape)
    if tuple(target.shape) != (places,) or len(shape) != 2 or shape[0] != places or places * shape[1] > MOST_NUMBERS:
        return None
    counts = target != (-100 if compared.ignored is None else compared.ignored)
    return _RowPerPlace(ids, target, counts, output, embedding, back) if int(counts.sum()) >= FEWEST_PLACES else None


def _is_own(read: Tensor | None, row: Tensor, column: Tensor) -> bool:
    """Whether a place is read, and none that lies neither in its row nor in its column."""
    if read is None or not bool(read[row, column]):
        return False
    return int(read.sum()) in (int(read[row].sum()), int(read[:, column].sum()))
