"""What a training step's loss and gradient norm say, and what to do about it: pure functions over frozen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import inf, isfinite
from typing import Any

SPAN = 100
"""Good steps that a new one is compared with."""
LEAST = 20
"""Good steps before anything finite is called a spike."""
FAR = 10.0
"""A spike lies this many times further out than the furthest of the last good steps."""


class Kind(StrEnum):
    GOOD = "good"
    SPIKE = "spike"
    NONFINITE = "not finite"
    OVERFLOW = "overflow"


class Action(StrEnum):
    STEP = "step"
    SKIP = "skip"
    ROLL_BACK = "roll back"
    GIVE_UP = "give up"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of a step before it is taken; `scaled`: by a loss scale that can still be lowered."""

    loss: float | None
    norm: float
    scaled: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """`patience` bad steps in a row lead back, `limit` of them end it; `attempts` at one snapshot are made."""

    patience: int = 3
    limit: int = 50
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Window:
    """The last good steps, and the highest that any good step ever came."""

    norms: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    top_norm: float = -inf
    top_loss: float = -inf


@dataclass(frozen=True, slots=True)
class State:
    """`step`: steps asked for, never turned back; `streak`: bad ones in a row, of which the last `spikes` are finite;
    `first_bad`: the first bad step since the last good one; `returns`: rollbacks to the present snapshot; `spiked`:
    where the last single spikes stood."""

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
    window: Window = Window()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The next state, what to do, and why; `why` is empty for a plain good step."""

    state: State
    action: Action
    kind: Kind
    why: str = ""


def judge(state: State, sight: Sight, limits: Limits, changed: Callable[[], bool]) -> Verdict:
    """What to do with a step.

    Non-finite and far-out steps are skipped. At `patience` of them in a row the run goes back to its good snapshot,
    once, if the weights have `changed` since. What is still bad then is more likely the data's fault: it is skipped, up
    to `limit` in a row. Beyond that finite spikes are the data's new level and are taken; steps that are not finite
    lead back again while attempts are left and there is something to undo, and else the run gives up.
    Spikes that come one by one, more than `patience` of them in 100 steps, are no outliers either and are taken.
    """
    kind, why = classify(state.window, sight)
    state = replace(state, step=state.step + 1)
    if kind is Kind.GOOD:
        return Verdict(_taken(state, sight), Action.STEP, kind)
    if kind is Kind.OVERFLOW:
        return Verdict(replace(state, overflowed=state.overflowed + 1), Action.SKIP, kind, why)
    if kind is Kind.SPIKE:
        if state.spikes + 1 >= limits.limit:
            anew = replace(state, window=Window(), spiked=(), accepted=state.accepted + 1)
            why = f"{state.spikes + 1} spikes in a row are the data's new level; {why}"
            return Verdict(_taken(anew, sight), Action.STEP, kind, why)
        if state.streak == 0:
            recent = tuple(step for step in state.spiked if step > state.step - SPAN)
            if len(recent) >= limits.patience:
                used_to = replace(state, accepted=state.accepted + 1)
                return Verdict(_taken(used_to, sight), Action.STEP, kind, f"spikes are regular here; {why}")
            state = replace(state, spiked=(*recent, state.step))
    spikes = state.spikes + 1 if kind is Kind.SPIKE else 0
    first = state.step - 1 if state.first_bad is None else state.first_bad
    state = replace(state, streak=state.streak + 1, spikes=spikes, first_bad=first, skipped=state.skipped + 1)
    return Verdict(state, _way_out(state, limits, changed), kind, why)


def classify(window: Window, sight: Sight) -> tuple[Kind, str]:
    """Good, not finite, a scaler's own overflow, or a spike; and the reason, in words."""
    if sight.loss is not None and not isfinite(sight.loss):
        return Kind.NONFINITE, f"the loss is {sight.loss:g}"
    if not isfinite(sight.norm):
        kind = Kind.OVERFLOW if sight.scaled else Kind.NONFINITE
        return kind, f"the gradient's norm is {sight.norm:g}"
    if len(window.norms) >= LEAST and sight.norm > window.top_norm:
        highest = max(window.norms)
        if sight.norm > FAR * highest:
            return Kind.SPIKE, f"the gradient's norm is {sight.norm:.3g}, {_lately(window.norms, highest)}"
    if sight.loss is not None and len(window.losses) >= LEAST and sight.loss > window.top_loss:
        highest = max(window.losses)
        if sight.loss > highest + FAR * max(highest - min(window.losses), abs(highest)):
            return Kind.SPIKE, f"the loss is {sight.loss:.3g}, {_lately(window.losses, highest)}"
    return Kind.GOOD, ""


def gone_back(state: State, then: State) -> State:
    """After a rollback: the window is the snapshot's again, the counts stay."""
    return replace(
        state,
        streak=0,
        spikes=0,
        window=then.window,
        returns=state.returns + 1,
        rolled_back=state.rolled_back + 1,
    )


def proved(state: State) -> State:
    """After a new snapshot has proved itself: no attempt has been made at it."""
    return replace(state, returns=0)


def state_from(plain: Mapping[str, Any]) -> State:
    """A state from what `asdict` made of it, on disk or not."""
    was = plain["window"]
    window = Window(tuple(was["norms"]), tuple(was["losses"]), was["top_norm"], was["top_loss"])
    return State(**{**plain, "spiked": tuple(plain["spiked"]), "window": window})


def _way_out(state: State, limits: Limits, changed: Callable[[], bool]) -> Action:
    if state.streak >= limits.limit and state.spikes == 0:
        return Action.ROLL_BACK if state.returns < limits.attempts and changed() else Action.GIVE_UP
    if state.streak == limits.patience and state.returns == 0 and changed():
        return Action.ROLL_BACK
    return Action.SKIP


def _taken(state: State, sight: Sight) -> State:
    """A norm or loss of 0 (a masked batch, a met margin), or a loss that was not told, says nothing of the level."""
    window = state.window
    norms, losses, top_norm, top_loss = window.norms, window.losses, window.top_norm, window.top_loss
    if sight.norm > 0.0:
        norms, top_norm = (*norms[1 - SPAN :], sight.norm), max(top_norm, sight.norm)
    if sight.loss is not None and sight.loss != 0.0:
        losses, top_loss = (*losses[1 - SPAN :], sight.loss), max(top_loss, sight.loss)
    window = Window(norms, losses, top_norm, top_loss)
    return replace(state, good=state.good + 1, streak=0, spikes=0, first_bad=None, window=window)


def _lately(recent: tuple[float, ...], highest: float) -> str:
    return f"the highest of the last {len(recent)} good steps was {highest:.3g}"
