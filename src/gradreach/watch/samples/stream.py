"""Data that come in chunks, each step's going on where the one before ended: what precedes the chunk of a look."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

PRECEDING = 2
"""Chunks of a stream that are gathered before the one that is looked at."""

PATIENCE = 3
"""After so many looks in a row whose state came from no step before, streams are not followed any more."""

LONGEST_STREAM_BYTES = 4 << 20


@dataclass(frozen=True)
class Chunk:
    """Inputs (B, T, …) of one step, the state that was handed in with them, and the one that came out."""

    inputs: Tensor
    state_in: tuple[Tensor, ...] = ()
    state_out: tuple[Tensor, ...] = ()


class Stream:
    """The chunks of the steps just before, where each was handed the state that came out of the one before it."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque(maxlen=PRECEDING)
        self._step = -1
        self._missed = 0
        self._is_carried = False
        self._is_followed = False

    def lead(self) -> int:
        """How many steps before the next look are worth following."""
        return PRECEDING if self._is_carried and self._missed < PATIENCE else 0

    def follow(self, step: int, chunk: Chunk | None) -> None:
        """Take in the chunk of a step that only leads up to a look."""
        self._is_followed = True
        self._extend(step, chunk)

    def preceding(self, step: int, chunk: Chunk | None) -> list[Tensor]:
        """Take in the chunk of a look; returns the inputs of the chunks that it continues, the oldest first."""
        before = self._extend(step, chunk)
        states = () if chunk is None else chunk.state_in
        self._is_carried = any(not state.requires_grad for state in states)
        self._missed = 0 if before else self._missed + (self._is_followed and self._is_carried)
        self._is_followed = False
        return before

    def _extend(self, step: int, chunk: Chunk | None) -> list[Tensor]:
        if chunk is None or not self._continued_by(step, chunk):
            self._chunks.clear()
        before = [each.inputs for each in self._chunks]
        if chunk is not None and chunk.inputs.nbytes <= LONGEST_STREAM_BYTES:
            out = tuple(state.detach().clone() for state in chunk.state_out)
            self._chunks.append(Chunk(chunk.inputs.detach().clone(), state_out=out))
            self._step = step
        return before

    def _continued_by(self, step: int, chunk: Chunk) -> bool:
        if not self._chunks or step != self._step + 1 or self._chunks[-1].inputs.dtype != chunk.inputs.dtype:
            return False
        pairs = list(zip(self._chunks[-1].state_out, chunk.state_in, strict=False))
        return bool(pairs) and all(torch.equal(a, b) for a, b in pairs)
