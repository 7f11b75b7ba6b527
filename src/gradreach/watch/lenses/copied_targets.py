"""Whether the targets of a loss are the very ids that the model is given, at places that see nothing behind them.

A model of what comes next is trained on targets that lie one place further on. Left where they are, it need only copy.
The first few looks ask, by one short backward pass over the script's own graph, which accumulates into no `.grad`.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import CopiedTargets
from gradreach.watch.comparisons import Compared, comparisons
from gradreach.watch.graph import Graph, Node, maker, mark
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_LOOKS = 4
MOST_CALLS = 16
FEWEST_PLACES = 16
FEWEST_STEPS = 4


class CopiedTargetsOfLoss(Lens):
    """Keeps the ids that embeddings are given, and holds them against the targets of a cross entropy."""

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._calls: list[tuple[nn.Module, Tensor]] = []
        self._mark = object()
        self._is_asked = step.carried.get(CopiedTargetsOfLoss, 0) < MOST_LOOKS
        self._found: CopiedTargets | None = None

    def called(self, call: ModuleCall) -> None:
        """Take in one call of an embedding of sequences."""
        if not self._is_asked or not call.of_model or not isinstance(call.module, nn.Embedding) or not call.args:
            return
        ids, y = call.args[0], call.output
        if not isinstance(ids, Tensor) or not isinstance(y, Tensor) or ids.dim() != 2 or not is_dense(ids):
            return
        node = maker(y)
        if node is not None and is_dense_and_real(y) and len(self._calls) < MOST_CALLS:
            mark(node, self._mark, len(self._calls))
            self._calls.append((call.module, ids.detach()))

    def before_backward(self, backward: BackwardPass) -> None:
        """Compare, and where they are the same ask what one place in the middle reads."""
        calls, self._calls = self._calls, []
        if not calls or not self.step.may_pass_again(backward.graph):
            return
        self.step.carried[CopiedTargetsOfLoss] = self.step.carried.get(CopiedTargetsOfLoss, 0) + 1
        nodes = _marked(backward.graph, self._mark)
        for compared in comparisons(backward.losses, lambda _: None):
            for number, node in nodes.items():
                module, ids = calls[number]
                if _are_the_same(compared, ids) and _sees_nothing_behind(compared, ids, node):
                    self._found = CopiedTargets(self.step.models.path(module), ids.shape[1], ids.numel())

    def look(self, look: Look) -> Look:
        """The look's `copied_targets`."""
        return replace(look, copied_targets=self._found)


def _marked(graph: Graph, key: object) -> dict[int, Node]:
    """Of each call that the loss came through its node."""
    return {node.metadata[key]: node for node in graph.nodes if key in node.metadata}


def _are_the_same(compared: Compared, ids: Tensor) -> bool:
    """Whether the targets are these ids, one after the other, and not all alike."""
    target = compared.target
    if compared.kind != "cross entropy" or target is None or target.dtype != torch.int64 or not is_dense(target):
        return False
    if target.numel() != ids.numel() or ids.numel() < FEWEST_PLACES or ids.shape[1] < FEWEST_STEPS:
        return False
    return torch.equal(target.reshape(-1), ids.reshape(-1).to(target.dtype)) and bool((ids != ids[0, 0]).any())


def _sees_nothing_behind(compared: Compared, ids: Tensor, embedding: Node) -> bool:
    """Whether a place in the middle of a row in the middle reads its own id, and none behind it."""
    row, place = ids.shape[0] // 2, ids.shape[1] // 2
    shape = tuple(compared.path[0]._input_metadata[0].shape)
    only = torch.zeros(shape, dtype=compared.path[0]._input_metadata[0].dtype, device=ids.device)
    if shape[0] == ids.numel() and len(shape) == 2:
        only[row * ids.shape[1] + place] = torch.linspace(1.0, 2.0, shape[1])
    elif len(shape) == 3 and (shape[0], shape[2]) == tuple(ids.shape):
        only[row, :, place] = torch.linspace(1.0, 2.0, shape[1])
    else:
        return False
    start, end = GradientEdge(compared.path[0], 0), GradientEdge(embedding, 0)
    (gradient,) = torch.autograd.grad([start], [end], [only], retain_graph=True, allow_unused=True)
    if gradient is None or tuple(gradient.shape[:2]) != tuple(ids.shape):
        return False
    read = gradient[row].ne(0).any(-1)
    return bool(read[place]) and not bool(read[place + 1 :].any())
