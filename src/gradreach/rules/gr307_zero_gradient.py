"""GR307: parameters whose gradient is exactly 0, look after look, and the operation at which it becomes so."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.depth import in_order
from gradreach.facts.facts import Facts
from gradreach.facts.first_step import OneDirection, recurrent_weight
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, count, percent, shortened
from gradreach.facts.zero_gradients import MANY_LOOKS, ZeroStretch
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.record.seen.loss import LossLook
from gradreach.remedies.advice.connect import CONNECT
from gradreach.remedies.advice.follow_gradient import FOLLOW_GRADIENT
from gradreach.remedies.advice.learning_rate import LEARNING_RATE
from gradreach.remedies.advice.linear_end import LINEAR_END
from gradreach.remedies.advice.one_logit import ONE_LOGIT
from gradreach.remedies.advice.random_start import RANDOM_START
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.remedies.advice.scale_loss import SCALE_LOSS
from gradreach.remedies.advice.smooth_activation import SMOOTH_ACTIVATION
from gradreach.remedies.advice.stable_loss import STABLE_LOSS
from gradreach.remedies.advice.straight_through import STRAIGHT_THROUGH
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

_SPELT = {"threshold": "relu", "hardtanh": "hardtanh or relu6"}
"""Activations by the name under which a script knows them, where autograd has another."""

LARGE = 10.0
"""Size of a first layer's output that speaks of inputs out of scale; the usual one is about 1."""

SATURATED_UNITS = 0.95
"""Share of a recurrent layer's activations in the flat part from which on these are why nothing leaves it."""


def judge(facts: Facts) -> RuleOutcome:
    """Each place at which the gradient ends, at each line that calls backward."""
    counts = [sum(look.site == site.number for look in facts.seen.looks) for site in facts.sites]
    if max(counts, default=0) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no line that calls backward was watched {MIN_LOOKS} times")
    found = [each for each in facts.zero_stretches if not (_is_of_states(facts, each) or _is_of_one_value(facts, each))]
    return RuleOutcome(tuple(_finding(facts, each) for each in found))


def _is_of_states(facts: Facts, found: ZeroStretch) -> bool:
    """Whether these are recurrent matrices, whose gradient is 0 because no error comes to a step behind another."""
    unfed = {seen.module for _, seen in facts.seen.uncarried_states if not seen.is_given} | set(facts.seen.single_steps)
    seen = (each for look in facts.seen.looks for each in look.time)
    read_first = {recurrent_weight(each) for each in seen if OneDirection.of(each) in facts.seen.read_first}
    owners = {name.rpartition(".weight_hh")[0] for name in found.cause.parameters if name not in read_first}
    return owners <= unfed


def _is_of_one_value(facts: Facts, found: ZeroStretch) -> bool:
    """Whether the gradient ends at a normalisation over one value, or at a layer behind, as GR207 tells."""
    modules = {each.module for look in facts.seen.looks for each in look.single_values}
    cause = found.cause
    return (cause.why == "single" and cause.module in modules) or (cause.why == "input" and bool(modules))


def _finding(facts: Facts, found: ZeroStretch) -> Finding:
    cause, severity = found.cause, _severity(facts, found)
    seen = f"the last {found.looks} of {found.of} looks" if found.before else f"all {found.looks} looks"
    share = percent(cause.elements / max(cause.of, 1), 3)
    nothing = f"{_who(found)} got a gradient of exactly 0"
    if cause.why == "derivative":
        nothing = f"a term of the loss that is made of derivatives gives {_who(found)} a gradient of exactly 0"
    because = (
        f"{nothing}: {_reason(facts, found)}. That is "
        f"{count(len(cause.parameters), 'parameter')}, {share} of the trained numbers, in {seen}, steps "
        f"{found.first:,} to {found.last:,}."
    )
    evidence: Evidence = {
        "operation": cause.operation, "parameters": len(cause.parameters),
        "names": ", ".join(cause.parameters[:8]), "share": cause.elements / max(cause.of, 1),
        "looks": found.looks, "first_step": found.first, "why": cause.why,
    }  # fmt: skip
    where: Where = {"module": _place(found), "site": facts.site_name(found.site)}
    how = f"∂L/∂w = 0 for {len(cause.parameters)} w, in {found.looks} ≥ {MIN_LOOKS} looks in a row"
    return RULE.finding(severity, where, evidence, because, _remedies(facts, found), how)


def _headline(_: Facts, finding: Finding) -> str:
    """Who gets nothing, and why; the numbers stand in the finding."""
    return capital(finding.because.split(". That is ", 1)[0]) + "."


