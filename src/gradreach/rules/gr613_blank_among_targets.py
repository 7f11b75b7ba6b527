"""GR613: the targets of a CTC loss hold its blank."""

from __future__ import annotations

from gradreach.facts.alignments import FEWEST_PER_CLASS, MOSTLY, AlignmentSeen
from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.remedies.advice.blank_index import BLANK_INDEX
from gradreach.remedies.advice.leave_out_blanks import LEAVE_OUT_BLANKS
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each CTC loss whose targets hold the blank in several looks."""
    if not facts.seen.alignments:
        return RuleOutcome(why_not="no look saw a CTC loss")
    return RuleOutcome(tuple(_finding(facts, each) for each in facts.seen.alignments if each.holds_blanks))


def _finding(facts: Facts, found: AlignmentSeen) -> Finding:
    site, blank, targets = facts.site(found.site), found.blank, sum(found.counts)
    share, last = found.blanks / targets, site.learning.last
    because = (
        f"The blank of the CTC loss stands among its targets: it is class {blank}, and {_of_them(found, share)}, in "
        f"{count(len(found.looks), 'look')}. The loss puts blanks between the targets by itself and takes for "
        f"granted that none of these is one. {_why(found)}"
    )
    if last is not None and last < 0:
        because += f" It is at {figure(last)} by now, which is no −log of a probability: a low loss says nothing here."
    free = found.free
    evidence: Evidence = {
        "blank": blank, "share": share, "targets": targets, "classes": len(found.counts),
        "free_class": free[0] if len(free) == 1 else None, "looks": len(found.looks),
    }  # fmt: skip
    how = f"targets of class {blank} / all targets = {found.blanks} / {targets} = {figure(share)} > 0"
    where: Where = {"site": site.name}
    return RULE.finding(_severity(facts, found), where, evidence, because, (_remedy(found),), how)


def _of_them(found: AlignmentSeen, share: float) -> str:
    if found.stand_between:
        return "stands between any two others"
    if found.are_padding:
        return f"{percent(share)} of the targets are that class, at the ends of their rows"
    return f"{percent(share)} of the targets are that class"


def _why(found: AlignmentSeen) -> str:
    if found.stand_between:
        return "So it asks for two blanks where one is meant."
    if found.are_padding:
        return "Here it counts what fills the rows up, as where target_lengths are those of the longest row."
    free, classes = found.free, len(found.counts)
    if len(free) == 1:
        named = f"class {free[0]} is the one that no target ever is"
        return f"Of the {classes} classes, {named}: it may be meant as the blank."
    if all(found.counts):
        return f"Each of the {classes} classes is a target of some row: none is left for the blank."
    return "A class that is trained as the blank cannot be told from silence."


def _remedy(found: AlignmentSeen) -> Remedy:
    if found.stand_between or found.are_padding:
        return LEAVE_OUT_BLANKS.remedy(found.blank)
    return BLANK_INDEX.remedy(len(found.counts), found.free)


def _severity(facts: Facts, found: AlignmentSeen) -> Severity:
    """An error where the loss does not fall; and where it is below 0 because some class that is to be told is lost."""
    learning = facts.site(found.site).learning
    is_lost = not (found.stand_between or found.are_padding) and learning.last is not None and learning.last < 0
    return "error" if is_lost or learning.course not in ("falls", "unknown") else "warning"


RULE = Rule(
    code="GR613",
    slug="blank-among-targets",
    title="the blank among the targets of a CTC loss",
    severities=("error", "warning"),
    family="loss",
    explain=Explanation(
        cause="A CTC loss keeps one class for the blank, which stands for silence and parts equal neighbours; by "
        "default it is class 0. Where the script's own numbers give class 0 to a letter, that letter is trained as "
        "silence, and what was meant as the blank is never used. Padding with the blank's number that target_lengths "
        "count, and blanks that the script puts between the targets, come to the same: paths are counted twice, so "
        "that the loss may fall below 0.",
        mathematics=(
            "L = −log Σ over paths of Π_t p_t(class), each path once only if no target is the blank;   then L ≥ 0",
        ),
        thresholds=f"Targets within target_lengths are the blank, in {MIN_LOOKS} looks or more. A class is named as "
        f"never held where {FEWEST_PER_CLASS} targets or more were seen for each class. Blanks count as padding, or "
        f"as put between, where {percent(MOSTLY)} of them stand so. An error where the loss does not fall, or is "
        "below 0 while a class is lost; else a warning.",
        remedies=(
            "blank= the index of a class that no target is, or one more output: free.",
            "Targets without their blanks, with lengths to match: free.",
        ),
        silence="Never: the targets of a CTC loss cannot be the blank.",
        references=(
            "Graves and others (2006): Connectionist temporal classification: labelling unsegmented sequence data with "
            "recurrent neural networks, section 3.1",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"share": "share of targets that are the blank", "free_class": "class that no target is"},
    zoo=("gr613_letter_as_blank",),
)
