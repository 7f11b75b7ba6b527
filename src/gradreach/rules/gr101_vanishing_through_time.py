"""GR101: the gradient falls under 1 % within half of the sequence."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.dependency import back, strongest
from gradreach.facts.facts import Facts
from gradreach.facts.modules import of_one_stack
from gradreach.facts.statistics import is_finite
from gradreach.facts.time import FAR_SHARE, LayerKey, rate_to_horizon, typical
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.recurrence import HORIZON_LIMIT, TimeLook
from gradreach.rules import formula
from gradreach.rules.longer_reach import longer_reach
from gradreach.rules.references import BENGIO, PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome
from gradreach.rules.through_time import SHORTCUT, SHORTEST, fading, long_enough, unwatched, where, which_loop


def judge(facts: Facts) -> RuleOutcome:
    """Each direction of each recurrent layer whose gradient fades in most of its looks."""
    layers = long_enough(facts)
    if not layers:
        return RuleOutcome(why_not=unwatched(facts, f"of {SHORTEST} steps or more was watched"))
    return RuleOutcome(tuple(_finding(facts, key, looks) for key, looks in fading(facts).items()))


def _finding(facts: Facts, key: LayerKey, looks: Sequence[TimeLook]) -> Finding:
    seen = typical(looks)
    near, bound = rate_to_horizon(seen), seen.bound_factor
    harm = _harm(facts, key)
    lag, far = max((each for each in enumerate(seen.reach) if is_finite(each[1])), default=(0, 1.0))
    evidence: Evidence = {
        "horizon": seen.horizon, "T": seen.T, "factor": seen.factor, "factor_to_horizon": near, "bound_factor": bound,
        "gamma": seen.gamma, "gamma_mean": seen.gamma_mean, "lambda": seen.lambda_, "rho": seen.rho,
        "far_reach": far, "lag": lag, "looks": len(looks), "exact": seen.exact,
    }  # fmt: skip
    if seen.farthest_reached > seen.horizon:
        evidence["farthest_reached"] = seen.farthest_reached
    how = formula.against_bound(seen, lag, far)
    if not is_finite(bound) and near:
        how = f"r(ℓ) ≈ {figure(near)}^ℓ: {formula.raised(near, seen.horizon + 1)} < {HORIZON_LIMIT:g}"
    severity: Severity = "error" if harm else "info"
    because, remedies = _because(seen, near, harm), longer_reach(facts, seen)
    return RULE.finding(severity, where(facts, key, seen.kind), evidence, because, remedies, how)


def _because(seen: TimeLook, near: float | None, harm: str) -> str:
    because, bound = f"r(ℓ) falls under 0.01 past lag {seen.horizon} of {seen.farthest}", seen.bound_factor
    because += f", times {figure(near)} a step on the way" if near else ", where nothing measurable arrives any more"
    if is_finite(bound) and near:
        because += f"; the bound γλ = {figure(seen.gamma)} × {figure(seen.lambda_)} = {figure(bound)} a step " + (
            "alone already forces it" if bound < 1.0 else "would allow more"
        )
    if seen.farthest_reached > seen.horizon:
        because += f". At some lags up to {seen.farthest_reached} r is 0.01 or more again; any other step further back"
    else:
        because += ". A step further back"
    because += " adds less than 1 % of what the nearest one adds"
    because += f", {harm}." if harm else "; that does harm only where what is to be learned lies so far back."
    return because + which_loop(seen)


def _harm(facts: Facts, key: LayerKey) -> str:
    """That what is to be learned lies out of reach, where GR402 says so of this layer or its stack; else empty."""
    for test in facts.dependency_tests if key.direction == "forward" else ():
        lost, found = test.judged("vanishing"), test.dependency
        if lost and found.site == key.site and of_one_stack(found.module, key.module) and facts.rests_at(test):
            return f"and the error still depends on the input {back([strongest(lost).lag])} (GR402)"
    return ""


def _short_reach(finding: Finding) -> str:
    """How far back the gradient gets, in half a sentence; the finding has the reason."""
    horizon, T = finding.evidence.get("horizon"), finding.evidence.get("T")
    if not isinstance(horizon, int) or not isinstance(T, int):
        return ""
    again = finding.evidence.get("farthest_reached")
    gaps = f", but for some steps up to {again} back" if isinstance(again, int) else ""
    return f": less than 1 % is left past {horizon} of {T - 1} steps back{gaps}"


RULE = Rule(
    code="GR101",
    slug="vanishing-through-time",
    title="vanishing through time",
    severities=("error", "info"),
    family="time",
    explain=Explanation(
        cause="The product of the state's Jacobians shrinks with every step, so what lies far back adds nothing to "
        "the weights' gradient. By itself this is no fault: most data has nothing to learn that far back.",
        mathematics=(
            "δ_{t→k} = (∂h_t/∂h_k)ᵀ e_t,   ∂h_t/∂h_k = Π diag(σ′(a_i)) W_hh,   i = k+1 … t",
            "‖∂h_t/∂h_k‖ ≤ (γλ)^{t−k}: with γλ < 1 it must vanish; with γλ ≥ 1 it still may",
            "r(ℓ) = Σ_t R[t, t−ℓ] / Σ_t R[t, t];   horizon = largest ℓ with r ≥ 0.01 up to it;   factor = exp(slope "
            "of log r)",
        ),
        thresholds="The horizon is measured at r = 0.01, where a step further back adds 1 % of what the nearest adds, "
        f"and compared with T − 1. The rule speaks where it stays under {percent(FAR_SHARE.default, 3)} of it in two "
        f"looks of three, and no shortcut brings 1 % back from {percent(SHORTCUT, 3)} of the lags beyond, for "
        f"sequences of {SHORTEST} steps or more: then more of the sequence lies out of reach than within. It is "
        "information, and an error only beside an error GR402, which proves that the data depends on what is out of "
        "reach.",
        remedies=(
            "Orthogonal W_hh: free, but training moves it away again unless it is held there.",
            "LSTM or GRU: longer reach, three to four times the weights.",
            "Forget bias of 1 or more: free; slows the forgetting of what is stale.",
            "Factors that start near 1, in a loop that multiplies its state by them: free; what is stale stays longer.",
            "Shorter sequences or skip connections through time: cheaper steps; lags between the skips are seen "
            "coarsely.",
        ),
        silence="Right wherever the task is local.",
        references=(BENGIO, "Hochreiter, Schmidhuber (1997): Long short-term memory", PASCANU),
    ),
    judge=judge,
    thresholds=(FAR_SHARE,),
    heading="If you need a longer reach",
    opening="Your gradients vanish through time in",
    aside=_short_reach,
    units={"factor_to_horizon": "per step", "farthest_reached": "steps"},
    zoo=("gr101_loop_forgets", "gr101_scan_forgets", "gr101_vanishing_rnn", "gr402_adding_problem"),
)
