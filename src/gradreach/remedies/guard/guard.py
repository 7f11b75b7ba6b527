"""A guard around the training step: skips what would spoil the weights, goes back where they are spoilt, says so."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, local, to_global, total
from gradreach.remedies.clip.clip import Clip
from gradreach.remedies.guard import verdict
from gradreach.remedies.guard.arguments import (
    check_clip,
    check_folder,
    check_loss,
    check_numbers,
    check_optimizer,
    check_plain,
    check_scaler,
    check_state,
    list_of_schedulers,
    modules_by_name,
    named_objects,
)
from gradreach.remedies.guard.checkpoint import Checkpoints
from gradreach.remedies.guard.learning_rate import lower_learning_rate
from gradreach.remedies.guard.loss_scale import LossScale
from gradreach.remedies.guard.ranks import Ranks
from gradreach.remedies.guard.run_state import RunState
from gradreach.remedies.guard.snapshot import Buffers, Snapshot, Snapshots
from gradreach.remedies.guard.verdict import Action, Kind, Limits, Sight, State

_log = logging.getLogger("gradreach")

LOOK = 20
"""Good steps between two looks at the weights: an infinite one, a gate's, say, need not show in loss or gradient."""


class GaveUp(RuntimeError):
    """Steps that are not finite went on and neither skipping nor going back helped; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something the guard did: at which step, from 0 on; what ("skipped", …), why, and the step's figures."""

    step: int
    what: str
    why: str
    loss: float | None = None
    norm: float | None = None


