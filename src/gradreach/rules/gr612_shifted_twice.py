"""GR612: the targets of a model of sequences lie two places further on."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import CopiedTargets
from gradreach.remedies.advice.shift_once import SHIFT_ONCE
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

TWICE = 2
"""Places that the targets lie ahead."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose targets are the ids two places further on in each look that compared them."""
    asked = [(look.site, look.copied_targets) for look in facts.seen.looks if look.copied_targets is not None]
    sites = [(site, [seen for at, seen in asked if at == site]) for site in dict.fromkeys(at for at, _ in asked)]
    told = ((site, seen) for site, seen in sites if len(seen) >= MIN_LOOKS and all(s.ahead == TWICE for s in seen))
    return RuleOutcome(tuple(_finding(facts, site, seen[-1], len(seen)) for site, seen in told))


def _finding(facts: Facts, site: int, seen: CopiedTargets, looks: int) -> Finding:
    because = (
        f"The targets of the loss are the ids that `{seen.module}` is given {TWICE} places further on, and nothing "
        "asks for the next one: they were shifted twice, as where the data set shifts them and the model or the loss "
        "does so again. What is learned is to leave one out."
    )
    evidence: Evidence = {"ahead": TWICE, "T": seen.steps, "places": seen.places, "looks": looks}
    where: Where = {"module": seen.module, "site": facts.site_name(site)}
    how = f"y_t = x_{{t+{TWICE}}} for all {seen.places} places"
    return RULE.finding("warning", where, evidence, because, (SHIFT_ONCE.remedy(),), how)


RULE = Rule(
    code="GR612",
    slug="shifted-twice",
    title="targets shifted twice",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="A model of sequences tells the next symbol, so that its targets are the ids one place further on. Some "
        "data sets hand them over so, and some models and losses shift what they are given as `labels` themselves; "
        "together the model is asked for the symbol after the next. The loss falls, and what it writes leaves out "
        "every other word.",
        mathematics=("meant: L = Σ_t −log p(x_{t+1} | x_1 … x_t);   here: L = Σ_t −log p(x_{t+2} | x_1 … x_t)",),
        thresholds="The targets of a cross entropy are the ids that an embedding is given two places further on, at "
        "every place that the loss does not ignore, and no comparison asks for those in their places or one further "
        f"on. So it is in {MIN_LOOKS} looks or more; a dozen looks ask.",
        remedies=("Shift in one place: labels that are the input ids where the model shifts them itself: free.",),
        silence="Where the symbol after the next is asked for on purpose, by one head among several: then another asks "
        "for the next.",
        references=("Bengio and others (2003): A neural probabilistic language model, equation 1",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"ahead": "places ahead", "places": "places compared"},
    zoo=("gr612_shifted_twice",),
)
