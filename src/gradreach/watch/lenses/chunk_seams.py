"""Whether the chunk that a recurrent layer is given goes on where that of the step before ended, and from which state.

Data tell this by themselves where the targets are the inputs one place further on, as in a model of what comes next:
the last target of a chunk is then the first input of the one that continues it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.recurrence import ChunkSeam
from gradreach.watch.comparisons import comparisons
from gradreach.watch.graph import maker
from gradreach.watch.lens import BackwardPass, Lens, ModuleCall, WatchedStep
from gradreach.watch.tensors import is_dense, is_dense_and_real, tensors_of

MOST_SEAMS = 6
"""So many chunks are held against those before them, early in a run; the steps before are followed for it."""

MOST_NUMBERS = 1 << 16
"""A larger chunk is left alone."""

FEWEST_ROWS = 4
"""Rows of which one place is enough to tell that they are inputs one place further on."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What one step gave a recurrent layer: data (B, T, …), the last targets (B, …), the states at both ends.

    `is_shifted` says that within the chunk the targets are the inputs one place further on.
    """

    step: int
    layer: nn.RNNBase
    data: Tensor
    ends: Tensor
    is_shifted: bool
    given: tuple[Tensor, ...]
    left: tuple[Tensor, ...]

    def goes_on_in(self, after: _Chunk) -> int | None:
        """How many rows of the next chunk begin with the last targets of this one; None where it cannot be told."""
        firsts = after.data[:, 0]
        if after.step != self.step + 1 or self.ends.shape != firsts.shape or self.ends.dtype != firsts.dtype:
            return None
        if self.data.shape == after.data.shape and torch.equal(self.data, after.data):
            return None
        if bool((after.data == after.data[:1, :1]).all()) and len(after.data) > 1:
            return None  # numbers all alike go on everywhere
        rows = int((self.ends == firsts).reshape(len(self.ends), -1).all(1).sum())
        is_known = self.is_shifted or (rows == len(self.ends) and rows >= FEWEST_ROWS)
        return rows if is_known else None

    def chance(self) -> float:
        """The probability that two places of the chunk drawn at random hold the same."""
        places = self.data.flatten(0, 1)
        shares = torch.unique(places, dim=0, return_counts=True)[1].double() / len(places)
        return float(shares.square().sum())


@dataclass(slots=True)
class _Memory:
    """The chunk of the last step that was followed, and how many seams were seen."""

    last: _Chunk | None = None
    seams: int = 0


class ChunkSeams(Lens):
    """Holds the data of a step, and the state of its recurrent layer, against those of the step before."""

    follows_streams = True
    asks_the_loss = True

    def __init__(self, step: WatchedStep) -> None:
        super().__init__(step)
        self._memory: _Memory = step.carried.setdefault(ChunkSeams, _Memory())
        self._ids: Tensor | None = None
        self._layers: list[ModuleCall] = []
        self._seam: ChunkSeam | None = None

    def called(self, call: ModuleCall) -> None:
        """Keep what an embedding of sequences, and a recurrent layer, were given."""
        if self._memory.seams >= MOST_SEAMS or not call.of_model or not call.args:
            return
        x = call.args[0]
        if isinstance(call.module, nn.Embedding) and isinstance(x, Tensor) and x.dim() == 2 and is_dense(x):
            self._ids = x.detach() if self._ids is None else self._ids
        elif (
            isinstance(call.module, nn.RNNBase)
            and not call.module.bidirectional
            and isinstance(x, Tensor)
            and x.dim() == 3
        ):
            self._layers.append(call)

    def leads(self, losses: Sequence[Tensor]) -> None:
        """Remember the chunk of a step that leads up to a look."""
        self._meet(losses)

    def before_backward(self, backward: BackwardPass) -> None:
        """Hold the chunk of a look against the one before, and remember it."""
        before = self._memory.last
        chunk = self._meet(backward.losses)
        if chunk is None:
            return
        self.step.lead = 1
        rows = None if before is None else before.goes_on_in(chunk)
        state = None if before is None else _state(before, chunk)
        if rows is not None and state is not None:
            self._memory.seams += 1
            module, (B, T) = self.step.models.path(chunk.layer), chunk.data.shape[:2]
            self._seam = ChunkSeam(module, type(chunk.layer).__name__, T, B, rows, chunk.chance(), state)

    def look(self, look: Look) -> Look:
        """The look's `chunk_seam`."""
        return replace(look, chunk_seam=self._seam)

    def _meet(self, losses: Sequence[Tensor]) -> _Chunk | None:
        layers, self._layers = self._layers, []
        is_asked = len(layers) == 1 and self._memory.seams < MOST_SEAMS
        self._memory.last = _chunk(self.step.number, layers[0], self._ids, losses) if is_asked else None
        return self._memory.last


@torch.no_grad()
def _chunk(step: int, call: ModuleCall, ids: Tensor | None, losses: Sequence[Tensor]) -> _Chunk | None:
    assert isinstance(call.module, nn.RNNBase)
    x = call.args[0]
    data = ids if ids is not None else x.detach() if maker(x) is None and is_dense_and_real(x) else None
    if data is None or data.numel() > MOST_NUMBERS or tuple(data.shape[:2]) != tuple(x.shape[:2]):
        return None
    data = data if call.module.batch_first else data.transpose(0, 1)
    given, left = _states(call.args[1:2] or call.kwargs.get("hx")), _states(call.output[1])
    for compared in comparisons(losses, lambda _: None):
        target = compared.target
        if target is not None and target.dtype == data.dtype and target.numel() == data.numel() and is_dense(target):
            for targets in (target.reshape(data.shape), _by_time(target, data)):
                if torch.equal(targets[:, :-1], data[:, 1:]):
                    shifted = data.shape[1] > 1
                    return _Chunk(step, call.module, data.clone(), targets[:, -1].clone(), shifted, given, left)
    return None


def _by_time(target: Tensor, data: Tensor) -> Tensor:
    """Targets (B, T, …) of a loss that runs over the steps first."""
    return target.reshape(data.shape[1], data.shape[0], *data.shape[2:]).transpose(0, 1)


def _states(tree: object) -> tuple[Tensor, ...]:
    return tuple(tensor.detach().clone() for tensor in tensors_of(tree))


def _state(before: _Chunk, after: _Chunk) -> Literal["carried", "anew"] | None:
    """Whether a chunk begins from the state that the one before left, or from none; None of any other state."""
    if all(not bool(each.any()) for each in after.given):
        return "anew"
    pairs = zip(before.left, after.given, strict=False)
    is_carried = len(before.left) == len(after.given) and all(torch.equal(a, b) for a, b in pairs)
    return "carried" if is_carried else None
