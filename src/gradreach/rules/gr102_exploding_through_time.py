"""GR102: the reach curve rises, and what comes from far back outweighs what comes from near."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradreach.facts.blow_up import BLOW_UP, DIVERGED
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import is_finite, most
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import FAR_GROWTH, LayerKey, typical
from gradreach.facts.wording import figure
from gradreach.record.kinds import DECAYS, LOOP
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.advice.bounded_decay import BOUNDED_DECAY
from gradreach.remedies.advice.normalise_state import NORMALISE_STATE
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.rules import formula
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome
from gradreach.rules.through_time import SHORTEST, unwatched, where, which_loop

HARMFUL_GROWTH = Threshold(
    "harmful_growth",
    10.0,
    1.0,
    math.inf,
    "r at the farthest lag that counts where the norm blew up or the run broke",
)


def judge(facts: Facts) -> RuleOutcome:
    """Each direction of each recurrent layer whose far gradient dominates in most of its looks."""
    layers = {
        key: usable
        for key, looks in facts.seen.layers_with_break.items()
        if (usable := [seen for seen in looks if _far_reach(seen) is not None and is_finite(seen.factor)])
    }
    if not layers:
        return RuleOutcome(why_not=unwatched(facts, f"of more than {SHORTEST} lags was watched"))
    harm, limit = _harmed(facts), facts.thresholds[FAR_GROWTH]
    if harm:
        limit = min(limit, facts.thresholds[HARMFUL_GROWTH])
    return RuleOutcome(
        tuple(
            _finding(facts, key, looks, limit)
            for key, looks in layers.items()
            if (len(looks) >= 2 or harm)
            and most([(seen.factor or 0.0) > 1.0 and (_far_reach(seen) or 0.0) >= limit for seen in looks])
        )
    )


def _harmed(facts: Facts) -> bool:
    """Whether the harm is proven: the norm blew up, or the run broke by growth."""
    return facts.blow_up is not None or facts.broke_by_growth


def _far_reach(seen: TimeLook) -> float | None:
    """r at the farthest lag; None where the curve is too short or not finite there."""
    return seen.reach[-1] if len(seen.reach) > SHORTEST and is_finite(seen.reach[-1]) else None


def _finding(facts: Facts, key: LayerKey, looks: Sequence[TimeLook], limit: float) -> Finding:
    seen, blow_up = typical(looks), facts.blow_up
    far, lag = _far_reach(seen) or 0.0, len(seen.reach) - 1
    because = (
        f"{lag} steps back the gradient is {figure(far)} times the near one, on average times "
        f"{figure(far ** (1 / lag))} a step: the weights follow the far past almost alone"
    )
    if is_finite(seen.bound_factor):
        because += f" (bound γλ = {figure(seen.bound_factor)} a step)"
    if blow_up is not None:
        because += f"; at step {blow_up.step} the norm had grown from {figure(blow_up.before)} to "
        because += figure(blow_up.peak)
    elif facts.broke_by_growth:
        because += f"; step {facts.first_break} became non-finite"
    evidence: Evidence = {
        "factor": seen.factor, "far_reach": far, "lag": lag, "T": seen.T, "bound_factor": seen.bound_factor,
        "lambda": seen.lambda_, "rho": seen.rho, "lyapunov": seen.lyapunov[0] if seen.lyapunov else None,
        "looks": len(looks), "exact": seen.exact,
    }  # fmt: skip
    how = f"{formula.against_bound(seen, lag, far)} ≥ {limit:g}"
    place = where(facts, key, seen.kind)
    on_the_whole = " On the whole these factors lie above 1." if seen.kind in DECAYS else ""
    severity: Severity = "error" if _harmed(facts) else "warning"
    return RULE.finding(severity, place, evidence, f"{because}.{which_loop(seen)}{on_the_whole}", (_remedy(seen),), how)


def _remedy(seen: TimeLook) -> Remedy:
    """What keeps the product of the Jacobians from growing, by what the state is multiplied with."""
    if seen.kind in DECAYS:
        return BOUNDED_DECAY.remedy(seen.module)
    if seen.kind == LOOP:
        return NORMALISE_STATE.remedy()
    return ORTHOGONAL.remedy(seen.module, seen.kind, seen.layer, seen.direction)


RULE = Rule(
    code="GR102",
    slug="exploding-through-time",
    title="exploding through time",
    severities=("error", "warning"),
    family="time",
    explain=Explanation(
        cause="The product of the state's Jacobians grows with every step, so the oldest steps drown the recent "
        "ones, and a small change of the weights changes the end of the sequence without limit.",
        mathematics=(
            "r(ℓ) ≈ factor^ℓ with factor > 1; needs γλ > 1",
            "the largest Lyapunov exponent above 0 says the same of the states: neighbours part as exp(exponent · ℓ)",
        ),
        thresholds=f"Warning from r = {FAR_GROWTH.default:g} at the farthest lag, where the near gradient is 1 % of "
        "the far one; a factor slightly over 1, as orthogonal or identity starts have, stays far below. Error from "
        f"r = {HARMFUL_GROWTH.default:g} where the global norm did blow up or the run became non-finite, for then the "
        "harm is proven. It must hold in two looks of three, so that an odd batch does not speak.",
        remedies=(
            "Clip the global norm: keeps the run alive; the direction still comes from the far past.",
            "Orthogonal W_hh or a smaller one: removes the cause; a small one makes it vanish instead.",
            "Factors below 1, by a logistic function, in a loop that multiplies its state by them: removes the cause; "
            "what lies far back fades.",
            "Truncated BPTT: cuts the product off at k2 steps; what lies beyond cannot be learned.",
        ),
        silence="Where chaos is wanted (reservoirs that are read out, never trained through).",
        references=(PASCANU, "Sompolinsky, Crisanti, Sommers (1988): Chaos in random neural networks"),
    ),
    judge=judge,
    thresholds=(FAR_GROWTH, HARMFUL_GROWTH, BLOW_UP, DIVERGED),
    opening="Your gradients explode through time in",
    urgency=4,
    zoo=(
        "gr102_chaotic_tanh_rnn",
        "gr102_exploding_relu_rnn",
        "gr102_loop_factor_above_one",
        "gr102_loop_of_the_script",
    ),
)
