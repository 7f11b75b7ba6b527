"""`Guard` takes the training steps that are sound, skips the others, and goes back where skipping fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from gradreach.engine.norms import each_norm, to_global, total
from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.arguments import (
    check_clip,
    check_loss,
    check_optimizer,
    check_scaler,
    check_state,
    list_of_schedulers,
    modules_by_name,
)
from gradreach.remedies.guard.events import Event, EventLog, GaveUp
from gradreach.remedies.guard.loss_scale import LossScale
from gradreach.remedies.guard.options import GuardPolicy, GuardSnapshots
from gradreach.remedies.guard.ranks import Ranks
from gradreach.remedies.guard.recovery import Recovery
from gradreach.remedies.guard.run_state import RunState
from gradreach.remedies.guard.verdict import (
    GuardAction,
    GuardState,
    GuardVerdict,
    StepFigures,
    StepKind,
    judge,
    state_from,
)

LOOK = 20
"""Good steps between two looks at the weights: an infinite one, a gate's, say, need not show in loss or gradient."""

_POLICY, _SNAPSHOTS = GuardPolicy(), GuardSnapshots()


class Guard:
    """Takes training steps that are sound, skips the others, and goes back to a good snapshot where skipping fails.

    A step is bad where its loss or its gradient norm is not finite, or is a spike: more than ten times the highest of
    the last 100 good steps, and higher than any good step before. A bad step is skipped: gradients are set to None,
    buffers (running statistics) are put back, and the scheduler is held. After `patience` bad steps in a row the run
    goes back to its good snapshot: weights, buffers, optimizer, schedulers, scaler, clip, generators, and all in
    `keep`. If it stays bad, up to `limit` steps are skipped. Then finite spikes are accepted as the data's new level,
    and steps that are not finite raise GaveUp after at most `attempts` rollbacks to one snapshot. A GradScaler's own
    overflow is its own business, and is counted apart.

    Args:
        model: a module, several (also by name), or None, which means the optimizer's parameters alone. Give every model
            that the loss passes through, or its gradients stay: a GAN's generator steps through the critic.
        optimizer: any torch optimizer whose step needs no closure.
        clip: whatever gr.Clip takes as its rule, a gr.Clip of the optimizer, or None. `guard.clip` is the gr.Clip.
        scheduler: one or several, stepped after every step that is taken.
        scaler: a torch.amp.GradScaler; `step()` scales, unscales and updates.
        policy: a `gr.GuardPolicy`: patience, limit, attempts, and what a rollback lowers.
        snapshots: a `gr.GuardSnapshots`: how often, in which folder, and what else they keep.

    Make it when the weights are loaded and, with several processes, after init_process_group.
    Each step reads loss and norm on the host, which is one synchronisation on a GPU. Where torch.distributed is
    initialised, all ranks decide alike, by one all-reduce a step. All that happens is logged ("gradreach"), listed in
    `events` and counted in `counts`. `skipped` says whether the last step was skipped: a hidden state that was carried
    over from it is to be dropped then. Raises TypeError or ValueError for arguments that do not fit.

    >>> import torch, gradreach as gr
    >>> model = torch.nn.Linear(3, 1)
    >>> guard = gr.Guard(model, torch.optim.SGD(model.parameters(), lr=0.1), policy=gr.GuardPolicy(patience=5))
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
        policy: GuardPolicy = _POLICY,
        snapshots: GuardSnapshots = _SNAPSHOTS,
    ) -> None:
        models = modules_by_name(model)
        check_optimizer(optimizer, models)
        check_scaler(scaler)
        self.clip = clip if clip is None or isinstance(clip, Clip) else Clip(optimizer, clip)
        if self.clip is not None:
            check_clip(self.clip, optimizer)
        self.skipped = False
        self._policy = policy
        self._scale = LossScale(scaler, optimizer)
        keep = {str(name): thing for name, thing in (snapshots.keep or {}).items()}
        self._run = RunState(models, optimizer, list_of_schedulers(scheduler), scaler, keep, self.clip)
        self._ranks = Ranks()
        self._log = EventLog(self._ranks.rank)
        self._recovery = Recovery(self._run, self._ranks, policy, snapshots, self._log)
        self._state = self._recovery.begin(GuardState())
        self._fresh = True

    @property
    def events(self) -> list[Event]:
        """All that the guard did, in order."""
        return self._log.events

    @property
    def steps(self) -> int:
        """Steps asked for since the start of the run, skipped ones included; a rollback does not turn it back."""
        return self._state.step

    @property
    def counts(self) -> dict[str, int]:
        """Steps by what became of them, and rollbacks."""
        names = ("good", "accepted", "skipped", "overflowed", "rolled_back")
        return {"steps": self._state.step} | {name: getattr(self._state, name) for name in names}

    def step(self, loss: Tensor) -> Tensor:
        """Backward, check, clip, optimizer's and scheduler's step, gradients cleared; returns the norm before clipping.

        The norm is 0-d. Raises GaveUp, and ValueError where the loss is no scalar.
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
            self._state = self._recovery.count_good(self._state)
            self.skipped = not self._inspect()
        else:
            self._scale.close()
        return norm

    def before_step(self, loss: Tensor | None = None) -> bool:
        """For loops with a backward and an optimizer step of their own, gradient accumulation among them.

        Call it after backward, before `optimizer.step()` or `scaler.step(optimizer)`. Gradients are unscaled, checked
        and clipped. Where it returns False they are None already, and neither optimizer nor scheduler is to step. A
        scaler's `update()` belongs after every step, a skipped one too: by it the scale falls after an overflow. A
        snapshot is taken here, before the step, when one is due. Raises GaveUp, and ValueError where the loss is no
        scalar.
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
            self._state = self._recovery.count_good(self._state)
        return sound

    def resume(self) -> int:
        """Set the run to the newest whole snapshot in the folder, generators included.

        Returns after how many steps it was taken, and 0, with nothing changed, where there is none. Raises ValueError
        where no folder was given, or the snapshot does not fit the run; nothing is changed then.
        """
        state = self._recovery.resume(self._state)
        if state is None:
            return 0
        self._state, self._fresh = state, False
        return state.step

    def state_dict(self) -> dict[str, Any]:
        """Counts, recent steps and clip, in plain types; weights and optimizer are not in it."""
        return {"state": asdict(self._state), "clip": None if self.clip is None else self.clip.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set counts, recent steps and clip. Load weights and optimizer first: they become the good snapshot."""
        check_state(state)
        if self.clip is not None and state["clip"] is not None:
            self.clip.load_state_dict(state["clip"])
        self._state = self._recovery.begin(state_from(state["state"]))
        self._fresh = True

    def _look(self, loss: Tensor | None) -> tuple[Tensor, bool]:
        """The gradient's norm, and whether the step is to be taken; where not, all that it spoilt is put right."""
        self._meet_changes()
        self._scale.down()
        norm = self._norm()
        figures = self._figures(loss, norm)
        verdict = judge(self._state, figures, self._policy, self._can_undo)
        self._state, self.skipped = verdict.state, verdict.action is not GuardAction.STEP
        if self.skipped:
            self._skip(verdict, figures)
            return norm, False
        if verdict.why:
            self._log.add(self._state, "accepted", verdict.why, figures)
        self._recovery.buffers.keep()
        return norm, True

    def _meet_changes(self) -> None:
        """Begin anew where the run was changed before the first step, or its optimizer's parameters since."""
        start = self._recovery.start
        if self._fresh:
            self._fresh = False
            self._recovery.refuse_used_folder()
            unchanged = start.is_untouched(self._run)
        else:
            unchanged = start.has_its_parameters(self._run)
        if not unchanged:
            self._state = self._recovery.begin(self._state)

    def _norm(self) -> Tensor:
        if self.clip is not None:
            return self.clip.measure()
        gradients = [p.grad for p in self._run.parameters() if p.grad is not None]
        return total(to_global(each_norm(gradients), gradients)) if gradients else torch.zeros(())

    def _figures(self, loss: Tensor | None, norm: Tensor) -> StepFigures:
        """Loss and norm on the host, the greatest of all ranks, in one transfer."""
        tensors = [norm.detach()] if loss is None else [norm.detach(), loss.detach().reshape(())]
        values = self._ranks.greatest(tensors)
        scaled = not isfinite(values[0]) and self._scale.can_fall()  # read from a GPU only where it matters
        return StepFigures(None if loss is None else values[1], values[0], scaled)

    def _can_undo(self) -> bool:
        """Whether there is something to undo: nothing where parameters have come or gone, for they begin anew."""
        if self._recovery.fits():
            return self._recovery.changed()
        self._state = self._recovery.begin(self._state)
        return False

    def _skip(self, verdict: GuardVerdict, figures: StepFigures) -> None:
        self._clear()
        self._recovery.buffers.restore()
        overflow = verdict.kind is StepKind.OVERFLOW
        self._scale.leave(overflow)
        odd, why = self._recovery.start.not_finite, verdict.why
        if verdict.kind is StepKind.NONFINITE and odd:
            why += f"; {odd[0]} held values that are not finite when the guard began"
        if not overflow:
            self._log.add(self._state, "skipped", why, figures)
        if verdict.action is GuardAction.ROLL_BACK:
            self._state = self._recovery.go_back(self._state)
        elif verdict.action is GuardAction.GIVE_UP:
            self._give_up(why)

    def _inspect(self) -> bool:
        """Look now and then whether the weights are finite, and take a snapshot if one is due.

        Returns False where they are not: the run has gone back then.
        """
        due = self._recovery.snapshots.due
        if not due and self._state.good % LOOK:
            return True
        why = self._recovery.spoilt()
        if why is None:
            if due:
                self._recovery.snapshots.take(self._state)
            return True
        if self._state.returns >= self._policy.attempts or not self._can_undo():
            self._give_up(why)
        self._state = self._recovery.go_back(self._state, f"{why}, though the loss is finite; ")
        return False

    def _clear(self) -> None:
        self._run.optimizer.zero_grad(set_to_none=True)
        for parameter in self._recovery.start.untrained:
            parameter.grad = None

    def _give_up(self, why: str) -> NoReturn:
        holds, state = self._recovery.end(self._can_undo()), self._state
        since = "" if state.first_bad is None else f"no step since step {state.first_bad} was sound, and "
        vain = f"{state.returns} rollback(s) did not help" if state.returns else "there was nothing to undo"
        message = (
            f"{why}; {since}{vain}. {holds}. "
            "Look at the batches of these steps; then lower the learning rate or the clip's threshold"
        )
        self._log.add(state, "gave up", message)
        raise GaveUp(f"gave up at step {state.step - 1}: {message}")
