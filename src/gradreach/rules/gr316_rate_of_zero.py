"""GR316: the learning rate is 0 for a whole stretch at the start, so that nothing moves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.remedies.advice.warm_up_by_steps import WARM_UP_BY_STEPS
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

FEWEST = 10
"""Steps for which the rate must have been 0: a warm-up may well begin with one."""

SHARE = 0.02
"""Part of the run that they must be."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose optimizer steps at a rate of 0 for a while and then at another."""
    told = {site: looks for site in facts.sites if (looks := _stepped(facts, site))}
    if not told:
        return RuleOutcome(why_not="no step of an optimizer was seen whose rate torch tells")
    return RuleOutcome(tuple(found for site, looks in told.items() if (found := _finding(facts, site, looks))))


def _stepped(facts: Facts, site: Site) -> Sequence[Look]:
    """The looks at a line that an optimizer's step followed."""
    looks = (look for look in facts.seen.looks if look.site == site.number)
    return [look for look in looks if look.stepped is not None and look.stepped.steps]


def _rate(look: Look) -> float:
    return 0.0 if look.stepped is None else look.stepped.rate


def _finding(facts: Facts, site: Site, looks: Sequence[Look]) -> Finding | None:
    still = list(takewhile(lambda look: _rate(look) == 0.0, looks))
    if not MIN_LOOKS <= len(still) < len(looks):
        return None
    until, after = still[-1].step, looks[len(still)]
    if until + 1 < max(FEWEST, SHARE * facts.record.length):
        return None
    highest = max(map(_rate, looks))
    because = (
        f"The optimizer steps at a learning rate of 0 from the start to step {until:,} at least, "
        f"{percent(min((until + 1) / facts.record.length, 1.0))} of the run, so that nothing moves; at step "
        f"{after.step:,} it is {figure(_rate(after))}. So it is where a warm-up that counts steps is stepped once an "
        "epoch: the rate stays at 0 for the whole first epoch, and rises as slowly from there."
    )
    evidence: Evidence = {
        "until": until, "steps": facts.record.length, "rate_after": _rate(after), "highest_rate": highest,
        "looks": len(still),
    }  # fmt: skip
    how = f"η = 0 in the first {count(len(still), 'look')}, {len(still)} ≥ {MIN_LOOKS}"
    remedies = (WARM_UP_BY_STEPS.remedy(),)
    return RULE.finding("warning", {"site": site.name}, evidence, because, remedies, how)


RULE = Rule(
    code="GR316",
    slug="rate-of-zero",
    title="a learning rate of 0 at first",
    severities=("warning",),
    family="step",
    explain=Explanation(
        cause="A warm-up raises the learning rate from 0 over a number of steps. Stepped once an epoch in place of "
        "once a step it is 0 in the whole first epoch, and needs as many epochs as it was given steps. A factor that "
        "is divided in whole numbers, as step // warm_up, stays at 0 until the warm-up is over.",
        mathematics=("η_k = η k / K in step k:   stepped in each epoch of n steps it takes n·K steps to come to η",),
        thresholds=f"The optimizer steps at a rate of exactly 0 in the first {MIN_LOOKS} looks or more, over {FEWEST} "
        f"steps and {percent(SHARE)} of the run at least, and at another rate later.",
        remedies=("Step the warm-up after each batch, or give it the number of epochs: free.",),
        silence="Where all is meant to stay as it is for a while, as for statistics to settle.",
        references=("Goyal and others (2017): Accurate, large minibatch SGD: training ImageNet in 1 hour",),
    ),
    judge=judge,
    headline=headline,
    urgency=2,
    labels={"until": "a rate of 0 until step", "rate_after": "rate after", "highest_rate": "highest rate"},
    zoo=("gr316_warm_up_by_epochs",),
)
