"""Why a run turned NaN: where the first such value arose, what came before it, and the way out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.course import origin, steps_at
from gradreach.facts.statistics import known, quantile
from gradreach.facts.wording import figure, shortened
from gradreach.record.schema import NonFinite, Record
from gradreach.rules.nonfinite import came_from_the_model, only_shows

BEFORE = 20
"""Steps before the first non-finite one whose norms tell what led to it."""

GROWN = 5.0
"""Growth over those steps from which it is told: a norm wanders by 2 or 3 without meaning."""

_ARISES = {
    "input": "The data",
    "parameters": "The weights",
    "forward": "The forward pass",
    "loss": "The loss",
    "backward": "The backward pass",
}
_WAY_OUT = {
    "input": "keep such a batch out",
    "parameters": "the update before did it: lower the rate, or clip",
    "forward": "keep the operation within its domain, as by clamp",
    "loss": "use the loss that takes logits",
    "backward": "add a small constant under the root or quotient",
}


@dataclass(frozen=True, slots=True)
class _Growth:
    """The norm or the loss over the last `steps` steps before the break: what was usual, and the last one."""

    usual: float
    last: float
    steps: int

    @property
    def grown(self) -> bool:
        return self.usual > 0 and self.last >= GROWN * self.usual


def why_broken(record: Record, first: int, clip_at: float | None = None) -> tuple[str, str]:
    """Why step `first` was the first with a non-finite value: in short, and the rest of the sentence.

    `clip_at` is a threshold that would have bounded the growth before it, where one is known.
    """
    found = origin(record)
    if found is None or found.step > first:
        return "Its origin was not recorded", f". {_before(record, first, None)} With --every 1 the place is found."
    short = f"{_ARISES[found.phase]}{_place(found)}"
    before, way_out = _before(record, found.step, found), _way_out(record, found, clip_at)
    return short, f" {_held(found)}{_which(found)}. {before} Way out: {way_out}."


def _place(found: NonFinite) -> str:
    link = "for" if found.phase == "input" else "of"
    module = f" {link} `{shortened(found.module.replace('`', ''), 40)}`" if found.module else ""
    operation = shortened(found.operation.split(" ← ")[0].rpartition("::")[2], 40)
    return module + (f" ({operation})" if operation else "")


def _held(found: NonFinite) -> str:
    value = "infinity" if found.value == "inf" else "NaN"
    if only_shows(found):
        return f"shows the first {value}; what the model gave it was not seen"
    at = f", at its time step {found.time_step:,}" if found.time_step is not None else ""
    return f"held the first {value}{at}" if found.phase in ("input", "parameters") else f"made the first {value}{at}"


def _which(found: NonFinite) -> str:
    """Of bad data the place in the batch, as its replay found it."""
    if found.phase != "input" or not found.detail:
        return ""
    return f": {shortened(found.detail[:1].lower() + found.detail[1:].rstrip('.'), 90)}"


def _before(record: Record, first: int, found: NonFinite | None) -> str:
    """What the steps before the break were like, and the loss scale in force."""
    site = found.site if found is not None else next((s.site for s in record.steps if s.step == first), 0)
    steps = [step for step in steps_at(record, site) if step.step < first]
    scale = next((step.scale for step in record.steps if step.step == first), 1.0)
    under = f" Loss scale: {figure(scale, 6)}." if scale != 1.0 else ""
    norm, loss = _growth([s.unclipped for s in steps]), _growth([s.loss for s in steps])
    if not steps or norm is None:
        return f"No sound step came before.{under}" if not steps else f"No norm was measured before.{under}"
    for name, series in (("norm", norm), ("loss", loss)):
        if series is not None and series.grown:
            grown = f"the {name} had grown from {figure(series.usual)} to {figure(series.last)}"
            return f"In {_over(series)} before, {grown}.{under}"
    return f"The norm before was ordinary, {figure(norm.last)}.{under}"


def _over(growth: _Growth) -> str:
    return f"the {growth.steps} steps" if growth.steps > 1 else "the step"


def _growth(values: Sequence[float | None]) -> _Growth | None:
    last = known(values[-BEFORE:])
    if not last:
        return None
    usual = quantile(last[: max(len(last) // 2, 1)], 0.5)
    return _Growth(usual, last[-1], len(last)) if usual is not None else None


def _way_out(record: Record, found: NonFinite, clip_at: float | None) -> str:
    norms = [step.unclipped for step in steps_at(record, found.site) if step.step < found.step]
    growth = _growth(norms)
    unclipped = not any(step.clip for step in record.steps)
    if found.phase != "input" and growth is not None and growth.grown and unclipped:
        return f"clip the norm at {figure(clip_at or 2 * growth.usual, 2)}"
    if came_from_the_model(found):
        return "clip, or lower the rate: such a loss breaks only where the model's output did"
    if found.phase == "forward" and found.time_step is not None:
        return "an orthogonal W_hh, which stretches nothing"
    return _WAY_OUT[found.phase]
