"""Rules on the gradient through time: GR101 to GR103."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

from gradreach.facts.course import (
    MIN_LOOKS,
    BlowUp,
    blow_up,
    first_break,
    origin,
    rate_to_horizon,
    site_name,
    sound_looks,
    usual_length,
)
from gradreach.facts.legacy_dependency import LIMIT, Asked, harms, of_stack, spans, strongest, verdicts
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import is_finite, known, median, most, percent, shown
from gradreach.record.schema import Finding, Record, Severity, TimeLook
from gradreach.rules import formula
from gradreach.rules.remedy import clip, longer_reach, orthogonal, smaller_sums
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

SHORTEST = 10
"""Sequences of fewer steps are too short for a horizon to mean anything."""

_BENGIO = "Bengio, Simard, Frasconi (1994): Learning long-term dependencies with gradient descent is difficult"
_PASCANU = "Pascanu, Mikolov, Bengio (2013): On the difficulty of training recurrent neural networks"
_HOCHREITER = "Hochreiter, Schmidhuber (1997): Long short-term memory"

Layer = tuple[int, str, int, str]


def _layers(record: Record) -> dict[Layer, list[TimeLook]]:
    """The looks at each layer and direction, by the place that called backward, in order of time."""
    layers: dict[Layer, list[TimeLook]] = defaultdict(list)
    for look in sound_looks(record):
        for seen in look.time:
            layers[(look.site, seen.module, seen.layer, seen.direction)].append(seen)
    return {key: usual_length(looks) for key, looks in layers.items()}


def _where(record: Record, layer: Layer, kind: str) -> Where:
    site, module, number, direction = layer
    where: Where = {"module": module, "kind": kind, "layer": number, "direction": direction}
    return {**where, "site": site_name(record, site)}


def _unwatched(record: Record, which: str) -> str:
    return f"no recurrent layer {which if any(look.time for look in record.looks) else 'was watched'}"


def _far_reach(seen: TimeLook) -> float | None:
    return seen.reach[-1] if len(seen.reach) > SHORTEST and is_finite(seen.reach[-1]) else None


def _middle(values: list[float]) -> float | None:
    return median(values) if values else None


def vanishing(record: Record, thresholds: Thresholds) -> Judged:
    """GR101: the gradient falls under 1 % within half of the sequence."""
    layers = {
        key: usable
        for key, looks in _layers(record).items()
        if (usable := [seen for seen in looks if seen.T >= SHORTEST and known(seen.reach[1:])])
    }
    if not layers:
        return Judged(why_not=_unwatched(record, f"of {SHORTEST} steps or more was watched"))
    fading = {
        key: looks
        for key, looks in layers.items()
        if most([_fades(seen, thresholds.far_share) and (seen.factor or 0.0) < 1.0 for seen in looks])
    }
    tests = verdicts(record, thresholds) if fading else ()
    return Judged(tuple(_vanishing(record, key, looks, tests) for key, looks in fading.items()))


def _fades(seen: TimeLook, far_share: float) -> bool:
    """Nothing of 1 % comes from that part of the sequence or farther. A shortcut of the state brings back what came in
    between: the curve falls under the horizon's limit and rises above it again."""
    if seen.horizon >= far_share * (seen.T - 1):
        return False
    return not any(r >= LIMIT for r in seen.reach[math.ceil(far_share * (seen.T - 1)) :])


