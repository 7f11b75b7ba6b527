"""GR107: a recurrent module is called step by step, each time from the same state."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.recurrence import SteppedState
from gradreach.remedies.advice.carry_state import CARRY_STATE
from gradreach.remedies.advice.whole_sequence import WHOLE_SEQUENCE
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each module whose steps begin from one state in every look at it."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no step was watched {MIN_LOOKS} times")
    found = [_finding(facts, looks, seen) for looks, seen in facts.seen.uncarried_states]
    of_stream = {seams[-1].module for _, seams in facts.seen.chunk_seams}
    single = (each for each in facts.seen.single_steps.items() if each[0] not in of_stream)
    return RuleOutcome((*found, *(_single(facts, module, looks) for module, looks in single)))


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


def _single(facts: Facts, module: str, looks: Sequence[Look]) -> Finding:
    """A module that is given one step a pass, with nothing before it."""
    kind = next(seen.kind for seen in looks[-1].time if seen.module == module)
    because = (
        f"`{module}` ({kind}) is given a single step in each pass, from a state of zeros: its recurrent weights are "
        "multiplied with nothing, and it is a layer without memory. What lies along time has to come as its steps."
    )
    site = facts.site(looks[-1].site)
    where: Where = {"module": module, "kind": kind, "site": site.name}
    remedies = (WHOLE_SEQUENCE.remedy(module, kind),)
    how = "h_1 = f(x_1, 0) with T = 1: ∂L/∂W_hh = 0"
    harmed = site.stalled or facts.is_constant_guess(site.number)
    return RULE.finding(
        "warning" if harmed else "info", where, {"calls": 1, "looks": len(looks)}, because, remedies, how
    )


def _headline(_: Facts, finding: Finding) -> str:
    if finding.evidence["calls"] == 1:
        return capital(finding.because.split(": ", 1)[0]) + "."
    return (
        f"The state of `{finding.where['module']}` is not carried: each of its {finding.evidence['calls']} steps a "
        "pass begins from the same one."
    )


RULE = Rule(
    code="GR107",
    slug="state-not-carried",
    title="no state carried from step to step",
    severities=("warning", "info"),
    family="time",
    explain=Explanation(
        cause="A cell returns its state and keeps nothing: the loop has to hand it on. Where the state that went in at "
        "the first step goes in at every step, or none does, the loop is a layer without memory, whatever it holds.",
        mathematics=(
            "h_t = f(x_t, h_0):   ∂h_t/∂h_{t−1} = 0 for every t",
            "T = 1, h_0 = 0:   ∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ = 0",
        ),
        thresholds="A cell, or a layer over one step, is called four times or more in one backward pass, and "
        "the state that it is given is the same in each of them, number by number. A cell is one of torch, or a module "
        "of the script's own with weights that is given zeros, or two tensors and more, beside another input, returns "
        "the like, and is not fed what it returned. So it is in every look, "
        f"{MIN_LOOKS} at least. One that is called once a pass, with a single step and a state of zeros, is "
        "information, and a warning where the loss stays at a constant guess.",
        remedies=(
            "Hand the returned state to the next call: free.",
            "Give the layer the steps of a sequence as steps, not as features: free.",
        ),
        silence="Where the calls are no sequence: many agents, many sensors, each of a single step.",
        references=(WILLIAMS,),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    zoo=("gr107_state_not_carried", "gr107_no_state_given", "gr107_own_cell", "gr107_single_step"),
)
