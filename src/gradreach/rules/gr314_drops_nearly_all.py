"""GR314: dropouts leave next to nothing of the signal, as where p was meant as the share that is kept."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LITTLE, NO_BETTER
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent, shortened
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import Dropping
from gradreach.remedies.advice.drop_less import DROP_LESS
from gradreach.rules.harm import little_learned
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

MUCH = 0.8
"""Share dropped from which next to nothing is left: a fifth, where a half is the most that is usual."""

MOST_NAMED = 8


def judge(facts: Facts) -> RuleOutcome:
    """Each line behind which something drops nearly all that passes through it, from its first look to its last."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks")
    found = ((site, _drop_much(facts, site)) for site in facts.sites)
    return RuleOutcome(tuple(_finding(facts, site, dropping) for site, dropping in found if dropping))


def _drop_much(facts: Facts, site: Site) -> list[Dropping]:
    """What drops so much in each look at a line, as the last look saw it."""
    looks = facts.seen.looks_at(site.number)
    if len(looks) < MIN_LOOKS:
        return []
    always = set.intersection(*({each.module for each in look.dropping if each.p >= MUCH} for look in looks))
    return [each for each in looks[-1].dropping if each.module in always]


def _finding(facts: Facts, site: Site, dropping: Sequence[Dropping]) -> Finding:
    worst, harm = max(dropping, key=lambda each: each.p), little_learned(facts, site)
    told = f"`{shortened(worst.module, 40)}` ({worst.kind}) drops"
    if len(dropping) > 1:
        up_to = "" if min(each.p for each in dropping) == worst.p else " up to"
        told = f"{told.removesuffix(' drops')} and {count(len(dropping) - 1, 'more module')} drop{up_to}"
    because = f"{told} {percent(worst.p)} of what passes through"
    because += f", and {harm}. " if harm else "; the loss falls all the same, or need not. "
    because += (
        f"What is left, {percent(1 - worst.p)} of the signal, is another part of it at each step. p is the share that "
        "is dropped, not the one that is kept."
    )
    evidence: Evidence = {
        "p": worst.p, "modules": len(dropping), "kind": worst.kind, "loss": site.learning.last,
        "names": ", ".join(each.module for each in dropping[:MOST_NAMED]),
    }  # fmt: skip
    where: Where = {"module": worst.module, "site": site.name}
    places = [f"{each.module}.{_argument(each.kind)}" for each in dropping[:MOST_NAMED]]
    how = f"p = {figure(worst.p)} ≥ {MUCH:g}"
    remedies = (DROP_LESS.remedy(places, worst.p),)
    return RULE.finding("warning" if harm else "info", where, evidence, because, remedies, how)


def _argument(kind: str) -> str:
    return "p" if "Dropout" in kind else "dropout"


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". What is left", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR314",
    slug="drops-nearly-all",
    title="nearly everything is dropped",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="A dropout sets a random part p of what it is given to 0 and scales up the rest. Other libraries count "
        "the share that is kept, 0.9 for a tenth that is dropped. With p=0.9 the rest is a tenth of the units, another "
        "one at each step, three times as large as its mean in noise: the best that the loss then has is nearly a "
        "constant guess, and what is learned was never tried together.",
        mathematics=("y = x m / (1 − p), m = 1 with probability 1 − p, else 0;   Var(y) ≥ x² p / (1 − p)",),
        thresholds=f"In each look at a line, {MIN_LOOKS} at least, a dropout in training mode has p of {MUCH:g} or "
        "more, or a stacked recurrent layer between its layers, or an attention on its weights. A warning where the "
        f"loss comes to rest at {percent(LITTLE)} or more of what a constant guess gets, or after 200 passes has come "
        f"no lower than {percent(NO_BETTER)} of that, or does not fall, or hardly; "
        "elsewhere information, for a wide layer may stand it. A call of `torch.nn.functional.dropout` is not seen.",
        remedies=("p of 0.1 to 0.5: free.",),
        silence="Where the data are masked on purpose.",
        references=("Srivastava et al. (2014): Dropout: a simple way to prevent neural networks from overfitting",),
    ),
    judge=judge,
    headline=_headline,
    urgency=3,
    labels={"p": "share dropped", "loss": "loss at last"},
    zoo=("gr314_share_kept", "gr314_attention"),
)
