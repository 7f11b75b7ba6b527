"""GR317: a module has a backward pass of its own that autograd never calls."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import UnheardBackward
from gradreach.remedies.advice.autograd_function import AUTOGRAD_FUNCTION
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each class of such modules, in all the looks that saw it."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks")
    seen: dict[str, list[tuple[Look, UnheardBackward]]] = {}
    for look in facts.seen.looks:
        for kind in dict.fromkeys(each.kind for each in look.unheard):
            seen.setdefault(kind, []).append((look, next(each for each in look.unheard if each.kind == kind)))
    return RuleOutcome(tuple(_finding(facts, looks) for looks in seen.values() if len(looks) >= MIN_LOOKS))


def _finding(facts: Facts, looks: Sequence[tuple[Look, UnheardBackward]]) -> Finding:
    look, seen = looks[-1]
    because = (
        f"`{seen.module}` is an nn.Module whose class {seen.kind} has a method backward for the gradient, and autograd "
        "calls no such method of a module. The gradient went through what its forward computes, by the usual rules: "
        "what backward says, a sign or a factor, did not happen."
    )
    evidence: Evidence = {"kind": seen.kind, "looks": len(looks)}
    where: Where = {"module": seen.module, "kind": seen.kind, "site": facts.site_name(look.site)}
    how = f"forward of {seen.kind} in {count(len(looks), 'look')}, {len(looks)} ≥ {MIN_LOOKS}"
    return RULE.finding("warning", where, evidence, because, (AUTOGRAD_FUNCTION.remedy(seen.kind),), how)


RULE = Rule(
    code="GR317",
    slug="unheard-backward",
    title="a backward that autograd never calls",
    severities=("warning",),
    family="step",
    explain=Explanation(
        cause="Autograd runs the backward of an autograd.Function. A method of that name on an nn.Module is an "
        "ordinary method that nobody calls: a layer that is to reverse the gradient leaves it as it is, one that is to "
        "pass it straight through a step does not, and the training goes on without a word.",
        mathematics=("meant: ∂L/∂x = −λ ∂L/∂y;   here: y = x, ∂L/∂x = ∂L/∂y",),
        thresholds="A module of the script's own, on the way to the loss, has a method backward whose first argument "
        f"is named as a gradient, in {MIN_LOOKS} looks or more. Modules of frameworks, whose backward takes the loss, "
        "do not count.",
        remedies=("The same two methods on a torch.autograd.Function, called by apply: free.",),
        silence="Where the script calls that backward itself.",
        references=(
            "Ganin, Lempitsky (2015): Unsupervised domain adaptation by backpropagation",
            "Paszke et al. (2017): Automatic differentiation in PyTorch",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    zoo=("gr317_reversal_in_a_module",),
)
