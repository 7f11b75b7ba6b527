"""GR315: what a module returns, or an operation makes, on the way to the loss is thrown away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.modules import is_within
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loop import DiscardedOperation, DiscardedResult
from gradreach.remedies.advice.assign_operation import ASSIGN_OPERATION
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
    calls = tuple(_finding(seen, others[seen[0][1].line]) for seen in each_line if len(seen) >= MIN_LOOKS)
    return RuleOutcome((*calls, *_of_operations(facts.seen.looks)))


def _of_operations(looks: Sequence[Look]) -> Iterator[Finding]:
    """The statements that make a tensor for nothing, each told once."""
    found: dict[tuple[str, str], list[DiscardedOperation]] = {}
    for look in looks:
        for each in {(each.line, each.code): each for each in look.discarded_operations}.values():
            found.setdefault((each.line, each.code), []).append(each)
    for seen in found.values():
        if len(seen) >= MIN_LOOKS:
            yield _of_operation(seen)


def _of_operation(seen: Sequence[DiscardedOperation]) -> Finding:
    made, severity = seen[-1], _severity(seen)
    goes_on = f"what follows goes on with `{made.subject}` as it was" if made.subject else "nothing that follows has it"
    because = (
        f"`{shortened(made.code, 80)}` at {made.line} makes a new tensor, and nothing keeps it: {goes_on}. So it "
        f"was in {count(len(seen), 'look')}."
    )
    evidence: Evidence = {
        "operation": made.operation, "variable": made.subject or None, "fits": made.fits, "looks": len(seen),
    }  # fmt: skip
    how = f"y = f({made.subject or 'x'}), and nothing holds y, in {count(len(seen), 'look')}"
    remedy = ASSIGN_OPERATION.remedy(made.code, made.subject)
    return RULE.finding(severity, {"site": made.line}, evidence, because, (remedy,), how)


def _severity(seen: Sequence[DiscardedOperation]) -> Severity:
    """Information where the result could not have stood in its place, or the loss may not come from it."""
    return "warning" if all(each.fits and not each.is_idle for each in seen) else "info"


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
        "dropout, without the normalisation. So it is with an operation that stands alone: x + positions, "
        "scores.masked_fill(mask, -1e9) and h.detach() change nothing of x, scores and h.",
        mathematics=("y = f(x), and L = g(x) where g(y) was meant",),
        thresholds="The code that calls the module does nothing with the result, or puts it into a variable that is "
        "not read any more, as its bytecode tells; its input leads to the loss by a graph, and no operation of the "
        f"call does; in {MIN_LOOKS} looks or more. Information where the result has another shape than what went "
        "in. A call counts as made for something else where it gives back or changes what it was given, leaves "
        "anything behind in an attribute or a buffer of the module, is listened to by hooks, or where the result is "
        "kept. Modules whose weights have no gradient for it are GR306's. Of operations those are told that change "
        "nothing of what they are given, functions of torch's by their name and the signs + - * / @ ** %: in a forward "
        "pass where they ran on something that leads to the loss or is read later, outside of any try; in a function "
        "that calls backward where, by its bytecode, they must run on a variable that is read later. Information where "
        "the loss may be computed without that variable.",
        remedies=(
            "Assign the result: x = self.position(x), or x = x + positions, free.",
            "Take the line out: saves its time.",
        ),
        silence="For a call that is there for what it prints or writes elsewhere, and an operation that is there to be "
        "timed, or to raise where shapes do not fit.",
        references=("Paszke and others (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"fits": "result has the shape of the input"},
    zoo=(
        *("gr315_discarded_positions", "gr315_unread_dropout"),
        *("gr315_mask_thrown_away", "gr315_scaled_for_nothing"),
    ),
)
