"""GR510: a loader gives no batch any more, and the training goes no further."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.wording import count, local
from gradreach.record.schema import Finding, Remedy
from gradreach.record.seen.loop import SpentLoader
from gradreach.remedies.advice.rows_anew import ROWS_ANEW
from gradreach.remedies.advice.sampler_anew import SAMPLER_ANEW
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FEWEST = 2
"""Passes in a row without a batch."""


def judge(facts: Facts) -> RuleOutcome:
    """Each loader whose last passes gave nothing and trained nothing."""
    spent = (seen for seen in facts.record.spent_loaders if seen.empty >= FEWEST and seen.steps)
    return RuleOutcome(tuple(_finding(facts, seen) for seen in spent))


def _finding(facts: Facts, seen: SpentLoader) -> Finding:
    ended = seen.step >= facts.record.length
    whose = "the whole training" if ended and seen.steps == seen.step else "its training"
    because = (
        f"the loader that {local(seen.line)} goes through gave no batch from pass {seen.first} on: {_why(seen)}. "
        f"{count(seen.steps, 'step')} is all that {whose} had; the {seen.empty} passes that followed made none."
    )
    evidence: Evidence = {
        "passes": seen.passes,
        "empty": seen.empty,
        "steps": seen.steps,
        "part": seen.part,
        "kind": seen.kind,
    }
    where: Where = {"site": seen.line, "step": seen.step}
    how = f"{seen.empty} of {count(seen.passes, 'pass', 'passes')} without a batch, {seen.empty} ≥ {FEWEST}"
    return RULE.finding("error", where, evidence, because, (_remedy(seen),), how)


def _why(seen: SpentLoader) -> str:
    """What hands out nothing any more, and why."""
    what = "dataset" if seen.part == "dataset" else f"`{seen.part}`"
    if seen.function.isidentifier():
        return f"its {what} is a generator, made by `{seen.function}`, which can be gone through only once"
    if seen.is_iterator:
        return f"its {what} is an iterator ({seen.kind}), which can be gone through only once"
    return f"its {what} ({seen.kind}) does not begin anew, for what its __iter__ goes through is used up"


def _remedy(seen: SpentLoader) -> Remedy:
    if seen.part == "dataset":
        return ROWS_ANEW.remedy(seen.kind)
    place = seen.part, seen.kind, seen.is_iterator, seen.function
    if not seen.function.isidentifier():
        return SAMPLER_ANEW.remedy(*place)
    why = f"an object that calls `{seen.function}` anew at each pass, in place of the generator that it returned once"
    return SAMPLER_ANEW.remedy_because(why, *place)


def _headline(_: Facts, finding: Finding) -> str:
    first, second, _rest = f"{finding.because} ".split(". ", 2)
    return f"{first[:1].upper()}{first[1:]}. {second.rstrip('. ')}."


RULE = Rule(
    code="GR510",
    slug="spent-loader",
    title="a loader that is used up",
    severities=("error",),
    family="loop",
    explain=Explanation(
        cause="A DataLoader asks its sampler, or its dataset, for a new iterator at each pass. A generator hands out "
        "itself: after the first pass it is at its end, and every later pass of the loop over the epochs has no batch. "
        "Nothing raises; what is printed is the loss of the last batch there was.",
        mathematics=("iter(g) is g for a generator g: one pass in all",),
        thresholds="A line of the script went through the loader and trained, and then the loader gave no batch in the "
        f"last {FEWEST} passes or more from that line, between which no backward pass ran. A pass that the script "
        "breaks off gave some. One pass without a batch may be how a loop finds that the data is at its end; a loader "
        "that gave again after such a pass, as one of a queue, never counts.",
        remedies=(
            "An object whose __iter__ makes a new generator, or a list: free.",
            "For an IterableDataset, __iter__ as a generator function that opens what it reads: free.",
        ),
        silence="Where the data can be gone through but once, and the further passes are meant to be empty.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    labels={"passes": "passes over the loader", "empty": "passes without a batch", "part": "used up"},
    zoo=("gr510_sampler_of_one_pass",),
)
