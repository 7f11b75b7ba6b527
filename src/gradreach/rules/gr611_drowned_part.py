"""GR611: one part of the loss drowns another, which is not learned."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import NO_BETTER, LossPart, own_over_guess
from gradreach.facts.terms import PulledAway, pulled_away
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.weigh_terms import WEIGH_TERMS
from gradreach.rules.gr604_constant_guess import FEWEST, OF
from gradreach.rules.losses import headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

DROWNS = 10.0
"""How many times as hard the other terms must pull as the one that is not learned."""


def judge(facts: Facts) -> RuleOutcome:
    """Each comparison in a loss of several terms that stays at a constant guess while the others pull far harder."""
    told = [
        (part, over, pulled)
        for part in facts.seen.loss_parts
        if (over := own_over_guess(part)) is not None and (pulled := pulled_away(facts.seen.looks, part)) is not None
    ]
    if not told:
        return RuleOutcome(why_not="no loss was seen that is a sum of a comparison and of something else")
    return RuleOutcome(tuple(_finding(facts, *each) for each in told if _is_drowned(facts, *each)))


def _is_drowned(facts: Facts, part: LossPart, over: float, pulled: PulledAway) -> bool:
    site = facts.site(part.site)
    rests = part.last.kind in OF and over >= NO_BETTER and not site.need_not_fall
    return rests and pulled.usual >= DROWNS and site.learning.losses >= FEWEST


def _finding(facts: Facts, part: LossPart, over: float, pulled: PulledAway) -> Finding:
    seen, value, times = part.last, part.usual("value"), pulled.usual
    because = (
        f"The {seen.kind} of {whose(seen)}, term {seen.term} of the loss, stays at what a constant guess gets, "
        f"{figure(value)}: the other terms pull {figure(times)} times as hard at the weights that it shares with them. "
        f"These go where the others want them, and what comes out is {OF[seen.kind]}, whatever the input."
    )
    evidence: Evidence = {"value": value, "constant_guess": part.guess, "over_guess": over, "times": times}
    how = f"‖gradient of the others‖ ÷ its own: {figure(times)} ≥ {figure(DROWNS)}"
    remedies = (WEIGH_TERMS.remedy(1 / pulled.start),)
    return RULE.finding("warning", where(facts, part), evidence, because, remedies, how)


RULE = Rule(
    code="GR611",
    slug="drowned-part",
    title="a part of the loss is drowned",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="A loss that is a sum is made small where it is cheapest. A term that is a sum over rows, columns or "
        "weights beside one that is a mean, or one in other units, outweighs it by the number of what it sums: the "
        "divergence of an autoencoder, a penalty on weights, the price of one task beside the classes of another.",
        mathematics=(
            "L = L_1 + … + L_m,   ∇L = Σ_i ∇L_i:   where ‖∇L_j‖ ≫ ‖∇L_i‖ the step is that of L_j",
            "autoencoder:   Σ_pixels (x − x̂)² + β·KL,   both summed over what they sum, and a mean over rows",
        ),
        thresholds=f"In a loss of several terms one comparison ends at {percent(NO_BETTER)} or more of what the best "
        f"constant guess gets on its targets, after {FEWEST} losses or more; the gradient of all other terms together, "
        f"at the weights that both reach, is {DROWNS:g} times as long as its own, or more, at the median over the "
        f"first half of the looks that asked ({MIN_LOOKS} at least).",
        remedies=(
            "A weight before the other term under which both pull alike at first: free.",
            "Sums over the same things, or means over the same things, in all terms: free.",
            "A weight that rises from 0 over the first part of the training: one line.",
        ),
        silence="Where the targets of that term cannot be told from the input: then no weight helps.",
        references=(
            "Bowman et al. (2016): Generating sentences from a continuous space",
            "Chen et al. (2018): GradNorm, gradient normalization for adaptive loss balancing",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=3,
    effects=("GR604",),
    labels={
        "value": "at last",
        "constant_guess": "a constant guess gets",
        "over_guess": "value ÷ guess",
        "times": "others ÷ own",
    },
    zoo=("gr611_summed_divergence", "gr611_price_beside_classes"),
)