def _severity(facts: Facts, found: ZeroStretch) -> Severity:
    """How serious it is. Advantages that are all 0, once they were not, are no fault: nothing is left to tell apart."""
    if found.cause.why == "factor" and found.before and facts.site(found.site).free == "weighed":
        return "info"
    return "error" if found.is_whole or found.cause.why == "derivative" else "warning"


def _place(found: ZeroStretch) -> str:
    """The module at which the gradient ends: the layer for one that is the cause itself, else what comes before it."""
    cause = found.cause
    if cause.why == "derivative":
        return found.modules[0]
    if cause.why in ("weights", "input", "unused") or not cause.behind:
        return cause.module or found.modules[0]
    return cause.behind


def _who(found: ZeroStretch) -> str:
    """The layers in words."""
    told = [f"`{shortened(name, 40)}`" for name in _layers(found.cause.parameters) or found.modules]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def _layers(names: Sequence[str]) -> list[str]:
    """Of parameters that are numbered by layer and direction, as those of torch's recurrent layers, which these are."""
    places: dict[str, None] = {}
    for name in names:
        module, _, own = name.rpartition(".")
        kind, _, layer = own.removesuffix("_reverse").rpartition("_l")
        if kind not in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr") or not layer.isdecimal():
            return []
        places[f"{module} layer {layer}" + (" reverse" if own.endswith("_reverse") else "")] = None
    return sorted(places)


def _reason(facts: Facts, found: ZeroStretch) -> str:
    """Why the gradient ends, in a clause."""
    cause = found.cause
    operation = f"`{cause.operation}`"
    inside = f" in `{cause.module}` ({cause.kind})" if cause.module else " in the script's own code"
    behind = f", behind `{cause.behind}`," if cause.behind else ""
    at = f"{operation}{inside}{behind}"
    layer = f"`{cause.module or found.modules[0]}`"
    if cause.why == "derivative":
        name = _SPELT.get(cause.operation, cause.operation)
        return f"`{name}` is made of straight pieces, so that its second derivative is 0 everywhere"
    if _is_saturated(facts, found):
        return f"the units of {layer} sit so far out that every slope rounds to 0"
    off = "every value" if cause.share is None or cause.share >= 1.0 else f"{percent(cause.share)} of the values"
    if _is_of_output(facts, found):
        off, at = "every value", f"{operation}, the last operation before the loss,{inside}{behind}"
    return {
        "flat": f"{at} is a step, whose slope is 0 everywhere",
        "off": f"{off} of {at} is off, on the side where its slope is 0" if off.startswith("every") else
        f"{off} of {at} are off, all that a gradient reaches among them",
        "saturated": f"{at} sits so far out that its slope rounds to 0",
        "single": f"{at} runs over a single value, which it makes a constant",
        "weights": f"all weights of {layer} are 0, and nothing passes through them",
        "input": f"all that goes into {layer} is 0",
        "factor": f"{at} multiplies by nothing but 0",
        "unused": f"nothing that the loss depends on uses that part of {layer}'s output ({operation})",
        "underflow": f"the gradient that reaches {at} is so small that it rounds to 0 there",
        "empty": f"no row of the batch goes into {layer}",
        "unknown": f"the gradient ends at {at.removesuffix(',')}",
        "untraced": "the gradient ends on its way back, where its graph could not be followed",
    }[cause.why]  # fmt: skip


def _is_saturated(facts: Facts, found: ZeroStretch) -> bool:
    """Whether the gradient ends in a recurrent layer whose units are saturated."""
    seen = [each for look in facts.seen.looks if look.step == found.last for each in look.time]
    here = [each.saturated for each in seen if each.module == found.cause.module and numbered(each.kind)]
    return found.cause.why in ("unknown", "saturated") and any((s or 0.0) >= SATURATED_UNITS for s in here)


def _is_large(facts: Facts, found: ZeroStretch) -> bool:
    """Whether the first layer with weights put out large values at first, as inputs out of scale make it."""
    first = next(look for look in facts.seen.looks if look.site == found.site)
    weighty = [seen for seen in in_order(first) if seen.parameters]
    return bool(weighty) and (weighty[0].activation_rms or 0.0) >= LARGE


def _is_of_output(facts: Facts, found: ZeroStretch) -> bool:
    """Whether what is off is the output itself: the operation is the last one before the loss, and gives it nothing but
    0, or classes that are all alike."""
    if found.cause.why != "off":
        return False
    looks = (look for look in facts.seen.looks if look.site == found.site and found.first <= look.step <= found.last)
    compared = [look.losses for look in looks if look.losses]
    return bool(compared) and all(any(_holds_it(seen, found) for seen in parts) for parts in compared)


