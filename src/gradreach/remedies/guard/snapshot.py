"""Copies of a run in the host's memory: one that has proved good, to go back to, and one on trial."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from gradreach.engine.norms import local
from gradreach.remedies.guard.copies import TreeCopy, copied, equal_or_both_nan
from gradreach.remedies.guard.run_state import RunState, Tree
from gradreach.remedies.guard.verdict import GuardState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The run as it was once: a copy in the host's memory, and the guard's own state then."""

    copy: TreeCopy
    state: GuardState

    @property
    def tree(self) -> Tree:
        """The run's tree, as `RunState.read` returned it."""
        tree: Tree = self.copy.tree
        return tree

    @property
    def step(self) -> int:
        """After how many steps it was taken."""
        return self.state.step


class Snapshots:
    """A good snapshot and one on trial; it becomes the good one after min(every, 20) more good steps."""

    def __init__(self, run: RunState, every: int) -> None:
        self._run = run
        self._every = every
        self._proof = min(every, 20)
        self._since = 0
        self._spare: TreeCopy | None = None
        self._on_trial: Snapshot | None = None
        self.good: Snapshot | None = None

    @property
    def due(self) -> bool:
        """Whether enough good steps have been taken since the last snapshot."""
        return self._since >= self._every

    def take(self, state: GuardState, proved: bool = False) -> None:
        """Copy the run as it stands."""
        self._since = 0
        if self._on_trial is not None:
            self._spare = self._on_trial.copy
        snapshot = Snapshot(copied(self._run.read(), self._spare), state)
        self._spare, self._on_trial = None, None if proved else snapshot
        if proved:
            self._prove(snapshot)

    def adopt(self, snapshot: Snapshot) -> None:
        """Take over, as the good one, a snapshot that the run has just been set to."""
        self._on_trial, self._since = None, 0
        self._prove(snapshot)

    def count(self) -> bool:
        """Count one more good step, and say whether it has proved the snapshot on trial."""
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
            self._spare, self._on_trial = self._on_trial.copy, None
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
        return not all(equal_or_both_nan(local(now), was.to(now.device)) for now, was in pairs)

    def _prove(self, snapshot: Snapshot) -> None:
        if self.good is not None and self.good is not snapshot:
            self._spare = self.good.copy
        self.good = snapshot
