"""The models' buffers as of the last good step, for a forward pass over a bad batch spoils running statistics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from gradreach.engine.norms import local
from gradreach.remedies.guard.copies import copy_all

_SMALL = 1 << 16
"""Elements. The kernel of batch_norm writes its running statistics without counting up their version, so that buffers
smaller than this are always copied; larger ones (masks, tables) are copied where their version says so."""


class Buffers:
    """Copies of the buffers of some modules, made by `keep` and put back by `restore`."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        modules = {id(module): module for model in models for module in model.modules()}
        self._slots = [(module._buffers, name) for module in modules.values() for name in module._buffers]
        self._copies: list[_BufferCopy | None] = [None] * len(self._slots)

    @torch.no_grad()
    def keep(self) -> None:
        """Copy the buffers as they are."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for index, (buffers, name) in enumerate(self._slots):
            buffer, kept = buffers[name], self._copies[index]
            if buffer is None:
                self._copies[index] = None
            elif kept is None or kept.buffer is not buffer:
                self._copies[index] = _BufferCopy(buffer, local(buffer), local(buffer).clone(), buffer._version)
            elif kept.may_differ():
                kept.version = buffer._version
                pairs.append((kept.copy, kept.values))
        copy_all(pairs)

    @torch.no_grad()
    def restore(self) -> None:
        """Put the buffers back as they were kept."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for (buffers, name), kept in zip(self._slots, self._copies, strict=True):
            buffers[name] = None if kept is None else kept.buffer
            if kept is not None and kept.may_differ():
                pairs.append((kept.values, kept.copy))
        copy_all(pairs)
        for kept in self._copies:
            if kept is not None:
                kept.version = kept.buffer._version


@dataclass(slots=True)
class _BufferCopy:
    buffer: Tensor
    values: Tensor
    copy: Tensor
    version: int

    def may_differ(self) -> bool:
        return self.copy.numel() <= _SMALL or self.buffer._version != self.version
