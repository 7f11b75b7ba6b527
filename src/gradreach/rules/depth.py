"""Rules on the gradient through depth: GR201 and GR202."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

from gradreach.facts.course import (
    MIN_LOOKS,
    blow_up,
    first_break,
    origin,
    root_of,
    site_name,
    sound_looks,
    stalled,
    worse_than_at_first,
)
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_positive, known, median, most, rank_correlation, shown, slope
from gradreach.record.schema import DepthLook, Finding, Look, Record, Remedy
from gradreach.rules import formula
from gradreach.rules.remedy import clip, initial_scale, normalise, residual
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

FEWEST_LAYERS = 5
"""Layers with weights, the last one left out, below which three decades are no trend but one odd layer."""

MONOTONE = 0.8
"""Rank correlation of log gradient and depth that makes the change a trend over the layers, not a step between two."""

UNEQUAL = 100.0
"""Quotient of ‖w‖·‖∂L/∂w‖, late third over early third, that says the loss hardly depends on the early weights."""

SLOW = 1e-6
"""‖Δw‖ / ‖w‖ of a layer that does not learn: a thousandth of the usual 1e-3."""

STILL = 1e-7
"""‖Δw‖ / ‖w‖ under which an update is lost in float32's rounding of the weight itself."""

TORN = 0.1
"""‖Δw‖ / ‖w‖ at which ten steps replace the weights."""

REPLACED = 1.0
"""‖Δw‖ / ‖w‖ of a single update after which nothing is left of the weights."""


_GLOROT = "Glorot, Bengio (2010): Understanding the difficulty of training deep feedforward neural networks"
_HE = "He, Zhang, Ren, Sun (2015): Delving deep into rectifiers"
_RESIDUAL = "He, Zhang, Ren, Sun (2016): Deep residual learning for image recognition"

_RELU = Remedy(
    "activation", "nn.ReLU()  # in place of nn.Sigmoid()", "slope 1 where it is on; a logistic's is at most 1/4"
)


@dataclass(frozen=True, slots=True)
class Trend:
    """log₁₀ of the gradient's rms along one look's execution order: `decades` from first to last layer, as fitted."""

    look: Look
    layers: tuple[DepthLook, ...]
    decades: float
    logs: tuple[float, ...]
    leverage: float | None

    @property
    def rank(self) -> float:
        """1 where the gradient only grows along the execution order, −1 where it only falls."""
        return rank_correlation(self.logs)

    @property
    def factor(self) -> float:
        """Growth of the gradient's rms from one layer to the next one below it, towards the input."""
        return float(10.0 ** (-self.decades / (len(self.layers) - 1)))


