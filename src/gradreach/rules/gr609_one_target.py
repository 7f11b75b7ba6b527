"""GR609: all the targets of a loss are one and the same."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart, only_target
from gradreach.facts.lost_targets import EXPECTED, FEWEST_SINCE, LostTargets
from gradreach.facts.one_sided import FALLEN, FEWEST_LOOKS, OneSided
from gradreach.facts.site import Site
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.both_sides import BOTH_SIDES
from gradreach.remedies.advice.copy_rows import COPY_ROWS
from gradreach.remedies.advice.look_at_targets import LOOK_AT_TARGETS
from gradreach.rules.losses import headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FEWEST_TARGETS = 30
"""Targets, over all looks, that are too many to be alike by chance, where the losses of all steps bear it out."""

MANY_ROWS = 1000
"""Rows, over all looks, that are too many to be alike by chance where the loss has other terms, so that a rare target
would not show in it."""

SOME_ROWS, MANY_TARGETS = 200, 1000
"""Rows and targets that are likely so there, where a row has several targets, which may have much in common."""

JUMPS = 5.0
"""How many times the median of its neighbours the loss of a step is where a rare target comes up in it."""

STRETCHES, FEWEST_NEIGHBOURS = 10, 10
"""Parts of the second half of a run within which losses are neighbours, and losses in one at least."""


def judge(facts: Facts) -> RuleOutcome:
    """Each output of a module that the loss holds against the same target only, in all looks."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not="no loss was read that holds an output against a target")
    places = dict.fromkeys((part.site, part.last.module) for part in facts.seen.loss_parts)
    told = ([part for part in facts.seen.loss_parts if (part.site, part.last.module) == place] for place in places)
    alone = [found for parts in told if (found := _finding(facts, parts)) is not None]
    adversaries = (_of_an_adversary(facts, each) for each in facts.one_sided)
    return RuleOutcome((*alone, *adversaries, *(_of_lost(facts, each) for each in facts.seen.lost_targets)))


def _finding(facts: Facts, parts: Sequence[LossPart]) -> Finding | None:
    site, targets = facts.site(parts[0].site), {_target(part) for part in parts}
    target = next(iter(targets)) if len(targets) == 1 and not site.need_not_fall else None
    part = max(parts, key=lambda each: len(each.looks))
    severity = None if target is None else _severity(site, part)
    if target is None or severity is None:
        return None
    looks, each = len(part.looks), part.last.shape[:1] or (1,)
    what = "of class" if part.last.counts else "exactly"
    because = (
        f"All the targets that the {part.last.kind} of {whose(part.last)} was held against are {what} "
        f"{figure(target)}, in {count(looks, 'look')} of some {each[0]} rows each. A network that puts out that one "
        "value whatever it is given has nothing more to learn, however low the loss."
    )
    if (left_out := _left_out(part)) is not None:
        because += f" There are others, of class {left_out}, which the loss leaves out by ignore_index={left_out}."
    evidence: Evidence = {"target": target, "looks": looks}
    how = f"targets from {figure(target)} to {figure(target)} in {looks} ≥ {MIN_LOOKS} looks"
    return RULE.finding(severity, where(facts, part), evidence, because, (LOOK_AT_TARGETS.remedy(),), how)


def _of_an_adversary(facts: Facts, found: OneSided) -> Finding:
    learning, rows = facts.site(found.site).learning, (found.last.shape[:1] or (1,))[0]
    what = "of class" if found.last.counts else "exactly"
    fallen = f"Its loss has fallen from {figure(learning.first)} to {figure(learning.last)}"
    does = (
        "Another model learns through this one, and with one target for all rows there is nothing to tell apart: it "
        f"puts out that one value whatever it is given. {fallen}, and it says nothing to what learns through it."
        if found.is_learned_through
        else "What it puts out goes into another line's pass as well, but no gradient comes back to it from there: it "
        f"puts out that one value whatever it is given, and learns nothing of what the other line asks. {fallen}."
    )
    because = (
        f"All the targets by which `{found.root}` is trained are {what} {figure(found.target)}: those of "
        f"{count(found.comparisons, 'comparison')} of some {rows} rows each, in {count(found.looks, 'look')}. {does}"
    )
    evidence: Evidence = {
        "target": found.target, "looks": found.looks, "comparisons": found.comparisons, "loss": learning.last,
    }  # fmt: skip
    how = f"targets from {figure(found.target)} to {figure(found.target)} in {found.looks} ≥ {FEWEST_LOOKS} looks"
    place: Where = {"module": found.root, "site": facts.site_name(found.site)}
    both = BOTH_SIDES.remedy(found.target, found.comparisons)
    remedy = both if found.is_learned_through else LOOK_AT_TARGETS.remedy()
    return RULE.finding("error", place, evidence, because, (remedy,), how)