class Guard:
    """Takes training steps that are sound, skips the others, and goes back to a good snapshot where skipping fails.

    A step is bad where its loss or gradient norm is not finite, or a spike: more than ten times the highest of the last
    100 good steps, and higher than any good one before. It is skipped: gradients set to None, buffers (running
    statistics) put back, scheduler held. After `patience` bad steps in a row the run goes back to its good snapshot:
    weights, buffers, optimizer, schedulers, scaler, clip, generators, and all in `keep`. If it stays bad, up to `limit`
    steps are skipped; then finite spikes are accepted as the data's new level, and non-finite steps raise GaveUp after
    at most `attempts` rollbacks to one snapshot. A GradScaler's own overflow is its business: counted apart.

    Args:
        model: a module, several (also by name), or None: then the optimizer's parameters alone. Give every model that
            the loss passes through (a GAN's generator steps through the critic), or the gradients stay in the others.
        optimizer: any torch optimizer whose step needs no closure.
        clip: whatever gr.Clip takes as its rule, a gr.Clip of the optimizer, or None; `guard.clip` is the gr.Clip.
        scheduler: one or several, stepped after every step taken.
        scaler: a torch.amp.GradScaler; step() scales, unscales and updates.
        keep: what else belongs to the run, by name: objects with state_dict and load_state_dict (a data loader with a
            position, an EMA, a ReduceLROnPlateau), or a torch.Generator. Update an EMA before the end of the step, by
            `optimizer.register_step_post_hook`: it is read as soon as step() has taken the step.
        every: good steps between snapshots, held twice in the host's memory; one counts as good after 20 more.
        folder: where good snapshots are also written, for resume().
        lower_lr, lower_threshold: what learning rates and thresholds are multiplied by at a rollback.

    Make it when the weights are loaded and, with several processes, after init_process_group.
    Each step reads loss and norm on the host: on a GPU one synchronisation. Where torch.distributed is initialised, all
    ranks decide alike, by one all-reduce a step. All that happens is logged ("gradreach"), in `events` and in `counts`.

    >>> import torch, gradreach as gr
    >>> model = torch.nn.Linear(3, 1)
    >>> guard = gr.Guard(model, torch.optim.SGD(model.parameters(), lr=0.1))
    >>> norm = guard.step(model(torch.ones(2, 3)).square().mean())
    >>> guard.counts["good"]
    1
    """

    def __init__(
        self,
        model: nn.Module | Iterable[nn.Module] | Mapping[str, nn.Module] | None,
        optimizer: torch.optim.Optimizer,
        clip: Any = "auto",
        *,
        scheduler: Any = None,
        scaler: Any = None,
        keep: Mapping[str, Any] | None = None,
        patience: int = 3,
        limit: int = 50,
        attempts: int = 3,
        every: int = 100,
        folder: str | PathLike[str] | None = None,
        lower_lr: float = 1.0,
        lower_threshold: float = 1.0,
    ) -> None:
        models = modules_by_name(model)
        check_optimizer(optimizer, models)
        check_scaler(scaler)
        check_folder(folder)
        check_numbers(patience, limit, attempts, every, lower_lr, lower_threshold)
        self.clip = clip if clip is None or isinstance(clip, Clip) else Clip(optimizer, clip)
        if self.clip is not None:
            check_clip(self.clip, optimizer)
        self._lower = (lower_lr, lower_threshold)
        self._limits = Limits(patience, limit, attempts)
        self._scale = LossScale(scaler, optimizer)
        self._run = RunState(models, optimizer, list_of_schedulers(scheduler), scaler, named_objects(keep), self.clip)
        self._ranks = Ranks()
        self._folder = None if folder is None else Checkpoints(Path(folder), self._ranks.rank, self._ranks.count)
        if self._folder is not None:
            check_plain(self._run)
        self._snapshots = Snapshots(self._run, every)
        self._state = State()
        self._writable = True
        self._begin()
        self.events: list[Event] = []
        self.skipped = False

    @property
    def steps(self) -> int:
        """Steps asked for since the start of the run, skipped ones included; a rollback does not turn it back."""
        return self._state.step

    @property
    def counts(self) -> dict[str, int]:
        """Steps by what became of them, and rollbacks."""
        state = self._state
        return {
            "steps": state.step,
            "good": state.good,
            "accepted": state.accepted,
            "skipped": state.skipped,
            "overflowed": state.overflowed,
            "rolled_back": state.rolled_back,
        }

    def step(self, loss: Tensor) -> Tensor:
        """Backward, check, clip, optimizer's and scheduler's step, gradients cleared; the norm before clipping, 0-d.

        `self.skipped` tells whether the step was skipped: a hidden state carried over from it is to be dropped then.
        Raises GaveUp, and ValueError where the loss is no scalar.
        """
        check_loss(loss)
        self._scale.up(loss).backward()
        norm, sound = self._look(loss)
        if sound:
            if self.clip is not None:
                self.clip.apply()
            self._scale.step()
            for scheduler in self._run.schedulers:
                scheduler.step()
            self._clear()
            self._count()
            self.skipped = not self._inspect()
        else:
            self._scale.close()
        return norm

    def before_step(self, loss: Tensor | None = None) -> bool:
        """For loops with a backward and an optimizer step of their own, gradient accumulation among them.

        Call it after backward, before `optimizer.step()` or `scaler.step(optimizer)`. Gradients are unscaled, checked,
        and clipped; where the answer is False they are None already, and neither optimizer nor scheduler is to step.
        A scaler's `update()` belongs after every step, a skipped one too: by it the scale falls after an overflow.
        A snapshot is taken here, before the step, when one is due. Raises GaveUp.
        """
        if loss is not None:
            check_loss(loss)
        _, sound = self._look(loss)
        if sound and not self._inspect():
            self._clear()
            self._scale.leave(overflow=False)
            self.skipped, sound = True, False
        if sound:
            if self.clip is not None:
                self.clip.apply()
            self._count()
        return sound

    def resume(self) -> int:
        """Set the run to the newest whole snapshot in `folder`, generators included, and say after how many steps it
        was taken; 0, and nothing changed, where there is none.

        Raises ValueError where no folder was given, or the snapshot does not fit the run: nothing is changed then.
        """
        if self._folder is None:
            raise ValueError("folder: expected the folder of the snapshots, got None; give it to Guard(folder=…)")
        for path in self._folder.torn():
            self._tell("left out", f"{path} is not what was written, an older snapshot is taken if there is one")
        step = self._ranks.newest_common(self._folder.whole())
        if step is None:
            return 0
        tree = self._folder.read(step)
        if why := self._run.mismatch(tree):
            raise ValueError(f"folder: the snapshot after {step} steps in {self._folder.folder} does not fit: {why}")
        state = tree.pop("guard")
        self._run.write(tree, generators=True)
        self._state = verdict.state_from(state)
        self._buffers.keep()
        self._snapshots.adopt(Snapshot(step, tree, self._state))
        self._fresh = False
        self._tell("resumed", f"from the snapshot after {step} steps")
        return step

    def state_dict(self) -> dict[str, Any]:
        """Counts, window and clip, in plain types; weights and optimizer are not in it."""
        return {"state": asdict(self._state), "clip": None if self.clip is None else self.clip.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Counts, window and clip as they were. Load weights and optimizer first: they become the good snapshot."""
        check_state(state)
        if self.clip is not None and state["clip"] is not None:
            self.clip.load_state_dict(state["clip"])
        self._state = verdict.state_from(state["state"])
        self._begin()

    def _begin(self) -> None:
        """The run as it stands is the first good snapshot, and again at the first step if it was changed by then."""
        self._buffers = Buffers(list(self._run.models.values()))
        self._buffers.keep()
        self._held = self._run.held()
        self._untrained = [p for p in self._run.parameters() if id(p) not in self._held]
        self._state = verdict.proved(self._state)
        self._snapshots.take(self._state.step, self._state, proved=True)
        self._odd = tuple(self._run.spoilt())  # a mask of -inf kept as a parameter, say
        self._fresh = True
        self._seen = self._signature()

    def _signature(self) -> list[tuple[int, int]]:
        parameters = [p for p in self._run.parameters() if p.layout == torch.strided]
        return [(local(p).data_ptr(), p._version) for p in parameters]

    def _look(self, loss: Tensor | None) -> tuple[Tensor, bool]:
        """The gradient's norm, and whether the step is to be taken; where not, all that it spoilt is put right."""
        if self._fresh:
            self._first()
        elif self._run.held() != self._held:
            self._begin_anew()
        self._scale.down()
        norm = self._measure()
        sight = self._see(loss, norm)
        found = verdict.judge(self._state, sight, self._limits, self._changed)
        self._state, self.skipped = found.state, found.action is not Action.STEP
        if not self.skipped:
            if found.why:
                self._tell("accepted", found.why, sight)
            self._buffers.keep()
            return norm, True
        self._clear()
        self._buffers.restore()
        self._scale.leave(overflow=found.kind is Kind.OVERFLOW)
        if found.kind is not Kind.OVERFLOW:
            self._tell("skipped", found.why + self._from_the_start(found.kind), sight)
        if found.action is Action.ROLL_BACK:
            self._roll_back()
        elif found.action is Action.GIVE_UP:
            self._give_up(found.why + self._from_the_start(found.kind))
        return norm, False

    def _measure(self) -> Tensor:
        if self.clip is not None:
            return self.clip.measure()
        gradients = [p.grad for p in self._run.parameters() if p.grad is not None]
        return total(to_global(each_norm(gradients), gradients)) if gradients else torch.zeros(())

    def _see(self, loss: Tensor | None, norm: Tensor) -> Sight:
        """Loss and norm on the host, the greatest of all ranks, in one transfer."""
        figures = [norm.detach()] if loss is None else [norm.detach(), loss.detach().reshape(())]
        values = self._ranks.greatest(figures)
        scaled = not isfinite(values[0]) and self._scale.can_fall()  # read from a GPU only where it matters
        return Sight(None if loss is None else values[1], values[0], scaled)

    def _first(self) -> None:
        self._fresh = False
        if self._folder is not None and (newest := self._folder.newest()) is not None:
            raise ValueError(f"folder: holds a snapshot, {newest}; call guard.resume() first, or give an empty folder")
        if self._signature() != self._seen:
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._begin()
        self._fresh = False

    def _changed(self) -> bool:
        """Whether there is something to undo; nothing where parameters have come or gone: they begin anew."""
        if not self._ranks.any(not self._snapshots.fit()):
            return self._ranks.any(self._snapshots.changed())
        self._begin_anew()
        return False

    def _from_the_start(self, kind: Kind) -> str:
        if kind is not Kind.NONFINITE or not self._odd:
            return ""
        return f"; {self._odd[0]} held values that are not finite when the guard began"

    def _clear(self) -> None:
        self._run.optimizer.zero_grad(set_to_none=True)
        for parameter in self._untrained:
            parameter.grad = None

    def _count(self) -> None:
        if self._snapshots.count():
            self._state = verdict.proved(self._state)
            self._write()

    def _inspect(self) -> bool:
        """Now and then: are the weights finite? A snapshot, if it is due; False where not: the run has gone back."""
        if not self._snapshots.due and self._state.good % LOOK:
            return True
        spoilt = [name for name in self._run.spoilt() if name not in self._odd]
        if not self._ranks.any(bool(spoilt)):
            if self._snapshots.due:
                self._snapshots.take(self._state.step, self._state)
            return True
        why = f"{spoilt[0] if spoilt else 'on another rank, a parameter'} holds values that are not finite"
        if self._state.returns >= self._limits.attempts or not self._changed():
            self._give_up(why)
        self._roll_back(f"{why}, though the loss is finite; ")
        return False

    def _write(self) -> None:
        """A folder that cannot be written to is no reason to stop: said once, the snapshot in memory is there."""
        good = self._snapshots.good
        if self._folder is None or good is None:
            return
        try:
            for device in self._run.devices():
                torch.cuda.synchronize(device)  # the copies must have arrived
            self._folder.write(good.step, {**good.tree, "guard": asdict(good.state)})
        except Exception as problem:  # whatever a file system or a pickler may raise
            if self._writable:
                self._tell("not written", f"{type(problem).__name__}: {problem}; training goes on, snapshots in memory")
            self._writable = False
        else:
            self._writable = True

    def _roll_back(self, why: str = "") -> None:
        good = self._snapshots.go_back(generators=self._state.returns == 0)
        self._state = verdict.gone_back(self._state, good.state)
        lr, threshold = (factor**self._state.returns for factor in self._lower)
        if lr != 1.0:
            lower_learning_rate(self._run.optimizer, self._run.every_scheduler(), lr)
        if threshold != 1.0 and self.clip is not None:
            self.clip.lower(threshold)
        self._buffers.keep()
        self._tell("rolled back", f"{why}to the snapshot after {good.step} steps, rollback {self._state.returns} to it")

    def _give_up(self, why: str) -> NoReturn:
        if self._changed():
            self._snapshots.go_back(generators=False)
            self._buffers.keep()
        good, state = self._snapshots.good, self._state
        assert good is not None
        newest = None if self._folder is None else self._folder.newest()
        on_disk = "" if newest is None else f" (on disk: {newest})"
        since = "" if state.first_bad is None else f"no step since step {state.first_bad} was sound, and "
        vain = f"{state.returns} rollback(s) did not help" if state.returns else "there was nothing to undo"
        message = (
            f"{why}; {since}{vain}. The model holds the weights that it had after {good.step} steps{on_disk}. "
            "Look at the batches of these steps; then lower the learning rate or the clip's threshold"
        )
        self._tell("gave up", message)
        raise GaveUp(f"gave up at step {state.step - 1}: {message}")

    def _tell(self, what: str, why: str, sight: Sight | None = None) -> None:
        figures = (None, None) if sight is None else (sight.loss, sight.norm)
        step = max(self._state.step - 1, 0)
        self.events.append(Event(step, what, why, *figures))
        if self._ranks.rank == 0:
            _log.warning("gradreach: step %d %s: %s", step, what, why)
