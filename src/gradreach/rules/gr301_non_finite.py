"""GR301: the first NaN or infinity, with the place where it arose."""

from __future__ import annotations

import math
from dataclasses import replace

from gradreach.facts.breaks import came_from_the_model, only_shows
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite, known, median
from gradreach.facts.wording import figure
from gradreach.record.kinds import has_hidden_weights, numbered
from gradreach.record.nonfinite import Phase
from gradreach.record.schema import Finding, NonFinite, Remedy
from gradreach.remedies.advice.check_data import CHECK_DATA
from gradreach.remedies.advice.clip import CLIP
from gradreach.remedies.advice.lower_rate import LOWER_RATE
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.remedies.advice.safe_domain import SAFE_DOMAIN
from gradreach.remedies.advice.safe_slope import SAFE_SLOPE
from gradreach.remedies.advice.skip_step import SKIP_STEP
from gradreach.remedies.advice.stable_loss import STABLE_LOSS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

_BY_PHASE: dict[Phase, Remedy] = {
    "input": CHECK_DATA.remedy(),
    "parameters": LOWER_RATE.remedy_because("an earlier update made the weights non-finite", "10"),
    "forward": SAFE_DOMAIN.remedy(),
    "loss": STABLE_LOSS.remedy(),
    "backward": SAFE_SLOPE.remedy(),
}
_SYMBOL = {"input": "x", "parameters": "w", "forward": "y(x; w)", "loss": "L(y)", "backward": "∂L/∂w"}
_ARISES = {
    "input": "it came in with the data",
    "parameters": "the weights held it before the step began",
    "forward": "it arose in the forward pass",
    "loss": "it arose in the loss, from a finite output of the model",
    "backward": "it arose in the backward pass, from a finite loss",
}
_PLACE = {
    "input": "the data",
    "parameters": "the weights before the step",
    "forward": "the forward pass",
    "loss": "the loss",
    "backward": "the backward pass",
}


def judge(facts: Facts) -> RuleOutcome:
    """The first value that is not finite, whatever it is that broke; a warning where a guard kept all of them out."""
    record = facts.record
    if not record.steps and not record.nonfinite:
        return RuleOutcome(why_not="no backward pass was seen")
    if facts.first_break is not None:
        return RuleOutcome((_first(facts, facts.first_break),))
    if (step := facts.without_guard.first_break) is None:
        return RuleOutcome()
    seen = _first(facts.without_guard, step)
    because = f"{seen.because} The guard took no update from it, and the training went on."
    return RuleOutcome((replace(seen, severity="warning", because=because, remedies=seen.remedies[:1]),))


def _first(facts: Facts, step: int) -> Finding:
    found = facts.origin
    return _unlocated(facts, step) if found is None or found.step > step else _located(facts, found)


def _located(facts: Facts, found: NonFinite) -> Finding:
    last = _last_sound(facts, found.step)
    evidence: Evidence = {
        "phase": found.phase, "value": found.value, "operation": found.operation, "replayed": found.replayed,
        "nonfinite_steps": _broken_steps(facts), "loss_before": _loss_before(facts, found.step),
        "last_sound_step": last,
    }  # fmt: skip
    spreads = _spreads(facts, found.step, _SYMBOL[found.phase], "NaN" if found.value == "nan" else "∞")
    remedies = (_remedy(facts, found), SKIP_STEP.remedy())
    return RULE.finding("error", _where(facts, found), evidence, _because(found, last), remedies, spreads)


def _where(facts: Facts, found: NonFinite) -> Where:
    where: Where = {"step": found.step}
    kind = _kind(facts, found)
    layered = ("layer", "direction") if not kind or numbered(kind) else ()
    for key in ("module", *layered, "time_step"):
        value = getattr(found, key)
        if value not in (None, ""):
            where[key] = value
    return {**where, "site": facts.site_name(found.site)}


def _because(found: NonFinite, last: int | None) -> str:
    """Where it arose, how sure that is, and since which step, `last`, nothing was measured."""
    value = "NaN" if found.value == "nan" else "infinity"
    at = f" in `{found.module}`" if found.module else ""
    by = f" ({found.operation})" if found.operation else ""
    when = f" at its time step {found.time_step}" if found.time_step is not None else ""
    unsure = "; the step could not be run again, so " + (
        "whether the model's output was finite is not known (--every 1 keeps each step for that)"
        if only_shows(found)
        else "the place follows from what is non-finite after it"
    )
    arises = "it shows first in the loss" if only_shows(found) else _ARISES[found.phase]
    because = f"step {found.step} holds the first {value}: {arises}{at}{by}{when}{'' if found.replayed else unsure}."
    because += f" {_sentence(found.detail)}" if found.detail else ""
    if found.phase == "parameters" and last is not None and last < found.step - 1:
        because += f" The steps between {last}, the last one measured and sound, and {found.step} were not measured."
    return because


