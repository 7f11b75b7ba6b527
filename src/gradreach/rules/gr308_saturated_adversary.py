"""GR308: a model is trained through another one whose outputs are all certain, so that nearly nothing comes back."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import known, median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.depth import DepthLook
from gradreach.remedies.advice.unsaturated_loss import UNSATURATED_LOSS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

CERTAIN = 0.95
"""Share of the outputs at which a sigmoid has less than 5 % of its largest slope."""

FALLEN = 0.01
"""The last norms over the first from which on the gradient counts as gone: losses of adversaries wander by less."""

FEWEST_NORMS = 10


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward through a model that it does not train."""
    sites = {
        site: looks
        for site in facts.sites
        if len(looks := [look for look in facts.seen.looks if look.site == site.number]) >= MIN_LOOKS
        and len(known(step.norm for step in site.sound_steps)) >= FEWEST_NORMS
    }
    if not sites:
        return RuleOutcome(why_not=f"no line that calls backward was watched {MIN_LOOKS} times and measured")
    found = (_finding(facts, site, looks) for site, looks in sites.items())
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, site: Site, looks: Sequence[Look]) -> Finding | None:
    outputs = [_certain_output(facts, look) for look in looks[-MIN_LOOKS:]]
    norms = known(step.norm for step in site.sound_steps)
    part = max(len(norms) // 5, 3)
    first, last = median(norms[:part]), median(norms[-part:])
    output = outputs[-1]
    if output is None or None in outputs or last > FALLEN * first:
        return None
    trained = [seen.module for seen in looks[-1].depth if seen.weight_grad_norm is not None]
    share, roots = output.saturated, sorted({facts.seen.root_of(module) for module in trained})
    whom = ", ".join(f"`{root}`" for root in roots)
    because = (
        f"{whom} learns through `{output.module}`, and {percent(share)} of what that puts out lies where its sigmoid "
        "is "
        f"flat: the norm of the gradient has fallen from {figure(first)} to {figure(last)}. A loss that rests where "
        f"its sigmoid is flat gives {whom} almost no slope."
    )
    evidence: Evidence = {
        "saturated": share, "first_norm": first, "last_norm": last, "looks": len(looks), "trained": ", ".join(roots),
    }  # fmt: skip
    where: Where = {"module": output.module, "kind": output.kind, "site": site.name}
    how = f"‖g‖: {figure(last)} ≤ {figure(FALLEN)} · {figure(first)};   σ′(a) = σ(a) (1 − σ(a)) ≈ 0"
    return RULE.finding("error", where, evidence, because, (UNSATURATED_LOSS.remedy(),), how)


def _certain_output(facts: Facts, look: Look) -> DepthLook | None:
    """The sigmoid at which a model ends that this line does not train, where nearly every value is certain; None where
    that model is asked for nothing else."""
    trained = {facts.seen.root_of(seen.module) for seen in look.depth if seen.weight_grad_norm is not None}
    idle = [seen for seen in look.depth if facts.seen.root_of(seen.module) not in trained]
    last = max(idle, key=lambda seen: seen.order, default=None)
    if not trained or last is None or last.activation != "sigmoid" or (last.saturated or 0.0) < CERTAIN:
        return None
    return None if facts.seen.root_of(last.module) in {each.root for each in facts.one_sided} else last


RULE = Rule(
    code="GR308",
    slug="saturated-adversary",
    title="trained through a saturated model",
    severities=("error",),
    family="step",
    explain=Explanation(
        cause="A generator learns only by what its discriminator sends back. Where that one is certain of every "
        "sample, "
        "its sigmoid is flat, and log(1 − D(G(z))) has no slope left: the generator stands still while its loss says "
        "that it has lost.",
        mathematics=(
            "d/da log(1 − σ(a)) = −σ(a) → 0 as a → −∞:   the saturating loss",
            "d/da (−log σ(a)) = −(1 − σ(a)) → −1:   the one that does not saturate",
        ),
        thresholds=f"A line that calls backward trains one model through another, which ends in a sigmoid with "
        f"{percent(CERTAIN)} of its values in the flat part in each of the last {MIN_LOOKS} looks, and the median norm "
        f"of its last fifth of steps is at most {percent(FALLEN)} of that of the first fifth.",
        remedies=(
            "The loss that does not saturate, on logits: free.",
            "A weaker or slower discriminator, one-sided label smoothing, a gradient penalty: another balance to find.",
        ),
        silence="Where the training is over and the adversary no longer matters.",
        references=("Goodfellow and others (2014): Generative adversarial nets",),
    ),
    judge=judge,
    urgency=3,
    labels={"saturated": "share of certain outputs", "first_norm": "norm at first", "last_norm": "norm at last"},
    zoo=("gr308_saturated_discriminator",),
)