def _trend(look: Look) -> Trend | None:
    layers = [
        seen
        for seen in sorted(look.depth, key=lambda seen: seen.order)
        if seen.weight_norm and is_positive(seen.weight_grad_norm) and is_positive(seen.grad_rms)
        if "Norm" not in seen.kind and "Embedding" not in seen.kind and is_positive(seen.weight_norm)
    ][:-1]
    if len(layers) < FEWEST_LAYERS:
        return None
    logs = [math.log10(seen.grad_rms or 1.0) for seen in layers]
    third = max(len(layers) // 3, 1)
    early, late = (median([_pull(seen) for seen in part]) for part in (layers[:third], layers[-third:]))
    leverage = late / early if early > 0 else None
    return Trend(look, tuple(layers), slope(logs) * (len(logs) - 1), tuple(logs), leverage)


def _pull(seen: DepthLook) -> float:
    """‖w‖·‖∂L/∂w‖: by how much a relative change of the weights moves the loss; free of the layer's scale and size."""
    return (seen.weight_norm or 0.0) * (seen.weight_grad_norm or 0.0)


def _trends(record: Record) -> dict[int, list[Trend]]:
    trends: dict[int, list[Trend]] = defaultdict(list)
    for look in sound_looks(record):
        trend = _trend(look)
        if trend is not None:
            trends[look.site].append(trend)
    return trends


def _early_ratio(trend: Trend) -> float | None:
    third = max(len(trend.layers) // 3, 1)
    ratios = known(seen.update_ratio for seen in trend.layers[:third])
    return median(ratios) if ratios else None


def vanishing(record: Record, thresholds: Thresholds) -> Judged:
    """GR201: the gradient falls over decades on its way to the input, and the early layers do not learn."""
    trends = {site: each for site, each in _trends(record).items() if len(each) >= MIN_LOOKS}
    if not trends:
        return Judged(
            why_not=f"no chain of more than {FEWEST_LAYERS} layers with weights was watched {MIN_LOOKS} times"
        )
    found = []
    for site, each in trends.items():
        if most([t.decades >= thresholds.depth_decades and t.rank >= MONOTONE and _cut_off(t) for t in each]):
            harm = _vanishing_harm(record, site, each, thresholds)
            if harm:
                found.append(_through_depth(record, "GR201", each[-1], harm, thresholds))
    return Judged(tuple(found))


def _cut_off(trend: Trend) -> bool:
    """Whether the early weights are cut off from the loss, not merely their units many or small."""
    ratio = _early_ratio(trend)
    return trend.leverage is None or trend.leverage >= UNEQUAL or (ratio is not None and ratio <= STILL)


def _vanishing_harm(record: Record, site: int, trends: list[Trend], thresholds: Thresholds) -> str:
    ratios = known(_early_ratio(trend) for trend in trends)
    if ratios and median(ratios) < SLOW:
        return f"an update changes the early weights by {shown(median(ratios))} of their size"
    if stalled(record, site):
        return "the loss does not fall"
    if median([trend.decades for trend in trends]) >= thresholds.lost_decades:
        return "beside the late layers' gradient the early one is lost in float32's rounding"
    return ""


def exploding(record: Record, thresholds: Thresholds) -> Judged:
    """GR202: the gradient grows over decades on its way to the input, and training breaks or goes nowhere."""
    found_first = origin(record)
    broke = first_break(record) is not None and (found_first is None or found_first.phase != "input")
    fewest = 1 if broke else MIN_LOOKS
    trends = {site: each for site, each in _trends(record).items() if len(each) >= fewest}
    if not trends:
        return Judged(why_not=f"no chain of more than {FEWEST_LAYERS} layers with weights was watched {_times(fewest)}")
    found = []
    for site, each in trends.items():
        if most([_grows(trend, thresholds) for trend in each]):
            harm, shown_in = _exploding_harm(record, site, each, broke, thresholds), each[-1]
        else:
            harm, shown_in = _torn_at_once(each[0], thresholds), each[0]
        if harm:
            found.append(_through_depth(record, "GR202", shown_in, harm, thresholds))
    return Judged(tuple(found))


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _grows(trend: Trend, thresholds: Thresholds) -> bool:
    return trend.decades <= -thresholds.depth_decades and trend.rank <= -MONOTONE


def _torn_at_once(first: Trend, thresholds: Thresholds) -> str:
    """An explosion may end with its first update, for it leaves layers so saturated that nothing passes any more."""
    ratio = _early_ratio(first)
    if not _grows(first, thresholds) or ratio is None or ratio < REPLACED:
        return ""
    return f"the update of step {first.look.step} changed the early weights by {shown(ratio)} times their size"


def _exploding_harm(record: Record, site: int, trends: list[Trend], broke: bool, thresholds: Thresholds) -> str:
    if broke:
        return f"step {first_break(record)} became non-finite"
    burst = blow_up(record, thresholds)
    if burst is not None:
        return f"at step {burst.step} the norm had grown from {shown(burst.before)} to {shown(burst.peak)}"
    ratios = known(_early_ratio(trend) for trend in trends)
    if ratios and median(ratios) >= TORN:
        return f"an update changes the early weights by {shown(median(ratios))} of their size"
    if not most([trend.leverage is not None and trend.leverage <= 1 / UNEQUAL for trend in trends]):
        return ""
    if stalled(record, site) or worse_than_at_first(record, site):
        return "the loss does not fall"
    far_apart = median([-trend.decades for trend in trends]) >= thresholds.lost_decades
    return "beside the early layers' gradient the late one is lost in float32's rounding" if far_apart else ""


def _through_depth(record: Record, code: str, trend: Trend, harm: str, thresholds: Thresholds) -> Finding:
    first, last = trend.layers[0], trend.layers[-1]
    rule = VANISHING if code == "GR201" else EXPLODING
    verb = "shrinks" if code == "GR201" else "grows"
    because = (
        f"over {len(trend.layers)} layers from `{last.module}` down to `{first.module}` the gradient's rms {verb} from "
        f"{shown(last.grad_rms)} to {shown(first.grad_rms)}, times {shown(trend.factor)} a layer by the fitted line; "
        f"{harm}."
    )
    evidence: Evidence = {
        "layers": len(trend.layers), "growth_per_layer": trend.factor, "grad_rms_first": first.grad_rms,
        "grad_rms_last": last.grad_rms, "last_module": last.module, "weight_grad_norm_first": first.weight_grad_norm,
        "weight_grad_norm_last": last.weight_grad_norm, "update_size_first": _early_ratio(trend),
        "update_size_last": last.update_ratio, "skip_connections": trend.look.skip_connections,
    }  # fmt: skip
    where: Where = {"module": first.module, "kind": first.kind, "site": site_name(record, trend.look.site)}
    root = root_of(record, first.module)
    activations = [seen.activation for seen in trend.look.depth if seen.activation]
    remedies = [initial_scale(trend.layers, root, activations), normalise(first)]
    if code == "GR202":
        remedies.append(clip(record, trend.look.site, "1.0", "bounds the step until the cause is gone"))
    else:
        remedies[1:1] = [residual(last)]
        remedies += [_RELU] if "sigmoid" in activations else []
    how = _formula(trend, "≤" if code == "GR201" else "≥", thresholds.depth_decades)
    return Finding(code, "error", rule.title, where, evidence, because, tuple(remedies), how)


def _formula(trend: Trend, sign: str, decades: float) -> str:
    """What reaches the first layer over what reaches the last, measured, and as the fitted line has it."""
    n, limit = len(trend.layers), 10.0 ** (-decades if sign == "≤" else decades)
    measured = formula.quotient(trend.layers[0].grad_rms or 0.0, trend.layers[-1].grad_rms or 0.0)
    fitted = formula.raised(trend.factor, n - 1)
    return f"rms(∂L/∂x_1) / rms(∂L/∂x_{n}) = {measured}; fitted line: {fitted} {sign} {shown(limit)}"


_TREND = (
    "A straight line through log₁₀ of the gradient's rms at each layer's output, in execution order. Normalisation "
    "layers, embeddings and the last layer are left out, for their units and scale differ by nature; "
    f"{FEWEST_LAYERS} layers must remain. It must span {DEFAULT.depth_decades:g} decades, for pooling or units of "
    f"unequal size make up to about two, with a rank correlation of {MONOTONE:g}, in two looks of three and the last "
    "one, so that neither one pooling step nor an odd batch is taken for it. "
)

VANISHING = Rule(
    "GR201",
    "vanishing-through-depth",
    "vanishing through depth",
    ("error",),
    "depth",
    Explain(
        cause="Every layer on the way back multiplies the gradient by its weights and its activation's slope. Where "
        "that product is under 1 layer after layer, the first layers get nothing and keep their random weights.",
        mathematics=(
            "∂L/∂x_l = W_lᵀ diag(f′(a_l)) ∂L/∂x_{l+1},   so ‖∂L/∂x_l‖ ~ (mean slope · gain)^(depth − l)",
            "logistic: f′ ≤ 1/4;   tanh: f′ ≤ 1;   ReLU keeps half of the variance: gain √2 makes up for it",
            "‖w‖·‖∂L/∂w‖: change of the loss per relative change of the weights, whatever the layer's scale",
        ),
        thresholds=_TREND + f"The early third's ‖w‖·‖∂L/∂w‖ must lie under 1/{UNEQUAL:g} of the late third's, or its "
        f"update under {shown(STILL)} of the weights; and there must be harm: early updates under {shown(SLOW)} of the "
        f"weights (1e-3 is usual), a loss that stands still, or {DEFAULT.lost_decades:g} decades, where float32 loses "
        "the early gradient beside the late one. A residual stream or a warm-up shows no such line.",
        remedies=(
            "Initial weights of the right scale: free.",
            "Residual connections: free; width must stay equal along them.",
            "Normalisation: a little time; small batches speak for LayerNorm over BatchNorm.",
            "ReLU or GELU for a logistic activation: free; units may die.",
        ),
        silence="Where early layers are meant to stay (better: requires_grad_(False)).",
        references=(_GLOROT, _HE, _RESIDUAL),
    ),
    vanishing,
)

EXPLODING = Rule(
    "GR202",
    "exploding-through-depth",
    "exploding through depth",
    ("error",),
    "depth",
    Explain(
        cause="The same product lies above 1 layer after layer, so the first layers get a gradient thousands of "
        "times the last ones'. No learning rate suits both.",
        mathematics=(
            "‖∂L/∂x_l‖ ~ (mean slope · gain)^(depth − l) with a base above 1",
            "‖w‖·‖∂L/∂w‖: change of the loss per relative change of the weights, whatever the layer's scale",
        ),
        thresholds=_TREND + "And there must be harm: a non-finite step or a norm that blew up; early updates of "
        f"{TORN:g} of the weights or more; or, where the early weights carry {UNEQUAL:g} times the late ones' "
        f"‖w‖·‖∂L/∂w‖, a loss that does not fall, or {DEFAULT.lost_decades:g} decades, where float32 loses the late "
        "gradient beside the early one. One look is enough where its update was as large as the weights. Up-sampling "
        "networks, whose first units serve many outputs, pass by ‖w‖·‖∂L/∂w‖.",
        remedies=(
            "Initial weights of the right scale: free.",
            "Normalisation: sets the scale anew at each layer, a little time.",
            "Clipping: keeps the run alive, but the early layers still dominate the direction.",
        ),
        silence="Where each layer has a rate of its own that makes up for it.",
        references=(_GLOROT, _HE, "Philipp, Song, Carbonell (2018): The exploding gradient problem demystified"),
    ),
    exploding,
)

RULES = (VANISHING, EXPLODING)
