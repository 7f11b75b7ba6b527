"""GR614: the output that a loss is given comes straight from a normalisation."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import NO_BETTER, LossPart, own_over_guess
from gradreach.facts.statistics import known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loss import Normalisation, NormedOutput
from gradreach.remedies.advice.norm_off_the_end import NORM_OFF_THE_END
from gradreach.rules.harm import harm
from gradreach.rules.losses import NO_LOSS, headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

MOSTLY = 0.5
"""Part of what a comparison has come to from which the least that is possible explains it."""

MUCH = 0.25
"""Part of what a constant guess gets from which the least that is possible leaves much of the task undone."""

FAR = 2.0
"""How many times what a constant guess gets the least is, where a scale and a shift are so far from what the targets
ask for that nothing before them can make up for it: with those of the best constant it is 1 at most."""

OVER: dict[Normalisation, str] = {
    "instance norm": "Each channel of each row",
    "batch norm": "Each channel of the batch",
    "layer norm": "Each row",
    "group norm": "Each group of channels of each row",
}
"""What a normalisation takes together, in words that begin a sentence."""


def judge(facts: Facts) -> RuleOutcome:
    """Each comparison of a normalised output most of which no such output can bring down."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    found = (_finding(facts, part) for part in facts.seen.loss_parts if part.last.normed is not None)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, part: LossPart) -> Finding | None:
    seen, guess = part.last, _guess(part)
    least, value = _least(part), _value(facts, part)
    if seen.normed is None or least is None or value is None or least < MOSTLY * value:
        return None
    severity = _severity(facts, part, least)
    if severity is None:
        return None
    because = (
        f"{whose(seen)[:1].upper()}{whose(seen)[1:]} comes straight from {_a(seen.normed)}, and the {seen.kind} of "
        f"such an output is at least {figure(least)} on these targets, {_how(seen.normed)}. {OVER[seen.normed.by]}, "
        f"{count(seen.normed.size, 'number')} together, has mean 0 and deviation 1 "
        f"{'before these' if seen.normed.is_scaled else 'there'}, whatever the input. The loss of this output has come "
        f"to {figure(value)}"
    )
    because += f", and a constant guess gets {figure(guess)}." if guess is not None else "."
    evidence: Evidence = {
        "normalisation": seen.normed.by, "numbers": seen.normed.size, "least_loss": least, "loss": value,
        "constant_guess": guess, "looks": len(part.looks),
    }  # fmt: skip
    how = f"least loss {figure(least)} ≥ {figure(MOSTLY)} · {figure(value)}"
    remedies = (NORM_OFF_THE_END.remedy(seen.normed.by, seen.module),)
    return RULE.finding(severity, where(facts, part), evidence, because, remedies, how)


def _a(normed: NormedOutput) -> str:
    return f"{'an' if normed.by.startswith('i') else 'a'} {normed.by}"


def _how(normed: NormedOutput) -> str:
    return "with the scale and the shift that it has by now" if normed.is_scaled else "however it is trained"


def _least(part: LossPart) -> float | None:
    """The median of the least that is possible, over the looks; None where they are few, or one of them differs."""
    each = [look.normed for look in part.looks]
    if len(each) < MIN_LOOKS or len({None if normed is None else normed.by for normed in each}) != 1:
        return None
    last = each[-MIN_LOOKS:] if part.last.normed is not None and part.last.normed.is_scaled else each
    return median(known(None if normed is None else normed.least for normed in last))


def _guess(part: LossPart) -> float | None:
    """What one constant gets; None where none serves all batches."""
    return part.guess if part.has_batches_alike else None


def _value(facts: Facts, part: LossPart) -> float | None:
    """What the comparison came to in the last looks; of one that is the whole loss, what that came to."""
    values = known(look.value for look in part.looks[-max(len(part.looks) // 4, MIN_LOOKS) :])
    if values:
        return median(values)
    site = facts.site(part.site)
    return site.of_batch(site.learning.last) if part.last.is_whole else None


def _severity(facts: Facts, part: LossPart, least: float) -> Severity | None:
    """A warning where nothing better than a constant guess is possible, or was reached by a loss that does not fall;
    information where much of the task cannot be learned."""
    site, guess = facts.site(part.site), _guess(part)
    if part.last.normed is not None and part.last.normed.is_scaled:
        return "warning" if guess is not None and least >= FAR * guess and site.may_rest else None
    if guess is not None and least >= NO_BETTER * guess:
        return "warning"
    over = own_over_guess(part)
    if (over is not None and over >= NO_BETTER and site.may_rest) or harm(facts, site):
        return "warning"
    return "info" if guess is not None and least >= MUCH * guess else None


RULE = Rule(
    code="GR614",
    slug="normalised-output",
    title="output that is normalised",
    severities=("warning", "info"),
    family="loss",
    explain=Explanation(
        cause="A normalisation as the last operation before the loss, as where a block of convolution and norm is used "
        "for the last layer too, gives the output mean 0 and deviation 1, whatever the network before it has learned. "
        "Logits cannot then say that a class is rare or that an image has none of it, and a regression cannot reach "
        "the level and the scale of its targets.",
        mathematics=(
            "z = (a − mean a) / std a:   mean z = 0 and mean z² ≤ 1, whatever a",
            "ℓ convex:   Σ ℓ(z) ≥ Σ (ℓ(u) − ℓ′(u) u) − Σ_groups n · std ℓ′(u), for any u",
        ),
        thresholds=f"In all looks, {MIN_LOOKS} at least, the output comes straight from an instance, batch, layer or "
        "group norm, and the least that its cross entropy or squared error can be with that mean and deviation is "
        f"{percent(MOSTLY)} or more of what it has come to. A warning where that least, or what it "
        f"has come to, is {percent(NO_BETTER)} of what a constant guess gets or more, or where the loss does not fall; "
        f"information where it is {percent(MUCH)} of that. Of a normalisation with a scale and a shift of its own, "
        f"which may come to fit, a warning where that least is {FAR:g} times what a constant guess gets by the last "
        "looks.",
        remedies=("No normalisation behind the last layer: free.",),
        silence="Where the output is meant to be standardised, and so are the targets when the model is used.",
        references=(
            "Ulyanov, Vedaldi, Lempitsky (2016): Instance normalization: the missing ingredient for fast stylization",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    effects=("GR604",),
    labels={"least_loss": "lowest loss possible", "numbers": "numbers normalised together"},
    zoo=("gr614_block_as_head", "gr614_normed_forecast"),
)
