"""GR107: a recurrent module is called step by step, each time from the same state."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.recurrence import SteppedState
from gradreach.remedies.advice.carry_state import CARRY_STATE
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each module whose steps begin from one state in every look at it."""
    if len(facts.sound_looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no step was watched {MIN_LOOKS} times")
    return RuleOutcome(tuple(_finding(facts, looks, seen) for looks, seen in facts.uncarried_states))


def _finding(facts: Facts, looks: Sequence[Look], seen: SteppedState) -> Finding:
    given = "is given the very same state" if seen.is_given else "is given no state, and so begins from zeros,"
    because = (
        f"`{seen.module}` ({seen.kind}) runs step by step, and {given} in each of its {seen.calls} calls a pass: what "
        "a step leaves in its state is thrown away. No step knows of those before it by this state, and no gradient "
        "goes back to them."
    )
    evidence: Evidence = {"calls": seen.calls, "looks": len(looks)}
    where: Where = {"module": seen.module, "kind": seen.kind, "site": facts.site_name(looks[-1].site)}
    how = f"h_t = f(x_t, h_0) for all {seen.calls} t: ∂h_t/∂h_{{t−1}} = 0"
    return RULE.finding("warning", where, evidence, because, (CARRY_STATE.remedy(seen.module, seen.kind),), how)


def _headline(_: Facts, finding: Finding) -> str:
    return (
        f"The state of `{finding.where['module']}` is not carried: each of its {finding.evidence['calls']} steps a "
        "pass begins from the same one."
    )


RULE = Rule(
    code="GR107",
    slug="state-not-carried",
    title="state not carried from step to step",
    severities=("warning",),
    family="time",
    explain=Explanation(
        cause="A cell returns its state and keeps nothing: the loop has to hand it on. Where the state that went in at "
        "the first step goes in at every step, or none does, the loop is a layer without memory, whatever it holds.",
        mathematics=("h_t = f(x_t, h_0):   ∂h_t/∂h_{t−1} = 0 for every t",),
        thresholds="A cell of torch, or a layer over one step, is called four times or more in one backward pass, and "
        "the state that it is given is the same in each of them, number by number. So it is in every look, "
        f"{MIN_LOOKS} at least.",
        remedies=("Hand the returned state to the next call: free.",),
        silence="Where the calls are no sequence: many agents, many sensors, each of a single step.",
        references=(WILLIAMS,),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    zoo=("gr107_state_not_carried", "gr107_no_state_given"),
)