def _holds_it(seen: LossLook, found: ZeroStretch) -> bool:
    """Whether a loss holds what is off against a target: in a row that lives some number would be above 0."""
    if seen.last != found.cause.operation or seen.outputs is None or seen.outputs.low != seen.outputs.high:
        return False
    return seen.outputs.high == 0.0 or "cross entropy" in seen.kind


def _without_activation(found: ZeroStretch) -> Remedy:
    """The output as the layer before gives it."""
    cause = found.cause
    name = _SPELT.get(cause.operation, cause.operation)
    return LINEAR_END.remedy_because(
        f"no {name} on what the loss takes: where its every value is off, nothing learns",
        name, cause.module, cause.behind,
    )  # fmt: skip


def _remedies(facts: Facts, found: ZeroStretch) -> tuple[Remedy, ...]:
    cause, root = found.cause, facts.seen.root_of(found.modules[0])
    scaled = SCALE_INPUT.remedy(root)
    if _is_saturated(facts, found):
        return (scaled,)
    if cause.why == "off":
        other = LEARNING_RATE.remedy(10.0) if found.before else RANDOM_START.remedy(root)
        others = (scaled, other) if _is_large(facts, found) else (other, scaled)
        return (_without_activation(found), *others) if _is_of_output(facts, found) else others
    updates = facts.updates.get(found.site)
    half = None if updates is None else updates.underflowed
    if cause.why == "underflow" and half is not None and not half.is_pure:
        return (SCALE_LOSS.remedy(half.scale),)
    return {
        "flat": (STRAIGHT_THROUGH.remedy(cause.operation),),
        "saturated": (STABLE_LOSS.remedy(), scaled),
        "single": (ONE_LOGIT.remedy(),),
        "derivative": (SMOOTH_ACTIVATION.remedy(),),
        "weights": (RANDOM_START.remedy(root),),
        "unused": (CONNECT.remedy(),),
    }.get(cause.why, (FOLLOW_GRADIENT.remedy(found.modules[0]),))


RULE = Rule(
    code="GR307",
    slug="zero-gradient",
    title="gradient of exactly 0",
    severities=("error", "warning", "info"),
    family="step",
    explain=Explanation(
        cause="The loss leads to these parameters, and yet what arrives there is exactly 0: on the way back stands an "
        "operation without slope (a sign or a rounding), one whose every value is off or saturated, a layer whose "
        "weights are all 0, or a part of an output that nothing uses. A parameter that no path leads to is GR306's.",
        mathematics=(
            "∂L/∂x = f′(x) · ∂L/∂f = 0 where f′(x) = 0: sign, round, floor; relu for x < 0; clamp outside; a sigmoid "
            "or tanh whose result rounds to its limit",
            "y = W x:   ∂L/∂x = Wᵀ ∂L/∂y = 0 where W = 0,   ∂L/∂W = ∂L/∂y xᵀ = 0 where x = 0",
        ),
        thresholds=f"The gradient is exactly 0 in each of the last looks, {MIN_LOOKS} at least: no rounding, no limit. "
        "From the second such look on the graph of the step is followed from the loss to the first operation that gets "
        "a gradient and passes nothing else than zeros on. An error where nothing before that place gets a gradient, "
        "or nine tenths of the trained numbers get none; else a warning. It is silent where another line's backward "
        "pass gives a gradient, where the loss fell to exactly 0, on tables of which a batch asks for few rows, and on "
        "less than a hundredth of the numbers for which no operation gives a reason. A part that was idle and busy "
        f"by turns is judged from {MANY_LOOKS} looks on. Advantages that are all 0, once they were not, are "
        "information.",
        remedies=(
            "A straight-through estimator for a step: free; its gradient is biased.",
            "No activation on the output, where that is what is off: free; the output is then not held above 0.",
            "Inputs of size 1, a lower rate, another start: where all is off; see GR204.",
            "A start at random: where all weights are 0; free.",
            "Use the output: if it should learn; else leave the part out.",
        ),
        silence="For parts that are meant to wait, as a branch that a schedule opens later.",
        references=(
            "Bengio, Leonard, Courville (2013): Estimating or propagating gradients through stochastic neurons",
            "Lu, Shin, Su, Karniadakis (2020): Dying ReLU and initialization",
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    labels={"share": "share of the trained numbers"},
    zoo=(
        *("gr307_rounding", "gr307_all_off", "gr307_zero_weights", "gr307_single_softmax"),
        *("gr307_unused_layer", "gr307_second_derivative", "gr307_output_off"),
    ),
)