def _vanishing(record: Record, key: Layer, looks: list[TimeLook], tests: Sequence[Asked]) -> Finding:
    seen = looks[-1]
    near, bound = rate_to_horizon(seen), seen.bound_factor
    because = f"r(ℓ) falls under 0.01 past lag {seen.horizon} of {seen.T - 1}"
    because += f", times {shown(near)} a step on the way" if near else ", where nothing measurable arrives any more"
    if is_finite(bound) and near:
        because += f"; the bound γλ = {shown(seen.gamma)} × {shown(seen.lambda_)} = {shown(bound)} a step " + (
            "alone already forces it" if bound < 1.0 else "would allow more"
        )
    because += ". A step further back adds less than 1 % of what the nearest one adds"
    harm = _harm(record, tests, key)
    because += f", {harm}." if harm else "; that does harm only where what is to be learned lies so far back."
    lag, far = max((each for each in enumerate(seen.reach) if is_finite(each[1])), default=(0, 1.0))
    evidence: Evidence = {
        "horizon": seen.horizon, "T": seen.T, "factor": seen.factor, "factor_to_horizon": near, "bound_factor": bound,
        "gamma": seen.gamma, "gamma_mean": seen.gamma_mean, "lambda": seen.lambda_, "rho": seen.rho,
        "far_reach": far, "lag": lag, "looks": len(looks), "exact": seen.exact,
    }  # fmt: skip
    where = _where(record, key, seen.kind)
    severity: Severity = "error" if harm else "info"
    how = formula.against_bound(seen, lag, far)
    if not is_finite(bound) and near:
        how = f"r(ℓ) ≈ {shown(near)}^ℓ: {formula.raised(near, seen.horizon + 1)} < {LIMIT:g}"
    return Finding("GR101", severity, VANISHING.title, where, evidence, because, longer_reach(record, seen), how)


def _harm(record: Record, tests: Sequence[Asked], key: Layer) -> str:
    """That what is to be learned lies out of reach, where GR402 says so of this layer or its stack; else empty."""
    site, module, _, direction = key
    for asked in tests if direction == "forward" else ():
        lost, found = asked.judged("vanishing"), asked.dependency
        if lost and found.site == site and of_stack(found.module, module) and harms(record, asked):
            return f"and the error still depends on the input {spans([strongest(lost).lag])} steps back (GR402)"
    return ""


def exploding(record: Record, thresholds: Thresholds) -> Judged:
    """GR102: the reach curve rises, and what comes from far back outweighs what comes from near."""
    layers = {
        key: usable
        for key, looks in _layers_with_break(record).items()
        if (usable := [seen for seen in looks if _far_reach(seen) is not None and is_finite(seen.factor)])
    }
    if not layers:
        return Judged(why_not=_unwatched(record, f"of more than {SHORTEST} lags was watched"))
    burst = blow_up(record, thresholds)
    found = origin(record)
    broke = first_break(record) is not None and (found is None or found.phase != "input")
    limit = min(thresholds.far_growth, thresholds.harmful_growth) if burst or broke else thresholds.far_growth
    return Judged(
        tuple(
            _exploding(record, key, looks, burst, broke, limit)
            for key, looks in layers.items()
            if (len(looks) >= 2 or burst or broke)
            and most([(seen.factor or 0.0) > 1.0 and (_far_reach(seen) or 0.0) >= limit for seen in looks])
        )
    )


def _layers_with_break(record: Record) -> dict[Layer, list[TimeLook]]:
    """As `_layers`; where the very first step broke, the looks at it, of which only finite curves are used."""
    return _layers(record) or _layers(Record(record.run, looks=record.looks, sites=record.sites, models=record.models))


