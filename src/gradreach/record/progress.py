"""How far a run is: what is said of it while it goes on, carried from step to step at little cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gradreach.record.kinds import of_layer
from gradreach.record.look import Look
from gradreach.record.nonfinite import NonFiniteValue, nonfinite_value
from gradreach.record.norm_history import NormHistory
from gradreach.record.schema import NonFinite, Step

_NAMES = {"nan": "NaN", "inf": "infinity"}


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: its last measured step (-1 before the first), that step's loss and norm, and the time since
    the run began.

    `horizon` of `T` steps is that of `layer`, the recurrent layer of the last look whose gradient reaches the smallest
    part of its sequence; T = 0 where none was seen. `nonfinite` steps had a loss or norm that is NaN or infinite,
    overflows that a loss scaler skips not counted; the first was `broke`, with `value`. `spikes` counts the other
    alarms, the last of them at `spiked`.
    """

    step: int = -1
    seconds: float = 0.0
    loss: float | None = None
    norm: float | None = None
    T: int = 0
    horizon: int = 0
    layer: str = ""
    nonfinite: int = 0
    broke: int | None = None
    value: str = ""
    spikes: int = 0
    spiked: int | None = None
    norms: Mapping[int, NormHistory] = field(default_factory=dict)

    def advanced(
        self, steps: Sequence[Step] = (), looks: Sequence[Look] = (), nonfinite: Sequence[NonFinite] = ()
    ) -> Progress:
        """Where it stands after these too, which come in the order of the steps."""
        return _found(_looked(_stepped(self, steps), looks), nonfinite)


def _stepped(before: Progress, steps: Sequence[Step]) -> Progress:
    if not steps:
        return before
    norms = dict(before.norms)
    broken = [step for step in steps if step.broken]
    spikes, spiked = before.spikes, before.spiked
    for step in steps:
        norm = step.unclipped
        if norm is None or not math.isfinite(norm):
            continue
        history = norms.get(step.site, NormHistory())
        if history.is_spike(norm):
            spikes, spiked = spikes + 1, step.step
        norms[step.site] = history.after(norm)
    after = replace(
        before,
        step=steps[-1].step,
        seconds=steps[-1].seconds,
        loss=steps[-1].loss,
        norm=steps[-1].unclipped,
        nonfinite=before.nonfinite + len(broken),
        spikes=spikes,
        spiked=spiked,
        norms=norms,
    )
    if not broken:
        return after
    return _broke(after, broken[0].step, nonfinite_value(broken[0].loss, broken[0].unclipped))


def _looked(before: Progress, looks: Sequence[Look]) -> Progress:
    for look in reversed(looks):
        seen = [each for each in look.time if any(map(math.isfinite, each.reach))]
        if seen:
            short = min(seen, key=lambda each: each.horizon / max(each.T, 1))
            return replace(before, T=short.T, horizon=short.horizon, layer=of_layer(short))
    return before


def _found(before: Progress, nonfinite: Sequence[NonFinite]) -> Progress:
    real = [found for found in nonfinite if not found.scaled_away]
    return _broke(before, real[0].step, real[0].value) if real else before


def _broke(before: Progress, step: int, value: NonFiniteValue | None) -> Progress:
    """Of the non-finite steps the first counts, also where only its replay tells of it."""
    first = before.broke is None or step < before.broke
    return replace(
        before,
        broke=step if first else before.broke,
        value=_NAMES[value] if first and value else before.value,
        nonfinite=max(before.nonfinite, 1),
    )