def _unlocated(facts: Facts, number: int) -> Finding:
    step = next(step for step in facts.record.steps if step.step == number)
    what = "norm" if is_finite(step.loss) or step.loss is None else "loss"
    because = f"step {number} is the first whose {what} is not finite; its origin was not recorded."
    evidence: Evidence = {
        "loss": figure(step.loss), "norm": figure(step.unclipped), "nonfinite_steps": _broken_steps(facts),
        "loss_before": _loss_before(facts, number),
    }  # fmt: skip
    value = step.unclipped if what == "norm" else step.loss
    symbol = "NaN" if value is None or math.isnan(value) else "∞"
    spreads = _spreads(facts, number, "‖∂L/∂w‖" if what == "norm" else "L", symbol)
    where: Where = {"step": number, "site": facts.site_name(step.site)}
    return RULE.finding("error", where, evidence, because, (SKIP_STEP.remedy(),), spreads)


def _spreads(facts: Facts, number: int, what: str, value: str) -> str:
    """From where it arose to the weights that an update would leave, and the loss that was still sound."""
    update = "NaN" if value == "NaN" else f"±{value} or NaN"
    told = f"step {number}: {what} = {value} → w − η · ∂L/∂w = {update}"
    before = _loss_before(facts, number)
    return told if before is None else f"{told}; last finite loss {figure(before)}"


def _remedy(facts: Facts, found: NonFinite) -> Remedy:
    if came_from_the_model(found):
        norms = known(step.unclipped for step in facts.site(found.site).steps if step.step < found.step)
        why = "a loss on logits breaks only where the model's output did, and large steps lead there"
        threshold = figure(2 * median(norms)) if norms else "1.0"
        return CLIP.remedy_because(why, facts.models_at(found.site), threshold)
    if found.phase != "forward" or found.time_step is None:
        return _BY_PHASE[found.phase]
    kind = _kind(facts, found) or found.operation
    if not has_hidden_weights(kind):
        return _BY_PHASE[found.phase]
    why = "a recurrent matrix that stretches nothing keeps the state within the format's range"
    return ORTHOGONAL.remedy_because(why, found.module, kind, found.layer, found.direction)


def _kind(facts: Facts, found: NonFinite) -> str:
    """The kind of the recurrent module where it arose; empty where that was never looked at through time."""
    kinds = (seen.kind for look in facts.record.looks for seen in look.time if seen.module == found.module)
    return next(kinds, "")


def _sentence(text: str) -> str:
    if text.split(" ", 1)[0].isalpha():  # a dotted name keeps its letters
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _broken_steps(facts: Facts) -> int:
    return len(set(facts.nonfinite_steps) - facts.scaled_away)


def _last_sound(facts: Facts, number: int) -> int | None:
    steps = facts.record.steps
    return max((step.step for step in steps if step.step < number and is_finite(step.unclipped)), default=None)


def _loss_before(facts: Facts, number: int) -> float | None:
    losses = known(step.loss for step in facts.record.steps if step.step < number)
    return losses[-1] if losses else None


def _headline(facts: Facts, finding: Finding) -> str:
    """The verdict on a run that broke, or that a guard kept from breaking."""
    at = finding.where.get("step", facts.first_break)
    if finding.severity == "warning":
        return f"The guard kept step {at} out of the weights: {_origin(finding)}."
    return f"Training broke at step {at}: {_origin(finding)}."


def _origin(finding: Finding) -> str:
    """Where the first non-finite value arose, as far as it is known."""
    phase, where = str(finding.evidence.get("phase", "")), finding.where
    if phase not in _PLACE:
        return "the loss or the gradient is not finite from there on, its origin was not recorded"
    value = "infinity" if finding.evidence.get("value") == "inf" else "NaN"
    module = f" of `{where['module']}`" if where.get("module") else ""
    operation = f" ({finding.evidence['operation']})" if finding.evidence.get("operation") else ""
    at = f", at its time step {where['time_step']}" if "time_step" in where else ""
    shows = "shows" if phase == "loss" and not finding.evidence.get("replayed") else "arose"
    return f"the first {value} {shows} in {_PLACE[phase]}{module}{operation}{at}"


RULE = Rule(
    code="GR301",
    slug="non-finite",
    title="non-finite loss or gradient",
    severities=("error", "warning"),
    family="step",
    explain=Explanation(
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
    judge=judge,
    headline=_headline,
    urgency=0,
    zoo=(
        "gr301_inf_in_data",
        "gr301_log_of_negative",
        "gr301_loss_by_hand",
        "gr301_recurrence_overflows",
        "gr301_root_at_zero",
    ),
)
