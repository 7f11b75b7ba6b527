"""What the rules on the gradient through depth share."""

from __future__ import annotations

from typing import Literal

from gradreach.facts.depth import DEPTH_DECADES, FEWEST_LAYERS, Trend
from gradreach.facts.facts import Facts
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.initial_scale import INITIAL_SCALE
from gradreach.remedies.advice.layer_norm import LAYER_NORM
from gradreach.rules import formula
from gradreach.rules.rule import Evidence, Rule, Where

MONOTONE = 0.8
"""Rank correlation of log gradient and depth that makes the change a trend over the layers, not a step between two."""

UNEQUAL = 100.0
"""Quotient of ‖w‖·‖∂L/∂w‖, late third over early third, that says the loss hardly depends on the early weights."""

TREND = (
    "A straight line through log₁₀ of the gradient's rms at each layer's output, in execution order. Normalisation "
    "layers, embeddings and the last layer are left out, for their units and scale differ by nature; "
    f"{FEWEST_LAYERS} layers must remain. It must span {DEPTH_DECADES.default:g} decades, for pooling or units of "
    f"unequal size make up to about two, with a rank correlation of {MONOTONE:g}, in two looks of three and the last "
    "one, so that neither one pooling step nor an odd batch is taken for it. "
)
"""When such a rule speaks, as far as both agree."""

WHOLE_CHANGE = "‖w‖·‖∂L/∂w‖: change of the loss per relative change of the weights, whatever the layer's scale"


def too_short(times: str) -> str:
    """Why no chain of layers can be judged that was to be watched so many times."""
    return f"no chain of more than {FEWEST_LAYERS} layers with weights was watched {times}"


Change = Literal["shrinks", "grows"]
"""What becomes of the gradient on its way to the input."""


def finding(rule: Rule, facts: Facts, trend: Trend, change: Change, harm: str, remedies: tuple[Remedy, ...]) -> Finding:
    """The finding of `rule` on a trend, with the harm that it does in words."""
    first, last = trend.layers[0], trend.layers[-1]
    because = (
        f"at step {trend.look.step}, over {len(trend.layers)} layers from `{last.module}` down to `{first.module}`, "
        f"the gradient's rms {change} "
        f"from {figure(last.grad_rms)} to {figure(first.grad_rms)}, times {figure(trend.factor)} a layer by the "
        f"fitted line; {harm}."
    )
    evidence: Evidence = {
        "layers": len(trend.layers), "growth_per_layer": trend.factor, "grad_rms_first": first.grad_rms,
        "grad_rms_last": last.grad_rms, "last_module": last.module, "weight_grad_norm_first": first.weight_grad_norm,
        "weight_grad_norm_last": last.weight_grad_norm, "update_size_first": trend.early_update,
        "update_size_last": last.update_ratio, "skip_connections": trend.look.skip_connections,
    }  # fmt: skip
    where: Where = {"module": first.module, "kind": first.kind, "site": facts.site_name(trend.look.site)}
    return rule.finding("error", where, evidence, because, remedies, _formula(facts, trend, change))


def initial_scale(facts: Facts, trend: Trend) -> Remedy:
    """Initial weights of the right scale for the layers of a trend, before the activation that most of them have."""
    activations = [seen.activation for seen in trend.look.depth if seen.activation]
    activation = max(activations, key=activations.count, default="relu")
    root = facts.seen.root_of(trend.layers[0].module)
    return INITIAL_SCALE.remedy("m.weight", activation, root, [seen.kind for seen in trend.layers])


def normalised(trend: Trend) -> Remedy:
    """Normalisation behind the layers of a trend, from the first one on."""
    first = trend.layers[0]
    return LAYER_NORM.remedy(first.module, first.kind, first.units)


def _formula(facts: Facts, trend: Trend, change: Change) -> str:
    """What reaches the first layer over what reaches the last, measured, and as the fitted line has it."""
    n, decades = len(trend.layers), facts.thresholds[DEPTH_DECADES]
    sign, limit = ("≤", 10.0**-decades) if change == "shrinks" else ("≥", 10.0**decades)
    measured = formula.quotient(trend.layers[0].grad_rms or 0.0, trend.layers[-1].grad_rms or 0.0)
    fitted = formula.raised(trend.factor, n - 1)
    return f"rms(∂L/∂x_1) / rms(∂L/∂x_{n}) = {measured}; fitted line: {fitted} {sign} {figure(limit)}"
