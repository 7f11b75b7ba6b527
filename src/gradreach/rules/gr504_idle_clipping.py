"""GR504: the script clips its gradients in a place where that limits nothing."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.idle_clip import FEWEST_CALLS, IdleClip
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite
from gradreach.facts.wording import count, figure, local, percent
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.clip_between import CLIP_BETWEEN
from gradreach.remedies.advice.spelling import expression
from gradreach.rules import formula
from gradreach.rules.references import PASCANU
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

_WHY = {
    "cleared": "comes after the update and sees no gradient, so it stands before backward()",
    "updated": "comes after the update, and what it clips is thrown away",
    "elsewhere": "sees no gradient at all, so it stands before backward() or is given other parameters than those that "
    "train",
}


def judge(facts: Facts) -> RuleOutcome:
    """Each line that calls backward whose clipping limits no update."""
    if not any(step.clip for step in facts.record.steps):
        return RuleOutcome(why_not="the script does not clip")
    return RuleOutcome(
        tuple(_finding(facts, site, site.idle_clip) for site in facts.sites if site.idle_clip is not None)
    )


def _finding(facts: Facts, site: Site, idle: IdleClip) -> Finding:
    because = (
        f"none of {count(idle.calls, 'clipping call')} that follow the pass at {local(site.name)} limits an update: "
        f"each {_WHY[idle.place]}."
    )
    if idle.over is not None and idle.kind == "norm":
        because += (
            f" The norm lay over the threshold of {figure(idle.threshold)} in {percent(idle.over, 3)} of the steps, "
            f"with a median of {figure(idle.norm)}."
        )
    evidence: Evidence = {
        "calls": idle.calls, "threshold": idle.threshold, "norm": idle.norm, "over": idle.over, "place": idle.place,
    }  # fmt: skip
    how = f"{idle.calls} calls at a threshold of {figure(idle.threshold)} limit nothing"
    if idle.kind == "norm" and is_finite(idle.norm) and idle.threshold > 0:
        how += f": median ‖g‖ / threshold = {formula.quotient(idle.norm, idle.threshold)}"
    where: Where = {"site": site.name}
    return RULE.finding(_severity(facts, site, idle), where, evidence, because, (_remedy(facts, site, idle),), how)


def _severity(facts: Facts, site: Site, idle: IdleClip) -> Severity:
    """Information where no norm ever passed the threshold; an error where the run broke, blew up or does not learn."""
    if idle.kind == "norm" and idle.over == 0.0:
        return "info"
    blew_up = facts.blow_up is not None and facts.blow_up.site == site.number
    if blew_up or facts.broke_by_growth or site.stalled or site.worse_than_at_first:
        return "error"
    return "warning"


def _remedy(facts: Facts, site: Site, idle: IdleClip) -> Remedy:
    models = facts.seen.models_at(site.number)
    parameters = f"{expression(min(models))}.parameters()" if len(models) == 1 else "parameters"
    call = "clip_grad_value_" if idle.kind == "value" else "clip_grad_norm_"
    return CLIP_BETWEEN.remedy(call, parameters, figure(idle.threshold))


RULE = Rule(
    code="GR504",
    slug="idle-clipping",
    title="clipping that limits nothing",
    severities=("error", "warning", "info"),
    family="loop",
    explain=Explanation(
        cause="A clipping function changes the gradients that are there when it is called. Before backward() there are "
        "none, after the optimizer's step they have done their work, and those of other parameters move nothing.",
        mathematics=("w ← w − η g with ‖g‖ as it comes, not ≤ threshold, whatever the call returns",),
        thresholds=f"At {FEWEST_CALLS} calls or more, and 9 of 10 of a line, either the clipped weights have already "
        "been moved since the last backward pass, by their versions in torch, or the call returned a norm of 0 where "
        "that pass left a gradient. An error where the run broke or blew up or its loss does not fall; information "
        "where no norm ever passed the threshold. What moves weights by `.data` or by a fused optimizer does not "
        "count their versions up, and such a call after the update is not seen.",
        remedies=(
            "The call between backward() and step(): free; a threshold that never acted may then prove too low.",
        ),
        silence="Where the call only serves to measure the norm.",
        references=(PASCANU,),
    ),
    judge=judge,
    urgency=1,
    labels={"over": "share of steps over the threshold"},
    zoo=("gr504_clips_before_backward", "gr504_clips_after_step"),
)
