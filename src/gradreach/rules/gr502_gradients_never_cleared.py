"""GR502: the gradient of one update is still there when the next update is made, and goes into it once more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, local, shortened
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.remedies.advice.zero_grad import ZERO_GRAD
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SELDOM = 0.1
"""Share of the looks at which a gradient may have been cleared all the same, as at the end of an epoch."""


def judge(facts: Facts) -> RuleOutcome:
    """The parameters whose gradient outlives its update at nearly every look that saw two updates."""
    looks = [look for look in facts.seen.looks if look.cleared or look.uncleared]
    if len(looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks were followed by two updates")
    kept = Counter(name for look in looks for name in look.uncleared)
    cleared = Counter(name for look in looks for name in look.cleared)
    names = [name for name, n in kept.items() if n >= MIN_LOOKS and cleared[name] <= SELDOM * (n + cleared[name])]
    return RuleOutcome((_finding(facts, names, cleared, looks),) if names else ())


def _finding(facts: Facts, names: Sequence[str], cleared: Counter[str], looks: Sequence[Look]) -> Finding:
    mine = [look for look in looks if set(names).intersection(look.uncleared)]
    asked = [look for look in looks if set(names).intersection((*look.uncleared, *look.cleared))]
    every = {name for look in looks for name in (*look.uncleared, *look.cleared)}
    site = facts.site(Counter(look.site for look in mine).most_common(1)[0][0])
    harmed = site.stalled or site.worse_than_at_first or site.learning.course in ("does not fall", "rises again")
    whose = "the gradients" if len(names) == len(every) else f"the gradients of {_told(facts, names, every)}"
    never = "never cleared" if not any(cleared[name] for name in names) else "hardly ever cleared"
    because = (
        f"{whose} are {never} at {local(site.name)}: what made one update was still there at the next in "
        f"{len(mine)} of {count(len(asked), 'look')}. So each backward pass adds to all those before, and the "
        "weights go on along gradients of weights that are long gone."
    )
    if growth := _growth(facts, site.number):
        because += f" The norm went from {figure(growth[0])} to {figure(growth[1])}."
    evidence: Evidence = {
        "parameters": len(names), "compared": len(every), "looks": len(mine), "names": ", ".join(names[:8]),
    }  # fmt: skip
    how = f"w.grad ≠ 0 between two updates for {len(names)} of {len(every)} w, in {len(mine)} looks"
    where: Where = {"site": site.name}
    return RULE.finding("error" if harmed else "warning", where, evidence, because, (ZERO_GRAD.remedy(),), how)


def _told(facts: Facts, names: Sequence[str], every: Collection[str]) -> str:
    """The models that the parameters are all of, else their modules."""
    kept = {facts.seen.root_of(name) for name in set(every).difference(names)}
    whole = {name: root for name in names if (root := facts.seen.root_of(name)) and root not in kept}
    parts = list(dict.fromkeys(whole.get(name) or name.rpartition(".")[0] or name for name in names))
    told = ", ".join(f"`{shortened(part, 40)}`" for part in parts[:3])
    return f"{told} and {len(parts) - 3} more" if len(parts) > 3 else told


def _growth(facts: Facts, site: int) -> tuple[float, float] | None:
    """The first norm at a line and the largest one, where that is many times as large."""
    norms = facts.site(site).norms
    return (norms[0], max(norms)) if norms and norms[0] > 0 and max(norms) >= 10 * norms[0] else None


def _headline(_: Facts, finding: Finding) -> str:
    return finding.because[:1].upper() + finding.because.split(". ", 1)[0][1:] + "."


RULE = Rule(
    code="GR502",
    slug="gradients-never-cleared",
    title="gradients never cleared",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="backward() adds to the gradients that are there. Where nothing clears them after an update, the next "
        "one is made of the sum of all gradients so far: momentum without any decay, along slopes of weights that are "
        "long gone.",
        mathematics=("g_k = Σ_{j≤k} ∂L_j/∂w(w_j) in place of ∂L_k/∂w(w_k):   w swings about its goal, or runs away",),
        thresholds=f"The same parameter is moved by two updates, and at no backward pass in between its gradient was "
        f"None or 0, at {MIN_LOOKS} looks or more and in 9 of 10 that saw both. An error where the loss does not fall, "
        "else a warning. Gradients of micro-batches add up before an update and not over one; those that another "
        "line's pass leaves and that are cleared before the own pass do not count, nor what the script itself scales "
        "down from step to step.",
        remedies=("optimizer.zero_grad() before the backward pass that begins an update: free.",),
        silence="Where a sum over all steps is meant, as in dual averaging.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    zoo=("gr502_never_cleared", "gr502_one_part_never_cleared"),
)