def _of_lost(facts: Facts, found: LostTargets) -> Finding:
    part = found.part
    because = (
        f"The targets change while the training runs: from step {found.since} on all those that the {part.last.kind} "
        f"of {whose(part.last)} is held against are {figure(found.target)}, in {found.alike} of "
        f"{count(found.looks, 'look')}, where {percent(found.share)} of them were not before. A line that writes into "
        "what the data set keeps, as `y -= mean` or `boxes[:, 2:] -= boxes[:, :2]` in a transform, meets its own "
        "result in the next pass over the data."
    )
    evidence: Evidence = {"target": found.target, "looks": found.alike, "since": found.since, "share": found.share}
    how = f"targets from {figure(found.target)} to {figure(found.target)} in {found.alike} ≥ {FEWEST_SINCE} looks"
    return RULE.finding("error", where(facts, part), evidence, because, (COPY_ROWS.remedy(),), how)


def _target(part: LossPart) -> float | None:
    """The one target of a comparison; None of several or unknown ones, of few looks, and of what no module put out:
    unless that is the whole loss, and a binary one, it may be meant so, as an error that is to be 0 or a positive pair
    that stands first in its row."""
    seen = {only_target(look) for look in part.looks}
    is_put_out = part.last.module or (part.last.kind.startswith("binary") and part.last.is_whole)
    if len(seen) > 1 or len(part.looks) < MIN_LOOKS or not is_put_out:
        return None
    return next(iter(seen))


def _severity(site: Site, part: LossPart) -> Severity | None:
    """How sure it is that no other target came up between the looks; None where it is not.

    Of a loss that is one comparison, the losses of all steps would show it; of one with other terms the looks saw
    enough, and an error to 0 is a condition among others.
    """
    rows = sum(look.shape[0] if look.shape else 1 for look in part.looks)
    if _left_out(part) is not None:
        return "error" if rows >= FEWEST_TARGETS else None
    if part.last.is_whole:
        return "error" if rows >= FEWEST_TARGETS and not _jumps(site) else None
    targets = sum(map(sum, (look.counts for look in part.looks)))
    if targets and rows >= MANY_ROWS:
        return "error"
    return "warning" if rows >= SOME_ROWS and targets >= MANY_TARGETS else None


def _jumps(site: Site) -> bool:
    """Whether a loss of the second half of the run stands out among its neighbours."""
    late = [abs(loss) for loss in site.losses[len(site.losses) // 2 :]]
    size = max(len(late) // STRETCHES, FEWEST_NEIGHBOURS)
    stretches = [late[at : at + size] for at in range(0, max(len(late) - size, 0) + 1, size)]
    return any(each and max(each) > JUMPS * median(each) for each in stretches)


def _left_out(part: LossPart) -> int | None:
    """Of two classes the one that `ignore_index` leaves out, where some of its targets came."""
    return part.last.ignored if len(part.last.counts) == 2 else None


RULE = Rule(
    code="GR609",
    slug="one-target",
    title="all targets are the same",
    severities=("error", "warning"),
    family="loss",
    explain=Explanation(
        cause="Something made one value of all targets before they came to the loss: shares between 0 and 1 turned "
        "into whole numbers, a label that is looked up under the wrong name or index, a comparison that never holds, a "
        "part of the data of one class alone; of an adversary, ones for the generated rows as well. The loss falls to "
        "nothing at once, which looks like success.",
        mathematics=("y_n = y for all n:   min_f Σ_n ℓ(f(x_n), y) is reached by f(x) = y, whatever x",),
        thresholds="All targets that the output of a module is held against at a line that calls backward are one "
        f"number, the same in all looks: {MIN_LOOKS} at least, of {FEWEST_TARGETS} targets or more. Where that "
        f"comparison is the whole loss, no loss of the second half of the run may reach {JUMPS:g} times the median of "
        f"its neighbours, as it would with a rare target; where it is one of several terms, {MANY_ROWS} rows with "
        "targets of classes have to be seen, unless ignore_index leaves out the other one of two; "
        f"{SOME_ROWS} rows of {MANY_TARGETS} targets are a warning. Where lines take turns, a model that another one "
        "learns through has to be asked for one number by every term of every loss whose gradient steps it, in "
        f"{FEWEST_LOOKS} looks or more, and its "
        f"loss to have fallen to {percent(FALLEN)}. Of targets of two kinds one may also go away in the course of the "
        f"run: from some look on {FEWEST_SINCE} looks or more, and nearly all, see the other kind alone, each where "
        f"{EXPECTED:g} of the one that went were to be expected.",
        remedies=(
            "Look at the targets where the data set is made, before and after each conversion: free.",
            "Of labels that change: a copy of the row for whatever writes into it: free.",
            "Of an adversary: one target for real rows and another one for the generated ones: free.",
        ),
        silence="Where a model of one class is meant: the distance to one centre, or a residual that is to be 0.",
        references=("Karpathy (2019): A recipe for training neural networks",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    effects=("GR703", "GR704"),
    labels={"since": "from step on", "share": "others before", "comparisons": "comparisons", "loss": "loss at last"},
    zoo=("gr609_truncated_targets", "gr609_one_class", "gr609_all_are_real", "gr609_labels_go_away"),
)
