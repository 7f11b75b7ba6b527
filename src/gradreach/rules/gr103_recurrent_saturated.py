"""GR103: almost all recurrent units sit where the activation is flat, look after look."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.activations import SATURATED
from gradreach.facts.facts import Facts
from gradreach.facts.input_size import RAW
from gradreach.facts.statistics import is_finite, known, median, most
from gradreach.facts.thresholds import Threshold, Thresholds
from gradreach.facts.time import FAR_SHARE, MIN_LOOKS, LayerKey, past_gaps, typical
from gradreach.facts.wording import figure, percent
from gradreach.record.kinds import is_gated, is_own, saturates
from gradreach.record.schema import Finding, Remedy
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.advice.bounded_state import BOUNDED_STATE
from gradreach.remedies.advice.initial_scale import INITIAL_SCALE
from gradreach.remedies.advice.orthogonal import ORTHOGONAL
from gradreach.remedies.advice.scale_input import SCALE_INPUT
from gradreach.remedies.advice.spelling import parameter
from gradreach.rules import formula
from gradreach.rules.references import BENGIO, GLOROT
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome
from gradreach.rules.through_time import unwatched, where

SATURATED_GATED = Threshold(
    "saturated_gated",
    0.95,
    0.01,
    1.0,
    "share of a GRU's or LSTM's candidates with less than 5 % of the largest slope",
)


def judge(facts: Facts) -> RuleOutcome:
    """Each direction of each recurrent layer that is flat in most of its looks."""
    layers = {
        key: usable
        for key, looks in facts.seen.layers.items()
        if (usable := [seen for seen in looks if is_finite(seen.saturated) and saturates(seen.kind)])
        and len(usable) >= MIN_LOOKS
    }
    if not layers:
        return RuleOutcome(why_not=unwatched(facts, f"with saturating units was watched {MIN_LOOKS} times"))
    flat = {key: looks for key, looks in layers.items() if is_flat(facts, looks)}
    return RuleOutcome(tuple(_finding(facts, key, looks) for key, looks in flat.items()))


def is_flat(facts: Facts, looks: Sequence[TimeLook]) -> bool:
    """Whether a layer is flat in most of its looks."""
    return most([_is_flat(each, facts.thresholds) for each in looks])


def flat_words(looks: Sequence[TimeLook]) -> str:
    """How much of a layer is flat, as half a sentence."""
    share = percent(median(known(look.saturated for look in looks)), 3)
    of = "values of a tanh in each step" if is_own(looks[-1].kind) else "activations"
    return f"{share} of the {of} have less than 5 % of the largest slope"


def _is_flat(seen: TimeLook, thresholds: Thresholds) -> bool:
    share = seen.saturated or 0.0
    least = thresholds[SATURATED_GATED if is_gated(seen.kind) else SATURATED]
    passes_by = is_gated(seen.kind) or is_own(seen.kind)
    return share >= least and not (passes_by and seen.horizon >= thresholds[FAR_SHARE] * seen.farthest)


def _finding(facts: Facts, key: LayerKey, looks: Sequence[TimeLook]) -> Finding:
    seen = typical(looks)
    share = median(known(look.saturated for look in looks))
    because = f"{flat_words(looks)}, look after look"
    if is_finite(seen.gamma_mean):
        because += f"; the mean slope is {figure(seen.gamma_mean)} where {figure(seen.gamma)} is possible"
    because += f", and the gradient reaches {seen.horizon} of {seen.farthest} steps back{past_gaps(seen)}."
    evidence: Evidence = {
        "saturated": share, "gamma_mean": seen.gamma_mean, "gamma": seen.gamma, "lambda": seen.lambda_,
        "horizon": seen.horizon, "T": seen.T, "looks": len(looks),
    }  # fmt: skip
    place, how = where(facts, key, seen.kind), formula.mean_slope(share)
    return RULE.finding("warning", place, evidence, because, smaller_sums(facts, looks), how)


def smaller_sums(facts: Facts, looks: Sequence[TimeLook]) -> tuple[Remedy, ...]:
    """What makes a_t smaller: its input, which in an upper layer is bounded anyway, the weights, or a state that does
    not grow, in a step of the script's own whose input is not large."""
    seen = typical(looks)
    weight = parameter("weight_ih", seen.module, seen.kind, seen.layer, seen.direction)
    first = SCALE_INPUT.remedy(seen.module or seen.kind)
    if seen.layer and weight:
        first = INITIAL_SCALE.remedy_because("weights of this size keep a_t near 1", weight, "recurrent")
    if is_own(seen.kind) and facts.seen.input_sizes.get(facts.seen.root_of(seen.module), RAW) < RAW:
        first = BOUNDED_STATE.remedy(seen.module)
    return first, ORTHOGONAL.remedy(seen.module, seen.kind, seen.layer, seen.direction)


RULE = Rule(
    code="GR103",
    slug="recurrent-saturated",
    title="recurrent units saturated",
    severities=("warning",),
    family="time",
    explain=Explanation(
        cause="The sums a_t are so large that the activation is flat there. A flat unit hands on its value and "
        "almost no gradient, neither through time nor to the input.",
        mathematics=(
            "tanh′(a) = 1 − h²,  under 0.05 from |a| = 2.2 on",
            formula.MEAN_SLOPE,
            "δ_k ← W_hhᵀ diag(σ′(a_{k+1})) δ_{k+1}: the slope enters once a step",
        ),
        thresholds=f"From {percent(SATURATED.default, 3)} of the activations in two looks of three: the mean slope is "
        f"then at most {1 - 0.95 * SATURATED.default:.2f}. A trained tanh RNN may well have a third or a half. Of LSTM "
        "and GRU the tanh of the candidate counts, for gates are at work when held open or shut; these may carry the "
        f"gradient past a flat candidate, so it takes {percent(SATURATED_GATED.default, 3)} and a gradient that does "
        "not reach half of the sequence. Of a cell or loop of the script's own the flattest tanh of its step counts, "
        "where the gradient does not reach half of the sequence. ReLU has no such region.",
        remedies=(
            "Scale the input to mean 0 and deviation 1: free, and right in any case.",
            "In a step of one's own gates that multiply, so that the state does not grow: free.",
            "Smaller or orthogonal initial weights: free; with gain above 1 saturation returns.",
            "A lower learning rate, where saturation came with training: slower.",
        ),
        silence="Where the state is meant to be binary.",
        references=(
            GLOROT,
            BENGIO,
        ),
    ),
    judge=judge,
    thresholds=(FAR_SHARE, SATURATED, SATURATED_GATED),
    zoo=("gr103_saturated_rnn", "gr103_own_cell_fills_up", "gr103_own_cell_of_raw_values"),
)
