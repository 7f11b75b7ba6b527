"""The rule on what is not finite: GR301, of the step family."""

from __future__ import annotations

import math
from dataclasses import replace

from gradreach.facts.course import first_break, origin, site_name
from gradreach.facts.legacy_thresholds import Thresholds
from gradreach.facts.statistics import is_finite, known, median, shown
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding, NonFinite, Record, Remedy
from gradreach.rules.remedy import clip, orthogonal
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

_SKIP = Remedy(
    "skip-step",
    "guard = gr.Guard(model, optimizer); guard.step(loss)  # import gradreach as gr; in place of backward and step",
    "keeps a bad batch out of the weights, and counts how often that happens",
)
_BY_PHASE = {
    "input": Remedy(
        "check-data", "assert torch.isfinite(x).all()  # where the batch is made", "the fault lies in the data"
    ),
    "parameters": Remedy("lower-rate", "lr = lr / 10", "an earlier update made the weights non-finite"),
    "forward": Remedy("safe-domain", "torch.log(x.clamp(min=1e-6))", "keeps the operation within its domain"),
    "loss": Remedy(
        "stable-loss",
        "F.binary_cross_entropy_with_logits(logits, y)  # or F.cross_entropy(logits, y)",
        "takes the logarithm of the whole, so that no probability of exactly 0 or 1 enters it",
    ),
    "backward": Remedy(
        "safe-slope",
        "torch.sqrt(x + 1e-12)  # norms, distances, divisions alike",
        "an operation may be finite where its slope is not",
    ),
}
_IS = {"input": "x", "parameters": "w", "forward": "y(x; w)", "loss": "L(y)", "backward": "∂L/∂w"}
_ARISES = {
    "input": "it came in with the data",
    "parameters": "the weights held it before the step began",
    "forward": "it arose in the forward pass",
    "loss": "it arose in the loss, from a finite output of the model",
    "backward": "it arose in the backward pass, from a finite loss",
}


_SHOWS = "it shows first in the loss"
_ON_LOGITS = ("LogSoftmax", "NllLoss", "BinaryCrossEntropyWithLogits", "CrossEntropy")
"""Operations, as autograd names them, of losses that take logits: only a model's output breaks them."""


_LARGE_STEPS = "a loss on logits breaks only where the model's output did, and large steps lead there"


def only_shows(found: NonFinite) -> bool:
    """Whether the loss is merely the first place where it was seen: what the model gave was not looked at."""
    return found.phase == "loss" and not found.replayed


def came_from_the_model(found: NonFinite) -> bool:
    """Whether a loss on logits shows it, which turns no finite output into what is not."""
    return only_shows(found) and any(name in found.operation for name in _ON_LOGITS)


def nonfinite(record: Record, _thresholds: Thresholds) -> Judged:
    """GR301: the first NaN or infinity, with the place where it arose."""
    if not record.steps and not record.nonfinite:
        return Judged(why_not="no backward pass was seen")
    step = first_break(record)
    if step is None:
        return Judged(_kept_out(record))
    found = origin(record)
    if found is None or found.step > step:
        return Judged((_unlocated(record, step),))
    return Judged((_located(record, found),))


def _kept_out(record: Record) -> tuple[Finding, ...]:
    """What would have broken the run, had the guard not kept it out of the weights."""
    if record.guarded is None:
        return ()
    unguarded = replace(record, guarded=None)
    step = first_break(unguarded)
    if step is None:
        return ()
    found = origin(unguarded)
    seen = _unlocated(record, step) if found is None or found.step > step else _located(record, found)
    because = f"{seen.because} The guard took no update from it, and the training went on."
    return (replace(seen, severity="warning", because=because, remedies=seen.remedies[:1]),)


def _located(record: Record, found: NonFinite) -> Finding:
    where: Where = {"step": found.step}
    kind = _kind(record, found)
    layered = ("layer", "direction") if not kind or numbered(kind) else ()
    for key in ("module", *layered, "time_step"):
        value = getattr(found, key)
        if value not in (None, ""):
            where[key] = value
    where["site"] = site_name(record, found.site)
    value = "NaN" if found.value == "nan" else "infinity"
    at = f" in `{found.module}`" if found.module else ""
    by = f" ({found.operation})" if found.operation else ""
    when = f" at its time step {found.time_step}" if found.time_step is not None else ""
    unsure = "; the step could not be run again, so " + (
        "whether the model's output was finite is not known (--every 1 keeps each step for that)"
        if only_shows(found)
        else "the place follows from what is non-finite after it"
    )
    how = "" if found.replayed else unsure
    detail = f" {_sentence(found.detail)}" if found.detail else ""
    arises = _SHOWS if only_shows(found) else _ARISES[found.phase]
    because = f"step {found.step} holds the first {value}: {arises}{at}{by}{when}{how}.{detail}"
    last = _last_sound(record, found.step)
    if found.phase == "parameters" and last is not None and last < found.step - 1:
        because += f" The steps between {last}, the last one measured and sound, and {found.step} were not measured."
    evidence: Evidence = {
        "phase": found.phase, "value": found.value, "operation": found.operation, "replayed": found.replayed,
        "nonfinite_steps": _broken_steps(record), "loss_before": _loss_before(record, found.step),
        "last_sound_step": last,
    }  # fmt: skip
    spreads = _spreads(record, found.step, _IS[found.phase], "NaN" if found.value == "nan" else "∞")
    remedies = (_remedy(record, found), _SKIP)
    return Finding("GR301", "error", NON_FINITE.title, where, evidence, because, remedies, spreads)