def _exploding(
    record: Record, key: Layer, looks: list[TimeLook], burst: BlowUp | None, broke: bool, limit: float
) -> Finding:
    seen = looks[-1]
    far, factor = _far_reach(seen) or 0.0, seen.factor
    lag = len(seen.reach) - 1
    because = (
        f"{lag} steps back the gradient is {shown(far)} times the near one, on average times "
        f"{shown(far ** (1 / lag))} a step: the weights follow the far past almost alone"
    )
    if is_finite(seen.bound_factor):
        because += f" (bound γλ = {shown(seen.bound_factor)} a step)"
    if burst is not None:
        because += f"; at step {burst.step} the norm had grown from {shown(burst.before)} to {shown(burst.peak)}"
    elif broke:
        because += f"; step {first_break(record)} became non-finite"
    evidence: Evidence = {
        "factor": factor, "far_reach": far, "lag": lag, "T": seen.T, "bound_factor": seen.bound_factor,
        "lambda": seen.lambda_, "rho": seen.rho, "lyapunov": seen.lyapunov[0] if seen.lyapunov else None,
        "looks": len(looks), "exact": seen.exact,
    }  # fmt: skip
    severity: Severity = "error" if burst or broke else "warning"
    threshold = shown(2 * burst.before) if burst is not None else "1.0"
    remedies = (
        orthogonal(seen.module, seen.kind, seen.layer, seen.direction),
        clip(record, key[0], threshold, "bounds the step; the far gradient still dominates its direction"),
    )
    where, how = _where(record, key, seen.kind), f"{formula.against_bound(seen, lag, far)} ≥ {limit:g}"
    return Finding("GR102", severity, EXPLODING.title, where, evidence, because + ".", remedies, how)


def saturated(record: Record, thresholds: Thresholds) -> Judged:
    """GR103: almost all units sit where the activation is flat, look after look."""
    layers = {
        key: usable
        for key, looks in _layers(record).items()
        if (usable := [s for s in looks if is_finite(s.saturated) and "RELU" not in s.kind.upper()])
        and len(usable) >= MIN_LOOKS
    }
    if not layers:
        return Judged(why_not=_unwatched(record, f"with saturating units was watched {MIN_LOOKS} times"))
    flat = {key: looks for key, looks in layers.items() if most([_is_flat(seen, thresholds) for seen in looks])}
    return Judged(tuple(_saturated(record, key, looks) for key, looks in flat.items()))


def _is_flat(seen: TimeLook, thresholds: Thresholds) -> bool:
    share = seen.saturated or 0.0
    if "LSTM" in seen.kind.upper() or "GRU" in seen.kind.upper():
        return share >= thresholds.saturated_gated and seen.horizon < thresholds.far_share * (seen.T - 1)
    return share >= thresholds.saturated


def _saturated(record: Record, key: Layer, looks: list[TimeLook]) -> Finding:
    seen = looks[-1]
    share = median(known(look.saturated for look in looks))
    because = f"{percent(share)} of the activations have less than 5 % of their largest slope, look after look"
    if is_finite(seen.gamma_mean):
        because += f"; the mean slope is {shown(seen.gamma_mean)} where {shown(seen.gamma)} is possible"
    because += f", and the gradient reaches {seen.horizon} of {seen.T - 1} steps back."
    evidence: Evidence = {
        "saturated": share, "gamma_mean": seen.gamma_mean, "gamma": seen.gamma, "lambda": seen.lambda_,
        "horizon": seen.horizon, "T": seen.T, "looks": len(looks),
    }  # fmt: skip
    where = _where(record, key, seen.kind)
    how = formula.mean_slope(share)
    return Finding("GR103", "warning", SATURATION.title, where, evidence, because, smaller_sums(seen), how)


VANISHING = Rule(
    "GR101",
    "vanishing-through-time",
    "vanishing through time",
    ("error", "info"),
    "time",
    Explain(
        cause="The product of the state's Jacobians shrinks with every step, so what lies far back adds nothing to "
        "the weights' gradient. By itself this is no fault: most data has nothing to learn that far back.",
        mathematics=(
            "δ_{t→k} = (∂h_t/∂h_k)ᵀ e_t,   ∂h_t/∂h_k = Π diag(σ′(a_i)) W_hh,   i = k+1 … t",
            "‖∂h_t/∂h_k‖ ≤ (γλ)^{t−k}: with γλ < 1 it must vanish; with γλ ≥ 1 it still may",
            "r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t];   horizon = largest ℓ with r ≥ 0.01 up to it;   factor = exp(slope "
            "of log r)",
        ),
        thresholds="The horizon is measured at r = 0.01, where a step further back adds 1 % of what the nearest adds, "
        f"and compared with T − 1. The rule speaks where it stays under {percent(DEFAULT.far_share)} of it in two "
        f"looks of three, for sequences of {SHORTEST} steps or more: then more of the sequence lies out of reach than "
        "within. It is information, and an error only beside an error GR402, which proves that the data depends on "
        "what is out of reach.",
        remedies=(
            "Orthogonal W_hh: free, but training moves it away again unless it is held there.",
            "LSTM or GRU: longer reach, three to four times the weights.",
            "Forget bias of 1 or more: free; slows the forgetting of what is stale.",
            "Shorter sequences or skip connections through time: cheaper steps; lags between the skips are seen "
            "coarsely.",
        ),
        silence="Right wherever the task is local.",
        references=(_BENGIO, _HOCHREITER, _PASCANU),
    ),
    vanishing,
)

