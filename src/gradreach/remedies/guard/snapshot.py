"""Copies of a run in the host's memory: a proved one to go back to, one on trial, and the buffers of the last step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gradreach.engine.norms import local
from gradreach.remedies.guard.run_state import RunState, Tree, copied, copy_all, same


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run as it was after `step` steps: the tree in the host's memory, and the guard's own state then."""

    step: int
    tree: Tree
    state: Any


class Snapshots:
    """Two slots. A snapshot is taken every `every` good steps, on trial until `proof` more have been good."""

    def __init__(self, run: RunState, every: int) -> None:
        self._run = run
        self._every = every
        self._proof = min(every, 20)
        self._since = 0
        self._spare: Tree | None = None
        self._on_trial: Snapshot | None = None
        self.good: Snapshot | None = None

    @property
    def due(self) -> bool:
        """Whether enough good steps have been taken since the last snapshot."""
        return self._since >= self._every

    def take(self, step: int, state: Any, proved: bool = False) -> None:
        """Copy the run as it stands."""
        self._since = 0
        if self._on_trial is not None:
            self._spare = self._on_trial.tree
        snapshot = Snapshot(step, copied(self._run.read(), self._spare), state)
        self._spare = self._on_trial = None
        if proved:
            self._prove(snapshot)
        else:
            self._on_trial = snapshot

    def adopt(self, snapshot: Snapshot) -> None:
        """Make a snapshot that the run has just been set to the good one."""
        self._on_trial, self._since = None, 0
        self._prove(snapshot)

    def count(self) -> bool:
        """One more good step; True where it proves the snapshot on trial."""
        self._since += 1
        if self._on_trial is None or self._since < self._proof:
            return False
        self._prove(self._on_trial)
        self._on_trial = None
        return True

    def go_back(self, generators: bool) -> Snapshot:
        """Set the run to the good snapshot again."""
        assert self.good is not None
        if self._on_trial is not None:
            self._spare, self._on_trial = self._on_trial.tree, None
        self._since = 0
        self._run.write(self.good.tree, generators)
        return self.good

    def fit(self) -> bool:
        """Whether the run has the parameters that the good snapshot has."""
        if self.good is None:
            return True
        then = self.good.tree
        if len(self._run.loose()) != len(then["loose"]):
            return False
        return all(
            isinstance(was := then["models"][name].get(at), Tensor) and was.shape == local(p).shape
            for name, model in self._run.models.items()
            for at, p in model.named_parameters()
        )

    @torch.no_grad()
    def changed(self) -> bool:
        """Whether a weight differs from the good snapshot's."""
        if self.good is None:
            return False
        then = self.good.tree
        pairs = list(zip(self._run.loose(), then["loose"], strict=True))
        for name, model in self._run.models.items():
            pairs += [(p, then["models"][name][at]) for at, p in model.named_parameters()]
        return not all(same(local(now), was.to(now.device)) for now, was in pairs)

    def _prove(self, snapshot: Snapshot) -> None:
        if self.good is not None and self.good is not snapshot:
            self._spare = self.good.tree
        self.good = snapshot


_SMALL = 1 << 16
"""Elements. batch_norm's kernel writes its running statistics without counting up their version, so smaller buffers are
copied always; larger ones (masks, tables) where their version says so."""


class Buffers:
    """The models' buffers as of the last good step, for a forward pass over a bad batch spoils running statistics."""

    def __init__(self, models: Sequence[nn.Module]) -> None:
        modules = {id(module): module for model in models for module in model.modules()}
        self._places = [(module._buffers, name) for module in modules.values() for name in module._buffers]
        self._kept: list[_Kept | None] = [None] * len(self._places)

    @torch.no_grad()
    def keep(self) -> None:
        """Copy them as they are."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for index, (buffers, name) in enumerate(self._places):
            buffer, kept = buffers[name], self._kept[index]
            if buffer is None:
                self._kept[index] = None
            elif kept is None or kept.buffer is not buffer:
                self._kept[index] = _Kept(buffer, local(buffer), local(buffer).clone(), buffer._version)
            elif kept.may_differ():
                kept.version = buffer._version
                pairs.append((kept.copy, kept.values))
        copy_all(pairs)

    @torch.no_grad()
    def restore(self) -> None:
        """Put them back as they were kept."""
        pairs: list[tuple[Tensor, Tensor]] = []
        for (buffers, name), kept in zip(self._places, self._kept, strict=True):
            buffers[name] = None if kept is None else kept.buffer
            if kept is not None and kept.may_differ():
                pairs.append((kept.values, kept.copy))
        copy_all(pairs)
        for kept in self._kept:
            if kept is not None:
                kept.version = kept.buffer._version


@dataclass(slots=True)
class _Kept:
    buffer: Tensor
    values: Tensor
    copy: Tensor
    version: int

    def may_differ(self) -> bool:
        return self.copy.numel() <= _SMALL or self.buffer._version != self.version
