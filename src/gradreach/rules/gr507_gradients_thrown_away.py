"""GR507: the gradients of many passes are cleared before any update is made by them."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.wording import local
from gradreach.record.schema import Finding
from gradreach.remedies.advice.clear_once import CLEAR_ONCE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FEWEST_LOOKS = 6
"""Looks at one line, for where several passes make an update the looks fall on each of them by chance."""

MANY = 0.25
"""Share of them whose gradient was thrown away; a step that is skipped for once is none of them."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line of whose passes many are of no use."""
    found, enough = [], False
    for site in facts.sites:
        looks = [look for look in facts.seen.looks_with_update if look.site == site.number]
        told = [look.stepped for look in looks if look.stepped is not None]
        thrown = sum(each.is_discarded for each in told)
        enough = enough or len(told) >= FEWEST_LOOKS
        if len(told) >= FEWEST_LOOKS and MANY * len(told) <= thrown < len(told):
            found.append(_finding(site, thrown, len(told)))
    if not enough:
        return RuleOutcome(why_not=f"no line that calls backward was watched {FEWEST_LOOKS} times")
    return RuleOutcome(tuple(found))


def _finding(site: Site, thrown: int, of: int) -> Finding:
    harmed = site.stalled or site.worse_than_at_first or site.learning.course in ("does not fall", "rises again")
    because = (
        f"the gradients of many passes at {local(site.name)} are thrown away: of {of} that were watched, those of "
        f"{thrown} were cleared before any optimizer had made a step by them. Only what the other passes leave is "
        "learned from."
    )
    evidence: Evidence = {"thrown_away": thrown, "looks": of}
    how = f"w.grad = 0 before any step, after {thrown} of {of} passes"
    where: Where = {"site": site.name}
    return RULE.finding("error" if harmed else "warning", where, evidence, because, (CLEAR_ONCE.remedy(),), how)


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". ", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR507",
    slug="gradients-thrown-away",
    title="gradients thrown away",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="backward() adds to the gradients, zero_grad() clears them, step() goes by what it finds. Where an "
        "update is to be made of several passes, as of the pieces of a sequence or of micro-batches, and each of them "
        "clears first, it is made of the last one alone.",
        mathematics=("g = Σ_i ∂L_i/∂w over the passes of an update;   cleared before each: g = ∂L_n/∂w",),
        thresholds="Of one line that calls backward, in a quarter of its looks or more, but not in all: no optimizer "
        "of torch made a step before the next pass, no weight moved, and every gradient of the pass was None or 0 by "
        f"then. At least {FEWEST_LOOKS} looks. A pass that also gives a gradient to something else than parameters "
        "does not count: it may have been made for that.",
        remedies=("zero_grad() once an update: free; or a step for each pass.",),
        silence="For a pass that is only to be looked at.",
        references=("Ott and others (2018): Scaling neural machine translation, section 3",),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    labels={"thrown_away": "thrown away"},
    zoo=("gr507_cleared_in_each_piece",),
)
