"""GR301: the first NaN or infinity, with the place where it arose."""

from __future__ import annotations

import math
from dataclasses import replace

from gradreach.facts.breaks import DIVIDED, TELLS_ROW, fault, line, only_shows, spot, symbol
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite, known
from gradreach.facts.wording import figure
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding, NonFinite
from gradreach.remedies.advice.skip_step import SKIP_STEP
from gradreach.rules.non_finite_remedies import kind_at, remedies_for
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

_SYMBOL = {"input": "x", "parameters": "w", "forward": "y(x; w)", "loss": "L(y)", "backward": "∂L/∂w"}
_ARISES = {
    "input": "it came in with the data",
    "parameters": "the weights held it before the step began",
    "forward": "it arose in the forward pass",
    "loss": "it arose in the loss, from a finite output of the model",
    "backward": "it arose in the backward pass, from a finite loss",
}
_UNSURE = "; the value itself was not seen, and the place follows from what is non-finite after it"
_UNSURE_LOSS = (
    "; the step could not be run again, so whether the model's output was finite is not known "
    "(--every 1 keeps each step for that)"
)
_PLACE = {
    "input": "the data",
    "parameters": "the weights before the step",
    "forward": "the forward pass",
    "loss": "the loss",
    "backward": "the backward pass",
}
_DIVIDED = {
    "sum of a row": "A row divided by its sum is NaN where that is 0, as in a row without an entry, or NaN itself.",
    "norm of a row": "A row divided by its norm is NaN where that is 0, as in a row of zeros, or NaN itself.",
    "deviation of a column": "A column divided by its deviation is NaN where that is 0, as in a constant column, or "
    "NaN itself, as where a value is missing.",
}
"""How NaN comes about throughout a row or column, by what the others were divided by."""


def judge(facts: Facts) -> RuleOutcome:
    """The first value that is not finite, whatever it is that broke; a warning where no such step spoilt a weight."""
    record = facts.record
    if not record.steps and not record.nonfinite:
        return RuleOutcome(why_not="no backward pass was seen")
    if facts.first_break is not None:
        return RuleOutcome((_first(facts, facts.first_break),))
    if (step := facts.first_not_finite) is None:
        return RuleOutcome()
    seen = _first(facts.without_guard, step)
    because = f"{seen.because} {_went_on(facts, step)}"
    others = tuple(each for each in seen.remedies if each.id != SKIP_STEP.id)
    return RuleOutcome((replace(seen, severity="warning", because=because, remedies=(others or seen.remedies)[:1]),))


def _went_on(facts: Facts, step: int) -> str:
    """Why a step that was not finite did no harm."""
    if step in facts.kept_out:
        return "The guard took no update from it, and the training went on."
    return "The losses after it are finite again: no weight was spoilt, and the training went on."


def _first(facts: Facts, step: int) -> Finding:
    found = facts.origin
    return _unlocated(facts, step) if found is None or found.step > step else _located(facts, found)


def _located(facts: Facts, found: NonFinite) -> Finding:
    last = _last_sound(facts, found.step)
    evidence: Evidence = {
        "phase": found.phase, "value": found.value, "operation": found.operation or None, "cause": found.cause or None,
        "argument": found.argument or None, "replayed": found.replayed,
        "nonfinite_steps": _broken_steps(facts), "loss_before": _loss_before(facts, found.step),
        "last_sound_step": last,
    }  # fmt: skip
    spreads = _spreads(facts, found.step, _SYMBOL[found.phase], "NaN" if found.value == "nan" else "∞")
    remedies = remedies_for(facts, found)
    return RULE.finding("error", _where(facts, found), evidence, _because(found, last), remedies, spreads)


def _where(facts: Facts, found: NonFinite) -> Where:
    where: Where = {"step": found.step}
    kind = kind_at(facts, found)
    layered = ("layer", "direction") if not kind or numbered(kind) else ()
    for key in ("module", *layered, "time_step"):
        value = getattr(found, key)
        if value not in (None, ""):
            where[key] = value
    return {**where, "site": found.source or facts.site_name(found.site)}


def _because(found: NonFinite, last: int | None) -> str:
    """What happened and where, how sure that is, and since which step, `last`, nothing was measured."""
    what, where = fault(found), line(found)
    by = f" ({found.operation})" if found.operation and not what else ""
    at = f" in `{found.module}`" if found.module else ""
    when = f" at its time step {found.time_step}" if found.time_step is not None else ""
    arises = "it shows first in the loss" if only_shows(found) else _ARISES[found.phase]
    because = f"step {found.step} holds the first {symbol(found)}: {arises}{at}{by}{when}"
    because += f", at {where}" if where else ""
    because += f": {what}" if what else ""
    because += f", first at {spot(found)}" if spot(found) and found.cause not in ("optimizer constant",) else ""
    because += f"{'' if found.replayed else _UNSURE_LOSS if only_shows(found) else _UNSURE}."
    because += f" {_DIVIDED[found.cause]}" if found.cause in DIVIDED else ""
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
    if finding.severity == "warning" and at in facts.kept_out:
        return f"The guard kept step {at} out of the weights: {_origin(facts, finding)}."
    if finding.severity == "warning":
        return f"Step {at} was not finite, and spoilt no weight: {_origin(facts, finding)}."
    return f"Training broke at step {at}: {_origin(facts, finding)}."


def _origin(facts: Facts, finding: Finding) -> str:
    """What the first non-finite value came from, as far as it is known."""
    found, where = facts.origin or facts.without_guard.origin, finding.where
    if "phase" not in finding.evidence or found is None:
        return "the loss or the gradient is not finite from there on, its origin was not recorded"
    what, at = fault(found), _at(found)
    if what:
        return f"{what}{at}"
    operation = f" ({found.operation})" if found.operation else ""
    module = f" of `{where['module']}`" if where.get("module") else ""
    shows = "shows" if only_shows(found) else "arose"
    return f"the first {symbol(found)} {shows} in {_PLACE[found.phase]}{module}{operation}{at}"


def _at(found: NonFinite) -> str:
    """The module, its time step, the line and the row, as far as they are known."""
    module = f", in `{found.module}`" if found.module and fault(found) and found.phase != "parameters" else ""
    step = f", at its time step {found.time_step:,}" if found.time_step is not None else ""
    row = f", {spot(found)}" if found.cause in TELLS_ROW and spot(found) else ""
    return f"{row}{module}{step}" + (f" ({found.source})" if found.source else "")


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
        "`run --guard` kept all such steps out of the weights, or where the losses after them are finite again.",
        remedies=(
            "Keep the operation in its domain and off its singular points (clamp, + 1e-8): free, and changes the "
            "function a little there.",
            "Choose before the operation as well as after it: one more where, and no 0 · ∞ on the way back.",
            "Losses on logits, logsumexp, a stabiliser beside exponential gates: free, exact.",
            "Drop the rows that are not finite, leave one position of each masked row open: both cost nothing.",
            "An eps of 1e-4 for float16 weights: smaller steps. Or float32 weights under autocast: more memory.",
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
        "gr301_distance_in_the_loss",
        "gr301_half_precision_adam",
        "gr301_hidden_branch",
        "gr301_inf_in_data",
        "gr301_log_of_negative",
        "gr301_loss_by_hand",
        "gr301_masked_row",
        "gr301_nan_targets",
        "gr301_never_initialised",
        "gr301_recurrence_overflows",
        "gr301_root_at_zero",
        "gr301_scale_far_too_high",
        "gr301_words_of_nothing",
    ),
)
