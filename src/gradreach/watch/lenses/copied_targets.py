"""Whether the targets of a loss are ids that the model is given, and that the place which is asked for one reads.

A model of what comes next is trained on targets that lie one place further on, and no place may see behind itself.
Left where they are, or where a place does see the next one, it need only copy. A few looks ask, by short backward
passes over the script's own graph, which accumulate into no `.grad`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from gradreach.record.look import Look
from gradreach.record.seen.loss import CopiedTargets
from gradreach.watch.comparisons import Compared, comparisons
from gradreach.watch.graph import Graph, Node, maker, mark
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.seams import Back
from gradreach.watch.tensors import is_dense, is_dense_and_real

MOST_LOOKS = 12
FAST = 3
"""Looks for which one counts where no place reads its next id: so a model is built, and training does not change it."""

MOST_CALLS = 16
FEWEST_PLACES = 16
FEWEST_STEPS = 4

TWICE = 2
"""Places by which targets lie ahead that were shifted where the data are made and once more before the loss."""

APART = 5.0
"""How many times as much two places together read their own next ids as each other's."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The targets of a cross entropy that are the ids (B, T) of a call of an embedding, `shift` places further on.

    Place p of the `width` places of a row of the loss is asked for the id at p + shift; `is_picked` says that only some
    are, here and there in their row. Where the script has time first, the embedding is given (T, B), and the loss goes
    through all rows of one place before the next.
    """

    module: nn.Module
    ids: Tensor
    shift: int
    width: int
    has_time_first: bool
    output: Node
    embedding: Node
    back: Back
    is_picked: bool = False

    def reads(self, place: int) -> Tensor | None:
        """How much the output at a place, in the middle row, reads of the id at each place (T,); None where the output
        has another form."""
        rows, row = self.ids.shape[0], self.ids.shape[0] // 2
        shape = tuple(self.output._input_metadata[0].shape)
        only = torch.zeros(shape, dtype=self.output._input_metadata[0].dtype, device=self.ids.device)
        if len(shape) == 2 and shape[0] == rows * self.width:
            at = place * rows + row if self.has_time_first else row * self.width + place
            only[at] = torch.linspace(1.0, 2.0, shape[1])
        elif not self.has_time_first and len(shape) == 3 and (shape[0], shape[2]) == (rows, self.width):
            only[row, :, place] = torch.linspace(1.0, 2.0, shape[1])
        else:
            return None
        (gradient,) = self.back([GradientEdge(self.output, 0)], [GradientEdge(self.embedding, 0)], [only])
        if gradient is None:
            return None
        gradient = gradient.transpose(0, 1) if self.has_time_first else gradient
        if tuple(gradient.shape[:2]) != tuple(self.ids.shape):
            return None
        size: Tensor = gradient[row].flatten(1).norm(dim=1)
        return size

    def is_given(self) -> bool:
        """Whether the model sees what it is asked for: of targets that are not shifted its own id, and none behind it
        where all places are asked; of others the next id, which it reads as no place does that is asked for another."""
        if self.shift:
            return self._sees_ahead()
        if self.is_picked:
            seen = self.reads(self.width // 2)
            return seen is not None and bool(seen[self.width // 2])
        return self.is_causal() and (not self.is_flat or self.turned().is_causal())

    @property
    def is_flat(self) -> bool:
        """Whether the output is a row for each place, from which it cannot be seen which axis is that of time."""
        return len(self.output._input_metadata[0].shape) == 2

    def turned(self) -> _Asked:
        """The same targets, not shifted, with the other axis for that of time."""
        width, turned = self.ids.shape[0], not self.has_time_first
        return replace(self, ids=self.ids.t(), width=width, has_time_first=turned)

    def along_time(self) -> _Asked:
        """The same with the axis for that of time along which a place reads others, where that can be told."""
        seen = self.reads(self.width // 2) if not self.shift and self.is_flat else None
        return self if seen is None or int(seen.count_nonzero()) > 1 else self.turned()

    def reads_next(self) -> bool:
        """Whether a place reads its next id at all."""
        place = self.width // 3
        seen = self.reads(place)
        return seen is not None and bool(seen[place + 1])

    def is_causal(self) -> bool:
        """Whether a place in the middle reads its own id, and none behind it."""
        place = self.width // 2
        seen = self.reads(place)
        return seen is not None and bool(seen[place]) and not bool(seen[place + 1 :].any())

    def _sees_ahead(self) -> bool:
        """Whether each of two places reads its next id far more than the other one does, and its own id as one of the
        two that it reads most: what comes through a code for the whole sequence has no places."""
        one, other = self.width // 3, 2 * self.width // 3
        of_one, of_other = self.reads(one), self.reads(other)
        if of_one is None or of_other is None or not bool(of_one[one + 1]) or not bool(of_other[other + 1]):
            return False
        if one not in of_one.topk(2).indices or other not in of_other.topk(2).indices:
            return False
        own = of_one[one + 1].log() + of_other[other + 1].log()
        return bool(own - of_one[other + 1].log() - of_other[one + 1].log() >= math.log(APART))


class CopiedTargetsOfLoss(Lens):
    """Keeps the ids that embeddings are given, and holds them against the targets of a cross entropy."""

    asks_the_loss = True

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
        """Compare, and where targets are ids ask what places read."""
        calls, self._calls = self._calls, []
        if not calls or not self.step.may_pass_again(backward):
            return
        nodes, sees_ahead = _marked(backward.graph, self._mark), False
        shifts: dict[int, _Asked] = {}
        for compared in comparisons(backward.losses, lambda _: None):
            asked = {
                number: each
                for number, node in nodes.items()
                if (each := _asked(compared, *calls[number], node, backward.back))
            }
            shifts |= {each.shift: each for each in asked.values()}
            asked = {number: each for number, each in asked.items() if each.shift < TWICE}
            able = {number: each for number, each in asked.items() if each.shift == 0 or each.reads_next()}
            sees_ahead = sees_ahead or any(each.shift for each in able.values())
            given = {number: each for number, each in able.items() if each.is_given()}
            for number, each in given.items():
                others = (other for at, other in asked.items() if at != number and other.shift)
                if not each.shift or not any(other.is_causal() for other in others):
                    self._found = self._copied(each)
        if list(shifts) == [TWICE]:
            self._found = self._copied(shifts[TWICE])
        asked_before = self.step.carried.get(CopiedTargetsOfLoss, 0)
        self.step.carried[CopiedTargetsOfLoss] = asked_before + (1 if sees_ahead else FAST)

    def look(self, look: Look) -> Look:
        """The look's `copied_targets`."""
        return replace(look, copied_targets=self._found)

    def _copied(self, asked: _Asked) -> CopiedTargets:
        asked, path = asked.along_time(), self.step.models.path(asked.module)
        return CopiedTargets(
            path, asked.ids.shape[1], asked.ids.numel(), ahead=asked.shift, picked=asked.is_picked and not asked.shift
        )


