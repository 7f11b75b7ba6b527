"""What a training step's loss and gradient norm say, and what to do about it: pure functions over frozen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, isfinite
from typing import Any

from gradreach.remedies.guard.options import GuardPolicy

SPAN = 100
"""Good steps that a new one is compared with."""
LEAST = 20
"""Good steps that are needed before anything finite is called a spike."""
FAR = 10.0
"""A spike lies this many times further out than the furthest of the last good steps."""


class StepKind(StrEnum):
    GOOD = "good"
    SPIKE = "spike"
    NONFINITE = "not finite"
    OVERFLOW = "overflow"


class GuardAction(StrEnum):
    STEP = "step"
    SKIP = "skip"
    ROLL_BACK = "roll back"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class StepFigures:
    """What is known of a step before it is taken; `scaled` says that a loss scale is at work which can still fall."""

    loss: float | None
    norm: float
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class RecentSteps:
    """The norms and losses of the last good steps, and the highest of each that any good step ever had."""

    norms: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    top_norm: float = -inf
    top_loss: float = -inf


@dataclass(frozen=True, slots=True)
class GuardState:
    """The counts of a guarded run, and what new steps are compared with.

    `step`: steps asked for, never turned back. `streak`: bad steps in a row, of which the last `spikes` are finite.
    `first_bad`: the first bad step since the last good one. `returns`: rollbacks to the present snapshot. `spiked`:
    where the last single spikes stood.
    """

    step: int = 0
    good: int = 0
    skipped: int = 0
    overflowed: int = 0
    accepted: int = 0
    rolled_back: int = 0
    streak: int = 0
    spikes: int = 0
    first_bad: int | None = None
    returns: int = 0
    spiked: tuple[int, ...] = ()
    recent: RecentSteps = RecentSteps()


@dataclass(frozen=True, slots=True)
class GuardVerdict:
    """The next state, what to do, and why; `why` is empty for a plain good step."""

    state: GuardState
    action: GuardAction
    kind: StepKind
    why: str = ""


def judge(state: GuardState, figures: StepFigures, policy: GuardPolicy, changed: Callable[[], bool]) -> GuardVerdict:
    """What to do with a step.

    Steps that are not finite or a spike are skipped. At `patience` of them in a row the run goes back to its good
    snapshot once, if the weights have `changed` since. What is still bad then is more likely the data's fault, so it is
    skipped, up to `limit` steps in a row. Beyond that, finite spikes are the data's new level and are taken. Steps that
    are not finite lead back again while attempts are left and there is something to undo; else the run gives up.
    Spikes that come one by one, more than `patience` of them in 100 steps, are no outliers either and are taken.
    """
    kind, why = classify(state.recent, figures)
    state = replace(state, step=state.step + 1)
    if kind is StepKind.GOOD:
        return GuardVerdict(_taken(state, figures), GuardAction.STEP, kind)
    if kind is StepKind.OVERFLOW:
        return GuardVerdict(replace(state, overflowed=state.overflowed + 1), GuardAction.SKIP, kind, why)
    if kind is StepKind.SPIKE:
        accepted = replace(state, accepted=state.accepted + 1)
        if state.spikes + 1 >= policy.limit:
            accepted = replace(accepted, recent=RecentSteps(), spiked=())
            why = f"{state.spikes + 1} spikes in a row are the data's new level; {why}"
            return GuardVerdict(_taken(accepted, figures), GuardAction.STEP, kind, why)
        if state.streak == 0:
            spiked = tuple(step for step in state.spiked if step > state.step - SPAN)
            if len(spiked) >= policy.patience:
                why = f"spikes are regular here; {why}"
                return GuardVerdict(_taken(accepted, figures), GuardAction.STEP, kind, why)
            state = replace(state, spiked=(*spiked, state.step))
    spikes = state.spikes + 1 if kind is StepKind.SPIKE else 0
    first = state.step - 1 if state.first_bad is None else state.first_bad
    state = replace(state, streak=state.streak + 1, spikes=spikes, first_bad=first, skipped=state.skipped + 1)
    return GuardVerdict(state, _way_out(state, policy, changed), kind, why)


def classify(recent: RecentSteps, figures: StepFigures) -> tuple[StepKind, str]:
    """Whether a step is good, not finite, a scaler's own overflow or a spike; and the reason, in words."""
    loss, norm = figures.loss, figures.norm
    if loss is not None and not isfinite(loss):
        return StepKind.NONFINITE, f"the loss is {loss:g}"
    if not isfinite(norm):
        return StepKind.OVERFLOW if figures.scaled else StepKind.NONFINITE, f"the gradient's norm is {norm:g}"
    if len(recent.norms) >= LEAST and norm > recent.top_norm:
        highest = max(recent.norms)
        if norm > FAR * highest:
            return StepKind.SPIKE, f"the gradient's norm is {norm:.3g}, {_lately(recent.norms, highest)}"
    if loss is not None and len(recent.losses) >= LEAST and loss > recent.top_loss:
        highest = max(recent.losses)
        if loss > highest + FAR * max(highest - min(recent.losses), abs(highest)):
            return StepKind.SPIKE, f"the loss is {loss:.3g}, {_lately(recent.losses, highest)}"
    return StepKind.GOOD, ""


def after_rollback(state: GuardState, then: GuardState) -> GuardState:
    """The recent steps are the snapshot's again, and the counts stay."""
    returns, rolled_back = state.returns + 1, state.rolled_back + 1
    return replace(state, streak=0, spikes=0, recent=then.recent, returns=returns, rolled_back=rolled_back)


def after_new_snapshot(state: GuardState) -> GuardState:
    """No rollback has been made to a snapshot that has just become the good one."""
    return replace(state, returns=0)


def state_from(plain: Mapping[str, Any]) -> GuardState:
    """A state from what `asdict` made of it, whether it was on disk or not."""
    was = plain["recent"]
    recent = RecentSteps(tuple(was["norms"]), tuple(was["losses"]), was["top_norm"], was["top_loss"])
    return GuardState(**{**plain, "spiked": tuple(plain["spiked"]), "recent": recent})


def _way_out(state: GuardState, policy: GuardPolicy, changed: Callable[[], bool]) -> GuardAction:
    if state.streak >= policy.limit and state.spikes == 0:
        return GuardAction.ROLL_BACK if state.returns < policy.attempts and changed() else GuardAction.GIVE_UP
    if state.streak == policy.patience and state.returns == 0 and changed():
        return GuardAction.ROLL_BACK
    return GuardAction.SKIP


def _taken(state: GuardState, figures: StepFigures) -> GuardState:
    """The state after a step that is taken.

    A norm or loss of 0 (a masked batch, a met margin), or a loss that was not given, says nothing of the level.
    """
    recent = state.recent
    if figures.norm > 0.0:
        norms = (*recent.norms[1 - SPAN :], figures.norm)
        recent = replace(recent, norms=norms, top_norm=max(recent.top_norm, figures.norm))
    if figures.loss is not None and figures.loss != 0.0:
        losses = (*recent.losses[1 - SPAN :], figures.loss)
        recent = replace(recent, losses=losses, top_loss=max(recent.top_loss, figures.loss))
    return replace(state, good=state.good + 1, streak=0, spikes=0, first_bad=None, recent=recent)


def _lately(recent: tuple[float, ...], highest: float) -> str:
    return f"the highest of the last {len(recent)} good steps was {highest:.3g}"
