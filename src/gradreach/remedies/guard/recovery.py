"""How the run is remembered, in memory and on disk, and set back to what it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch.utils._pytree import tree_flatten

from gradreach.remedies.guard.arguments import check_plain
from gradreach.remedies.guard.buffers import Buffers
from gradreach.remedies.guard.checkpoint import Checkpoints
from gradreach.remedies.guard.copies import TreeCopy
from gradreach.remedies.guard.events import EventLog
from gradreach.remedies.guard.learning_rate import lower_learning_rate
from gradreach.remedies.guard.mismatch import mismatch
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots
from gradreach.remedies.guard.ranks import Ranks
from gradreach.remedies.guard.run_state import RunState
from gradreach.remedies.guard.snapshot import Snapshot, Snapshots
from gradreach.remedies.guard.starting_point import StartingPoint
from gradreach.remedies.guard.verdict import GuardState, after_new_snapshot, after_rollback, state_from


class Recovery:
    """Takes snapshots of a run, writes the good ones to a folder, and sets the run back. Call `begin` first.

    What happens to the guard's state on the way is returned; the state itself is the guard's.
    """

    start: StartingPoint
    buffers: Buffers

    def __init__(
        self, run: RunState, ranks: Ranks, policy: GuardPolicy, options: GuardSnapshots, events: EventLog
    ) -> None:
        self._run, self._ranks, self._policy, self._events = run, ranks, policy, events
        self._checkpoints: Checkpoints | None = None
        if options.folder is not None:
            self._checkpoints = Checkpoints(Path(options.folder), ranks.rank, ranks.count)
            check_plain(run)
        self._writable = True
        self.snapshots = Snapshots(run, options.every)

    def begin(self, state: GuardState) -> GuardState:
        """Make the run as it stands the good snapshot."""
        state = after_new_snapshot(state)
        self.buffers = Buffers(list(self._run.models.values()))
        self.buffers.keep()
        self.snapshots.take(state, proved=True)
        self.start = StartingPoint.of(self._run)
        return state

    def refuse_used_folder(self) -> None:
        """Raise ValueError where a new run would mix its snapshots with those of an old one."""
        if (newest := self._newest()) is not None:
            raise ValueError(f"folder: holds a snapshot, {newest}; call guard.resume() first, or give an empty folder")

    def fits(self) -> bool:
        """Whether the run has the good snapshot's parameters, on every rank."""
        return not self._ranks.any(not self.snapshots.fit())

    def changed(self) -> bool:
        """Whether a weight differs from the good snapshot's, on any rank."""
        return self._ranks.any(self.snapshots.changed())

    def spoilt(self) -> str | None:
        """Why the weights are to be called spoilt, and None where they are not; all ranks must call it."""
        names = [name for name in self._run.not_finite() if name not in self.start.not_finite]
        if not self._ranks.any(bool(names)):
            return None
        return f"{names[0] if names else 'on another rank, a parameter'} holds values that are not finite"

    def count_good(self, state: GuardState) -> GuardState:
        """Count a good step, and write the snapshot that it proves."""
        if not self.snapshots.count():
            return state
        state = after_new_snapshot(state)
        self._write(state)
        return state

    def go_back(self, state: GuardState, why: str = "") -> GuardState:
        """Set the run to its good snapshot, and lower what the policy says. Only the first time are generators set."""
        good = self.snapshots.go_back(generators=state.returns == 0)
        state = after_rollback(state, good.state)
        lr, threshold = (factor**state.returns for factor in (self._policy.lower_lr, self._policy.lower_threshold))
        if lr != 1.0:
            lower_learning_rate(self._run.optimizer, self._run.every_scheduler(), lr)
        if threshold != 1.0 and self._run.clip is not None:
            self._run.clip.lower(threshold)
        self.buffers.keep()
        after = f"{why}to the snapshot after {good.step} steps, rollback {state.returns} to it"
        self._events.add(state, "rolled back", after)
        return state

    def end(self, changed: bool) -> str:
        """Set the run to its good snapshot for good, where it has `changed`, and say what the model now holds."""
        if changed:
            self.snapshots.go_back(generators=False)
            self.buffers.keep()
        newest = self._newest()
        on_disk = "" if newest is None else f" (on disk: {newest})"
        assert self.snapshots.good is not None
        return f"The model holds the weights that it had after {self.snapshots.good.step} steps{on_disk}"

    def resume(self, state: GuardState) -> GuardState | None:
        """Set the run to the newest snapshot that every rank has whole; None where there is none.

        Raises ValueError where no folder was given, or the snapshot does not fit the run: nothing is changed then.
        """
        if self._checkpoints is None:
            raise ValueError(
                "folder: expected the folder of the snapshots, got None; give it to GuardSnapshots(folder=…)"
            )
        for path in self._checkpoints.torn():
            why = f"{path} is not what was written, an older snapshot is taken if there is one"
            self._events.add(state, "left out", why)
        step = self._ranks.newest_common(self._checkpoints.whole())
        if step is None:
            return None
        tree = self._checkpoints.read(step)
        if (misfit := mismatch(self._run, tree)) is not None:
            where = f"the snapshot after {step} steps in {self._checkpoints.folder}"
            raise ValueError(f"folder: {where} does not fit: {misfit}")
        state = state_from(tree.pop("guard"))
        self._run.write(tree, generators=True)
        self.buffers.keep()
        self.snapshots.adopt(Snapshot(TreeCopy(*tree_flatten(tree)), state))
        self._events.add(state, "resumed", f"from the snapshot after {step} steps")
        return state

    def _newest(self) -> Path | None:
        return None if self._checkpoints is None else self._checkpoints.newest()

    def _write(self, state: GuardState) -> None:
        """Write the good snapshot. A folder that cannot be written to is no reason to stop, and is said once."""
        good = self.snapshots.good
        if self._checkpoints is None or good is None:
            return
        try:
            for device in self._run.devices():
                torch.cuda.synchronize(device)  # the copies must have arrived
            self._checkpoints.write(good.step, {**good.tree, "guard": asdict(good.state)})
        except Exception as problem:  # whatever a file system or a pickler may raise
            if self._writable:
                why = f"{type(problem).__name__}: {problem}; training goes on, snapshots in memory"
                self._events.add(state, "not written", why)
            self._writable = False
        else:
            self._writable = True
