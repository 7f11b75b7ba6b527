"""GR604: the loss ends no lower than what the best constant guess gets."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import NO_BETTER, LossPart, over_guess
from gradreach.facts.statistics import is_positive
from gradreach.facts.time import MIN_LOOKS, past_gaps, share_reached, typical
from gradreach.facts.wording import figure, percent
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import LossLook
from gradreach.remedies.advice.look_at_pairs import LOOK_AT_PAIRS
from gradreach.remedies.advice.one_batch import ONE_BATCH
from gradreach.rules.losses import headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome
from gradreach.rules.through_time import fading

FEWEST = 200
"""Losses under which a training that got no further may only have begun."""

ALIKE = 0.01
"""Deviation of the outputs from row to row, as a part of that of the targets, under which they are one and the same."""

OF = {
    "cross entropy": "the shares of the classes",
    "cross entropy on probabilities": "the shares of the classes",
    "binary cross entropy": "the share of the targets that are 1",
    "binary cross entropy on logits": "the share of the targets that are 1",
    "squared error": "the mean of the targets",
    "absolute error": "the median of the targets",
}
"""The best constant guess for each kind of loss."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose loss is mostly one comparison, and comes to rest where a constant gets it."""
    parts = [part for part in facts.seen.loss_parts if part.last.kind in OF]
    told = [(part, over) for part in parts if (over := over_guess(facts.site(part.site), part)) is not None]
    if not told:
        return RuleOutcome(why_not="no loss that is mostly one comparison rests whose constant guess is known")
    return RuleOutcome(tuple(_finding(facts, part, over) for part, over in told if over >= NO_BETTER))


def _finding(facts: Facts, part: LossPart, over: float) -> Finding:
    went, seen = facts.site(part.site).learning, part.last
    times = "just" if over <= 1.02 else f"{figure(over)} times"
    what = f"The loss has come to {figure(went.last)},"
    if not seen.is_whole:
        what = f"The {seen.kind} of {whose(seen)}, a part of the loss, has come to"
    because = (
        f"{what} {times} what a constant gets that puts out {OF[seen.kind]} whatever the input: next to nothing of the "
        "input is in what was learned."
    )
    alike = _alike(seen)
    if alike is not None and alike <= ALIKE:
        because += f" Indeed {whose(seen)} is nearly the same for every row."
    because += _out_of_reach(facts, part.site)
    evidence: Evidence = {
        "loss": went.last, "constant_guess": part.guess, "over_guess": over, "losses": went.losses,
        "row_deviation": alike,
    }  # fmt: skip
    how = f"loss ÷ constant guess: {figure(over)} ≥ {figure(NO_BETTER)}"
    remedies = (ONE_BATCH.remedy(300), LOOK_AT_PAIRS.remedy())
    return RULE.finding(
        "info" if (went.losses or 0) < FEWEST else "warning", where(facts, part), evidence, because, remedies, how
    )


def _out_of_reach(facts: Facts, site: int) -> str:
    """That the gradient fades on its way through time, where it does so at this line."""
    short = [typical(looks) for key, looks in fading(facts).items() if key.site == site]
    seen = min(short, key=share_reached, default=None)
    if seen is None:
        return ""
    far = f"{seen.horizon} of {seen.farthest} steps back{past_gaps(seen)}"
    reach = f"1 % or more of the gradient of `{of_layer(seen)}` gets only {far}"
    return f" {reach} (GR101): if the target depends on what lies farther back, that is why."


def _alike(seen: LossLook) -> float | None:
    """How much the outputs differ from row to row, as a part of what the targets do; None where it is not known."""
    if seen.outputs is None or seen.targets is None or not is_positive(seen.targets.deviation):
        return None
    return seen.outputs.deviation / seen.targets.deviation


RULE = Rule(
    code="GR604",
    slug="constant-guess",
    title="no better than a constant guess",
    severities=("warning", "info"),
    family="loss",
    explain=Explanation(
        cause="A network that learns nothing from its input still learns the best constant: the shares of the "
        "classes, the mean of the targets. A loss that rests there has learned that and no more, whatever it fell "
        "from.",
        mathematics=(
            "cross entropy:   −Σ_c p_c log p_c, p_c the share of class c",
            "squared error:   Var(y);   absolute error:   the mean distance to the median",
        ),
        thresholds=f"One comparison makes up half of the loss or more, which hardly falls any more, and is at least "
        f"{percent(NO_BETTER)} of what the best constant gets on the targets that the looks saw; of a regression, of "
        f"what it gets on the very batch of each look, at the median over the last half of them, {MIN_LOOKS} at least.",
        remedies=(
            "Train on one batch again and again: it tells a fault of model, loss or loop from a hard task.",
            "Look at one batch: do rows of the input and of the target belong together?",
        ),
        silence="Where the input says next to nothing about the target, as with returns of a market.",
        references=("Karpathy (2019): A recipe for training neural networks",),
    ),
    judge=judge,
    headline=headline,
    urgency=90,
    is_symptom=True,
    labels={
        "loss": "loss at last",
        "constant_guess": "a constant guess gets",
        "over_guess": "loss ÷ guess",
        "row_deviation": "outputs ÷ targets",
    },
    zoo=("gr604_shuffled_targets",),
)
