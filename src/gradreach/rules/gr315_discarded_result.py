"""GR315: a module is called on the way to the loss, and what it returns is thrown away."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.modules import is_within
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loop import DiscardedResult
from gradreach.remedies.advice.assign_result import ASSIGN_RESULT
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each line that does so, look after look; not of modules whose weights have no gradient, which GR306 tells of."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks at what modules return")
    found: dict[str, list[tuple[Look, DiscardedResult]]] = {}
    for look in facts.seen.looks:
        for each in look.discarded:
            if not any(is_within(each.module, (name,)) for name in look.without_gradient):
                found.setdefault(each.line, []).append((look, each))
    each_line = ([(look, call) for look, call in seen if call.module == seen[0][1].module] for seen in found.values())
    others = {line: len({call.module for _, call in seen}) - 1 for line, seen in found.items()}
    return RuleOutcome(tuple(_finding(seen, others[seen[0][1].line]) for seen in each_line if len(seen) >= MIN_LOOKS))


def _finding(seen: Sequence[tuple[Look, DiscardedResult]], others: int) -> Finding:
    call = seen[-1][1]
    taken = f"goes to `{call.name}`, which nothing reads" if call.name else "is thrown away"
    because = (
        f"`{call.module}` ({call.kind}) is called at {call.line}, and what it returns {taken}: nothing of it reaches "
        f"the loss. What it was given goes there all the same, in {count(len(seen), 'look')}."
    )
    if others:
        because += f" So it is with {count(others, 'other module')} at this line."
    severity: Severity = "warning" if call.fits else "info"
    evidence: Evidence = {"variable": call.name or None, "fits": call.fits, "modules": others + 1, "looks": len(seen)}
    where: Where = {"module": call.module, "kind": call.kind, "site": call.line}
    how = f"∂L/∂y = 0 for y = {call.kind}(x), and ∂L/∂x exists, in {count(len(seen), 'look')}"
    return RULE.finding(severity, where, evidence, because, (ASSIGN_RESULT.remedy(call.module),), how)


RULE = Rule(
    code="GR315",
    slug="discarded-result",
    title="a result that nothing reads",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="A module returns a new tensor and leaves the one that it was given as it is. A line such as "
        "self.position(x) throws the new one away, and what follows goes on without it: without positions, without "
        "dropout, without the normalisation.",
        mathematics=("y = f(x), and L = g(x) where g(y) was meant",),
        thresholds="The code that calls the module does nothing with the result, or puts it into a variable that is "
        "not read any more, as its bytecode tells; its input leads to the loss by a graph, and no operation of the "
        f"call does; in {MIN_LOOKS} looks or more. Information where the result has another shape than what went "
        "in. A call counts as made for something else where it gives back or changes what it was given, leaves "
        "anything behind in an attribute or a buffer of the module, is listened to by hooks, or where the result is "
        "kept. Modules whose weights have no gradient for it are GR306's.",
        remedies=("Assign the result: x = self.position(x), free.", "Take the call out: saves its time."),
        silence="For a call that is there for what it prints or writes elsewhere.",
        references=("Paszke and others (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=headline,
    urgency=2,
    labels={"fits": "result has the shape of the input"},
    zoo=("gr315_discarded_positions", "gr315_unread_dropout"),
)