def _marked(graph: Graph, key: object) -> dict[int, Node]:
    """Of each call that the loss came through its node."""
    return {node.metadata[key]: node for node in graph.nodes if key in node.metadata}


def _asked(compared: Compared, module: nn.Module, ids: Tensor, embedding: Node, back: Back) -> _Asked | None:
    """How the targets of a cross entropy are these ids, where they are: in their places, or one or two further on, with
    the last place left out of the loss or asked for what comes after; None of others, and of ids that are all alike."""
    target = compared.target
    if compared.kind != "cross entropy" or target is None or target.dtype != torch.int64 or not is_dense(target):
        return None
    if ids.numel() < FEWEST_PLACES or bool((ids == ids[0, 0]).all()):
        return None
    if len(compared.path[0]._input_metadata) > 1:  # which of them was compared is not known
        return None
    ignored = -100 if compared.ignored is None else compared.ignored
    for has_time_first in (False, True):
        told = ids.t() if has_time_first else ids
        if (found := _shifted(target, told.to(target.dtype), ignored, has_time_first)) is not None:
            is_picked = target.numel() == ids.numel() and _is_picked(
                target.reshape(ids.shape) != ignored, has_time_first
            )
            return _Asked(module, told, *found, has_time_first, compared.path[0], embedding, back, is_picked)
    return None


def _is_picked(asked: Tensor, has_time_first: bool) -> bool:
    """Whether the places asked (B, T), or (T, B), make several runs of most rows: where rows are only filled up, or
    told from somewhere on, they make one."""
    asked = asked.t() if has_time_first else asked
    runs = asked[:, :1].sum(1) + (asked[:, 1:] & ~asked[:, :-1]).sum(1)
    return bool((runs >= 2).double().mean() >= 0.5)


def _shifted(target: Tensor, ids: Tensor, ignored: int, has_time_first: bool) -> tuple[int, int] | None:
    """By how many places the targets lie ahead of the ids (B, T), and how many places of a row they are."""
    rows, steps = ids.shape
    widths = ((0, steps), (1, steps), (1, steps - 1), (TWICE, steps), (TWICE, steps - 1), (TWICE, steps - 2))
    for shift, width in widths:
        if steps >= FEWEST_STEPS and target.numel() == rows * width:
            known = min(width, steps - shift)
            asked = target.reshape(width, rows).t() if has_time_first else target.reshape(rows, width)
            if _agree(asked[:, :known], ids[:, shift : shift + known], ignored):
                return shift, width
    return None


def _agree(targets: Tensor, ids: Tensor, ignored: int) -> bool:
    """Whether targets are ids wherever the loss asks for them, at enough places."""
    counts = targets != ignored
    return int(counts.sum()) >= FEWEST_PLACES // 2 and bool((targets == ids)[counts].all())
