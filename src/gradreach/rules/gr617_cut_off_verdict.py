"""GR617: a model is judged by another one that is given its output without a graph."""

from __future__ import annotations

from gradreach.facts.cut_outputs import FEWEST_LOOKS, CutOff
from gradreach.facts.facts import Facts
from gradreach.facts.wording import shortened
from gradreach.record.schema import Finding
from gradreach.remedies.advice.uncut_output import UNCUT_OUTPUT
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each model whose output comes to its judge cut off, in the step that is to train it."""
    if sum(look.stepped is not None for look in facts.seen.looks) < FEWEST_LOOKS:
        return RuleOutcome(why_not=f"fewer than {FEWEST_LOOKS} looks saw what an optimizer steps")
    return RuleOutcome(tuple(_finding(facts, each) for each in facts.seen.cut_offs))


def _finding(facts: Facts, seen: CutOff) -> Finding:
    source, verdict = f"`{shortened(seen.source, 40)}`", f"`{shortened(seen.judge, 40)}`"
    because = (
        f"{source} learns nothing from {verdict}: its output goes there without the graph that leads back to it (by "
        f"detach() or .data), in the very step that trains {source}. The gradient of that part of the loss "
        f"ends in {verdict}, which this step does not move. So it was in all {seen.looks} looks."
    )
    evidence: Evidence = {"judge": seen.judge, "looks": seen.looks}
    where: Where = {"module": seen.source, "site": facts.site_name(seen.site)}
    how = f"∂L_judge/∂w = 0 for every w of {seen.source}, in {seen.looks} of {seen.looks} looks"
    remedies = (UNCUT_OUTPUT.remedy(seen.source, seen.judge),)
    return RULE.finding("warning", where, evidence, because, remedies, how)


RULE = Rule(
    code="GR617",
    slug="cut-off-verdict",
    title="judged without a gradient",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="Two models are trained in turns, and one judges what the other puts out. In the judge's own step the "
        "output is detached, so that only the judge learns. Where that stands in the other step too, the verdict is a "
        "constant for the model that it should teach: its loss has the term, and its gradient has not.",
        mathematics=("L_G = l(D(G(z))) + …,   ∂l/∂w_G = ∂l/∂D · ∂D/∂G · ∂G/∂w_G;   cut at G(z): ∂l/∂w_G = 0",),
        thresholds="An outermost module is given a tensor without a graph that lies in the memory of another one's "
        "output with a graph, and is never given it with its graph. After the pass an optimizer steps weights of the "
        "model that put it out and none of the one that is given it, though these got a gradient; another line that "
        f"calls backward trains them. So in all looks at the line, {FEWEST_LOOKS} at least.",
        remedies=("Hand the output over as it is in the step that is to train by the verdict: free.",),
        silence="Where the term is only computed to be watched, and other terms are meant to train the model.",
        references=("Goodfellow et al. (2014): Generative adversarial nets",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    zoo=("gr617_detached_in_both_steps", "gr617_judged_by_data"),
)
