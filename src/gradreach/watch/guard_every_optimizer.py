"""`gradreach run --guard`: a guard before every optimizer's step, and a threshold of its own choice where the script
clips nothing, by the hook that torch calls before any optimizer's step. This changes the training, as asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, register_optimizer_step_pre_hook

from gradreach.engine.norms import local
from gradreach.record.schema import GuardDeed, GuardSummary
from gradreach.remedies.clip import Clip
from gradreach.remedies.guard.events import Event, GaveUp
from gradreach.remedies.guard.guard import Guard
from gradreach.watch.models import Models, parameters_of
from gradreach.watch.tensors import is_measurable

_GUARD = "_gradreach_guard"
"""The optimizer holds its guard, so that both end together."""


class OptimizerGuards:
    """Stands before every optimizer's step from construction to `release`."""

    def __init__(self, models: Models) -> None:
        self._summary = GuardSummary()
        self._actions: list[GuardDeed] = []
        self._models = models
        self._step = -1
        self._loss: Tensor | None = None
        self._script_clips = False
        self._looked_at: Optimizer | None = None
        self._hook = register_optimizer_step_pre_hook(self._before_step)

    def release(self) -> None:
        """Stand aside; the optimizers' own guards go with them."""
        self._hook.remove()

    def entries(self) -> list[GuardDeed | GuardSummary]:
        """What the guards did since they were last asked, and the summary of all that they did."""
        new, self._actions = self._actions, []
        return [*new, self._summary]

    def left(self) -> str:
        """A sentence where weights are not finite in spite of the guard, else none."""
        names = self._models.parameter_names()
        measured = (p for p in self._models.parameters() if is_measurable(p))
        bad = [names[id(p)] for p in measured if not bool(local(p).isfinite().all())]
        few = ", ".join(bad[:3]) + (f" and {len(bad) - 3} more" if len(bad) > 3 else "")
        return f"At the end weights are not finite, which the guard did not mend: {few}." if bad else ""

    def after_backward(self, step: int, losses: Sequence[Tensor], scale: Tensor | None) -> None:
        """A backward pass is over: its loss, where it is one scalar, belongs to the next step of an optimizer."""
        self._step, self._looked_at = step, None
        loss = losses[0].detach() if len(losses) == 1 and losses[0].numel() == 1 else None
        self._loss = loss if loss is None or scale is None else loss / scale

    def script_clips(self) -> None:
        """The script clips by itself: then its threshold counts, and no other."""
        self._script_clips = True

    def scaler_steps(self, scaler: Any, optimizer: Optimizer) -> None:
        """Before a GradScaler's step, whose own overflows are its business: a loss that is NaN is not."""
        if not scaler.is_enabled() or self._guard(optimizer) is None:
            return
        state = scaler._per_optimizer_states[id(optimizer)]
        if state["stage"].name == "READY":
            scaler.unscale_(optimizer)
        overflowed = any(float(found) > 0 for found in state["found_inf_per_device"].values())
        if self._loss is not None and bool(self._loss.isinf()):
            self._loss = None  # the scaled one is all that was seen, and may be too large where the loss is not
        if not overflowed or (self._loss is not None and bool(self._loss.isnan())):
            self._look(optimizer)
        self._looked_at = optimizer

    def _before_step(
        self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Torch's hook; where the step is given a closure, what the closure leaves is looked at as it ends."""
        if self._looked_at is optimizer:
            return None
        closure = args[1] if len(args) > 1 else kwargs.get("closure")
        if closure is None:
            self._look(optimizer)
            return None

        def guarded() -> Any:
            loss = closure()
            self._look(optimizer)
            return loss

        if len(args) > 1:
            return (args[0], guarded, *args[2:]), kwargs
        return args, {**kwargs, "closure": guarded}

    def _guard(self, optimizer: Optimizer) -> Guard | None:
        """The optimizer's guard, made at its first step after a backward pass; None where it is left alone."""
        if self._step < 0:
            return None
        if not hasattr(optimizer, _GUARD):
            setattr(optimizer, _GUARD, self._new_guard(optimizer))
        guard: Guard | None = getattr(optimizer, _GUARD)
        return guard

    def _new_guard(self, optimizer: Optimizer) -> Guard | None:
        if getattr(optimizer, "grad_scale", None) is not None:
            self._note("left alone", f"{type(optimizer).__name__} unscales its gradients inside its own step")
            return None
        try:
            guard = Guard(self._trained_by(optimizer), optimizer, clip=None if self._script_clips else "auto")
        except (TypeError, ValueError) as error:
            self._note("left alone", f"{type(optimizer).__name__}: {error}")
            return None
        self._summary = replace(self._summary, optimizers=self._summary.optimizers + 1)
        return guard

    def _trained_by(self, optimizer: Optimizer) -> list[nn.Module]:
        """The models that the optimizer trains: their buffers are guarded too."""
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        return [root for root in self._models if any(id(p) in own for p in parameters_of(root))]

    def _look(self, optimizer: Optimizer) -> None:
        try:
            guard = self._guard(optimizer)
        except Exception as error:  # a mistake of ours must not end the script
            self._note("left alone", f"{type(error).__name__}: {error}")
            return
        if guard is None:
            return
        known = len(guard.events)
        rates = [_rate(group) for group in optimizer.param_groups]
        try:
            taken = guard.before_step(self._loss)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                _set_rate(group, rate)
        except GaveUp:
            self._note_events(guard.events[known:])
            raise
        except Exception as error:  # a mistake of ours must not end the script
            setattr(optimizer, _GUARD, None)
            self._note("left alone", f"{type(error).__name__}: {error}")
            return
        self._note_events(guard.events[known:])
        if taken:
            self._count(guard.clip)

    def _count(self, clip: Clip | None) -> None:
        summary = replace(self._summary, updates=self._summary.updates + 1)
        if clip is not None:
            clipped = summary.clipped + int(clip.clipped)
            summary = replace(summary, threshold=float(clip.threshold), clipped=clipped)
        self._summary = summary

    def _note_events(self, events: Sequence[Event]) -> None:
        for event in events:
            self._note(event.what, event.why)

    def _note(self, what: str, why: str) -> None:
        self._actions.append(GuardDeed(self._step, what, why))


def _rate(group: dict[str, Any]) -> Any:
    rate = group.get("lr")
    return rate.clone() if isinstance(rate, Tensor) else rate


def _set_rate(group: dict[str, Any], rate: Any) -> None:
    """A rollback does not turn back the script's own schedule."""
    if isinstance(rate, Tensor):
        group["lr"].copy_(rate)
    elif rate is not None:
        group["lr"] = rate
