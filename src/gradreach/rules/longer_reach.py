"""What lets the gradient come from farther back."""

from __future__ import annotations

from gradreach.facts.dependency import DependencyTest
from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.facts.time import typical
from gradreach.record.kinds import (
    DECAYS,
    LOOP,
    LOOPS,
    has_hidden_weights,
    is_cell,
    is_gated,
    keeping_gate,
    numbered,
)
from gradreach.record.schema import Remedy
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.advice.chrono_start import CHRONO_START
from gradreach.remedies.advice.forget_bias import FORGET_BIAS
from gradreach.remedies.advice.gated_cell import GATED_CELL
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.remedies.advice.receptive_field import RECEPTIVE_FIELD
from gradreach.remedies.advice.slow_decay import SLOW_DECAY
from gradreach.remedies.advice.spelling import parameter
from gradreach.remedies.advice.update_bias import UPDATE_BIAS

_BY_GATE = {"forget": FORGET_BIAS, "update": UPDATE_BIAS, "input": UPDATE_BIAS}


def longer_reach(facts: Facts, seen: TimeLook, lag: int | None = None) -> tuple[Remedy, ...]:
    """What lengthens a layer's reach to a lag, by default over its whole sequence: of gates an open one that keeps the
    state, else W_hh kept from shrinking, or gates."""
    steps = lag or max(seen.T - 1, 1)
    if seen.kind in DECAYS:
        return (SLOW_DECAY.remedy(seen.module, steps),)
    if seen.kind == LOOP:
        return ()
    if (gate := keeping_gate(seen.kind)) is not None:
        bias = parameter(gate.bias, seen.module, seen.kind, seen.layer, seen.direction)
        return (_BY_GATE[gate.name].remedy(seen.kind, bias, steps),)
    straight = ORTHOGONAL.remedy(seen.module, seen.kind, seen.layer, seen.direction)
    if not (numbered(seen.kind) or is_cell(seen.kind)):
        return (straight,)
    return straight, GATED_CELL.remedy(seen.module, seen.kind, facts.seen.root_of(seen.module), steps)


def as_far_as(facts: Facts, test: DependencyTest, lag: int) -> tuple[Remedy, ...]:
    """What lets the gradient at the place of a test come from `lag` steps back."""
    module = test.dependency.module
    layers = [looks[-1] for looks in test.reach.layers]
    recurrent = [seen for seen in layers if isinstance(seen, TimeLook)] or _short_loops(facts, test, lag)
    if not recurrent:
        return (RECEPTIVE_FIELD.remedy(module, lag),)
    own = [seen for seen in recurrent if of_one_stack(seen.module, module)] or recurrent
    farthest = max(own, key=lambda seen: seen.horizon)
    return *_remembering(farthest, lag), *longer_reach(facts, farthest, lag)


def _short_loops(facts: Facts, test: DependencyTest, lag: int) -> list[TimeLook]:
    """The loops that no module shows on the way to the place of a test, where none reaches back so far."""
    loops = [typical(looks) for key, looks in facts.seen.layers.items() if key.site == test.dependency.site]
    loops = [seen for seen in loops if seen.kind in LOOPS]
    return loops if all(seen.horizon < lag for seen in loops) else []


def _remembering(seen: TimeLook, lag: int) -> tuple[Remedy, ...]:
    """Gates that start with time constants up to the lag, where the layer has gates."""
    if not is_gated(seen.kind) or not has_hidden_weights(seen.kind):
        return ()
    why = f"gates that hold the state for up to {lag} steps, from the start"
    return (CHRONO_START.remedy_because(why, seen.module, lag),)
