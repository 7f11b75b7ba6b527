"""GR106: the state is detached at every step of a sequence, so that no gradient goes through time at all."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.recurrence import DetachedState
from gradreach.remedies.advice.detach_between import DETACH_BETWEEN
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each module that is called step by step and whose state always comes back without its history."""
    if len(facts.record.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no step was watched {MIN_LOOKS} times")
    return RuleOutcome(tuple(_finding(facts, looks, seen) for looks, seen in facts.seen.cut_states))


def _finding(facts: Facts, looks: Sequence[Look], seen: DetachedState) -> Finding:
    because = (
        f"`{seen.module}` ({seen.kind}) runs step by step, {count(seen.calls, 'call')} a backward pass, and its "
        "state comes "
        f"back detached at {seen.cut} of {seen.calls - 1} hand-overs: the gradient does not vanish, it is cut. r(ℓ) is "
        "exactly 0 from lag 1 on, so nothing that lies a step back or more can be learned."
    )
    evidence: Evidence = {"calls": seen.calls, "detached": seen.cut, "looks": len(looks)}
    where: Where = {"module": seen.module, "kind": seen.kind, "site": facts.site_name(looks[-1].site)}
    how = f"∂h_t/∂h_{{t−1}} = 0 at {seen.cut} of {seen.calls - 1} hand-overs"
    return RULE.finding("warning", where, evidence, because, (DETACH_BETWEEN.remedy(seen.module),), how)


def _headline(_: Facts, finding: Finding) -> str:
    return f"The state of `{finding.where['module']}` is detached at every step: no gradient goes back through time."


RULE = Rule(
    code="GR106",
    slug="state-detached",
    title="state detached at every step",
    severities=("warning",),
    family="time",
    explain=Explanation(
        cause="detach() between chunks of a long stream bounds the cost of backpropagation through time. Inside the "
        "loop "
        "over the steps it leaves nothing of it: each step learns from its own input and a state that it takes as "
        "given.",
        mathematics=("h_t = f(x_t, detach(h_{t−1})):   ∂h_t/∂h_{t−1} = 0,   r(0) = 1, r(ℓ) = 0 for ℓ ≥ 1",),
        thresholds="A recurrent cell, a layer fed one step at a time, or a module of one's own that takes an input "
        "and a "
        "state, called three times or more in one backward pass: each call but the first is given the very numbers "
        "that the call before put out, and none of them with a gradient's path. So it is in every look at it, "
        f"{MIN_LOOKS} at least. A state that is detached between chunks of several steps is never meant.",
        remedies=("detach() between chunks alone, after their backward pass: costs the memory of one chunk's graph.",),
        silence="Where a step is to learn from its own input alone, as in some algorithms for learning on line.",
        references=(WILLIAMS,),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    zoo=("gr106_detached_in_loop",),
)