def _spreads(record: Record, number: int, what: str, value: str) -> str:
    """From where it arose to the weights that an update would leave, and the loss that was still sound."""
    update = "NaN" if value == "NaN" else f"±{value} or NaN"
    told = f"step {number}: {what} = {value} → w − η · ∂L/∂w = {update}"
    before = _loss_before(record, number)
    return told if before is None else f"{told}; last finite loss {shown(before)}"


def _remedy(record: Record, found: NonFinite) -> Remedy:
    if came_from_the_model(found):
        norms = known(step.unclipped for step in record.steps if step.step < found.step and step.site == found.site)
        return clip(
            record,
            found.site,
            shown(2 * median(norms)) if norms else "1.0",
            _LARGE_STEPS,
        )
    if found.phase != "forward" or found.time_step is None:
        return _BY_PHASE[found.phase]
    remedy = orthogonal(found.module, _kind(record, found) or found.operation, found.layer, found.direction)
    return replace(remedy, why="a recurrent matrix that stretches nothing keeps the state within the format's range")


def _kind(record: Record, found: NonFinite) -> str:
    """The kind of the recurrent module where it arose; empty where that was never looked at through time."""
    kinds = (seen.kind for look in record.looks for seen in look.time if seen.module == found.module)
    return next(kinds, "")


def _unlocated(record: Record, number: int) -> Finding:
    step = next(step for step in record.steps if step.step == number)
    what = "norm" if is_finite(step.loss) or step.loss is None else "loss"
    because = f"step {number} is the first whose {what} is not finite; its origin was not recorded."
    evidence: Evidence = {
        "loss": shown(step.loss), "norm": shown(step.unclipped), "nonfinite_steps": _broken_steps(record),
        "loss_before": _loss_before(record, number),
    }  # fmt: skip
    where: Where = {"step": number, "site": site_name(record, step.site)}
    value = step.unclipped if what == "norm" else step.loss
    symbol = "NaN" if value is None or math.isnan(value) else "∞"
    spreads = _spreads(record, number, "‖∂L/∂w‖" if what == "norm" else "L", symbol)
    return Finding("GR301", "error", NON_FINITE.title, where, evidence, because, (_SKIP,), spreads)


def _sentence(text: str) -> str:
    if text.split(" ", 1)[0].isalpha():  # a dotted name keeps its letters
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _broken_steps(record: Record) -> int:
    handled = {found.step for found in record.nonfinite if found.scaled_away}
    bad = {s.step for s in record.steps for v in (s.loss, s.unclipped) if v is not None and not math.isfinite(v)}
    return len((bad | {found.step for found in record.nonfinite}) - handled)


def _last_sound(record: Record, number: int) -> int | None:
    return max((step.step for step in record.steps if step.step < number and is_finite(step.unclipped)), default=None)


def _loss_before(record: Record, number: int) -> float | None:
    losses = known(step.loss for step in record.steps if step.step < number)
    return losses[-1] if losses else None


NON_FINITE = Rule(
    "GR301",
    "non-finite",
    "non-finite loss or gradient",
    ("error", "warning"),
    "step",
    Explain(
        cause="One operation left its domain or the number format's range; from there NaN and infinity spread "
        "through every sum, and one update makes all weights NaN. What matters is the first one.",
        mathematics=(
            "0 · ∞, ∞ − ∞, 0/0, log x and √x for x < 0 give NaN;   d√x/dx = 1/(2√x) = ∞ at 0",
            "largest finite number: float16 6.6e4, bfloat16 and float32 3.4e38",
            "clipping: g · threshold/‖g‖ turns one NaN into NaN everywhere, so the look comes before the clip",
        ),
        thresholds="At the first non-finite loss or norm; there is no figure to set. Overflows under a loss scaler are "
        "its way to find the scale; they are passed over as long as it skips the step. A warning where the guard of "
        "`run --guard` kept all such steps out of the weights.",
        remedies=(
            "Keep the operation in its domain (clamp, + 1e-12): free, and changes the function a little there.",
            "Losses on logits: free, exact.",
            "Skip the step, as gradreach run --guard does: training goes on; hides a bug if nobody counts.",
        ),
        silence="Hardly ever right: where a script skips such steps itself.",
        references=(
            "IEEE 754 (2019): Standard for floating-point arithmetic",
            "Micikevicius et al. (2018): Mixed precision training",
        ),
    ),
    nonfinite,
)

RULES = (NON_FINITE,)