EXPLODING = Rule(
    "GR102",
    "exploding-through-time",
    "exploding through time",
    ("error", "warning"),
    "time",
    Explain(
        cause="The product of the state's Jacobians grows with every step, so the oldest steps drown the recent "
        "ones, and a small change of the weights changes the end of the sequence without limit.",
        mathematics=(
            "r(ℓ) ≈ factor^ℓ with factor > 1; needs γλ > 1",
            "the largest Lyapunov exponent above 0 says the same of the states: neighbours part as exp(exponent · ℓ)",
        ),
        thresholds=f"Warning from r = {DEFAULT.far_growth:g} at the farthest lag, where the near gradient is 1 % of "
        "the far one; a factor slightly over 1, as orthogonal or identity starts have, stays far below. Error from "
        f"r = {DEFAULT.harmful_growth:g} where the global norm did blow up or the run became non-finite, for then the "
        "harm is proven. It must hold in two looks of three, so that an odd batch does not speak.",
        remedies=(
            "Clip the global norm: keeps the run alive; the direction still comes from the far past.",
            "Orthogonal W_hh or a smaller one: removes the cause; a small one makes it vanish instead.",
            "Truncated BPTT: cuts the product off at k2 steps; what lies beyond cannot be learned.",
        ),
        silence="Where chaos is wanted (reservoirs that are read out, never trained through).",
        references=(_PASCANU, "Sompolinsky, Crisanti, Sommers (1988): Chaos in random neural networks"),
    ),
    exploding,
)

SATURATION = Rule(
    "GR103",
    "recurrent-saturated",
    "recurrent units saturated",
    ("warning",),
    "time",
    Explain(
        cause="The sums a_t are so large that the activation is flat there. A flat unit hands on its value and "
        "almost no gradient, neither through time nor to the input.",
        mathematics=(
            "tanh′(a) = 1 − h²,  under 0.05 from |a| = 2.2 on",
            "mean σ′ / max σ′ ≤ 1 − 0.95 · share, where the share has under 5 % of the largest slope",
            "δ_k ← W_hhᵀ diag(σ′(a_{k+1})) δ_{k+1}: the slope enters once a step",
        ),
        thresholds=f"From {percent(DEFAULT.saturated)} of the activations in two looks of three: the mean slope is "
        f"then at most {1 - 0.95 * DEFAULT.saturated:.2f}. A trained tanh RNN may well have a third or a half. Of LSTM "
        "and GRU the tanh of the candidate counts, for gates are at work when held open or shut; these may carry the "
        f"gradient past a flat candidate, so it takes {percent(DEFAULT.saturated_gated)} and a gradient that does not "
        "reach half of the sequence. ReLU has no such region.",
        remedies=(
            "Scale the input to mean 0 and deviation 1: free, and right in any case.",
            "Smaller or orthogonal initial weights: free; with gain above 1 saturation returns.",
            "A lower learning rate, where saturation came with training: slower.",
        ),
        silence="Where the state is meant to be binary.",
        references=(
            "Glorot, Bengio (2010): Understanding the difficulty of training deep feedforward neural networks",
            _BENGIO,
        ),
    ),
    saturated,
)

RULES = (VANISHING, EXPLODING, SATURATION)
