"""GR313: the eps of an optimizer like Adam outweighs the gradient, and shortens every step."""

from __future__ import annotations

from gradreach.facts.epsilon import TIMES, USUAL, Outweighed
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.small_eps import SMALL_EPS
from gradreach.rules.harm import slow
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

ORDINARY = 1e-3
"""‖Δw‖ / ‖w‖ of ordinary training, from which on steps are not too short, whatever the eps does to them."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose optimizer has an eps that outweighs the gradient from the start."""
    told = [look.site for look in facts.seen.looks if look.stepped is not None and look.stepped.epsilons]
    if max(map(told.count, told), default=0) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no optimizer with an eps was heard at {MIN_LOOKS} looks")
    found = ((site, facts.updates[site.number].outweighed) for site in facts.sites)
    return RuleOutcome(tuple(_finding(facts, site, each) for site, each in found if each is not None))


def _finding(facts: Facts, site: Site, found: Outweighed) -> Finding:
    ratio = facts.updates[site.number].ratio
    harm = slow(facts, site) if ratio is not None and ratio < ORDINARY else ""
    because = (
        f"the eps of {found.optimizer}, {figure(found.eps)}, outweighs the gradient: it is added to the root of the "
        f"second moment, which is {figure(found.root)} in the median and smaller than eps for {percent(found.below)} "
        f"of the weights, so that steps are {figure(found.times)} times shorter than the learning rate of "
        f"{figure(found.rate)} asks"
    )
    because += (
        f". An update changes the weights by {figure(ratio)} of their size in the median, and the loss {harm}."
        if harm
        else "; harmless where the learning rate was chosen for it."
    )
    evidence: Evidence = {
        "eps": found.eps, "root": found.root, "below": found.below, "times": found.times, "rate": found.rate,
        "update_size": ratio, "looks": found.looks,
    }  # fmt: skip
    how = f"Δw = η m / (√v + ε): 1 + ε / √v = 1 + {figure(found.eps)} / {figure(found.root)} ≥ {figure(TIMES)}"
    where: Where = {"site": site.name}
    remedies = (SMALL_EPS.remedy(found.eps),)
    return RULE.finding("warning" if harm else "info", where, evidence, because, remedies, how)


def _headline(_: Facts, finding: Finding) -> str:
    return f"{finding.because[:1].upper()}{finding.because[1:]}"


RULE = Rule(
    code="GR313",
    slug="large-eps",
    title="an eps that outweighs the gradient",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="Adam and its kin divide the step by the root of the gradient's second moment, so that it is as long as "
        "the learning rate says. To that root they add eps, against a division by 0. An eps far above the root takes "
        "its place: the step is then the gradient times η/ε, a plain gradient step at a rate that nobody chose.",
        mathematics=(
            "Δw = η m̂ / (√v̂ + ε):   η where √v̂ ≫ ε;   (η/ε) m̂ where √v̂ ≪ ε",
            "√v̂ is about the gradient's rms: 1e-2 at a mean over a batch is common, 1e-4 is not rare",
        ),
        thresholds=f"The median of √v̂ over the weights that ever had a gradient leaves 1 + ε/√v̂ at {TIMES:g} or more, "
        f"in each of the first {MIN_LOOKS} looks and in the median of their last half, though √v̂ is above the usual "
        f"eps of {USUAL:g}: below that the gradient is what is too small. A warning where updates are also under "
        f"{ORDINARY:g} of the weights and the loss does not fall, hardly, or still falls with more than half of its "
        "first value left; elsewhere information, for a large eps with a rate to match is a sound method. Judged are "
        "torch's Adam, AdamW, NAdam, RAdam, RMSprop and Adagrad, and what is made of them, v corrected as they do.",
        remedies=(
            f"eps={USUAL:g}, as torch begins with: free; keep the learning rate.",
            "A learning rate larger by as much: free, where eps is meant to be large.",
        ),
        silence="Where steps are meant to follow the gradient's size, with a rate to match.",
        references=(
            "Kingma and Ba (2015): Adam: a method for stochastic optimization",
            "Choi et al. (2019): On empirical comparisons of optimizers for deep learning",
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    effects=("GR305", "GR403"),
    labels={
        "root": "√v, median",
        "below": "share of √v below eps",
        "times": "steps shortened",
        "rate": "learning rate",
    },
    zoo=("gr313_eps_of_one", "gr313_large_eps_of_rmsprop"),
)
