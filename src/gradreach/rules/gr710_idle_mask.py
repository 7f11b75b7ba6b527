"""GR710: a mask fills scores with a value that the softmax does not tell from the others."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.idle_masks import CLOSE, AddedMasksSeen, IdleMasksSeen
from gradreach.facts.statistics import exponential
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.boolean_mask import BOOLEAN_MASK
from gradreach.remedies.advice.fill_far_below import FILL_FAR_BELOW
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The masks of the future, and all others, at each line."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks were made")
    filled = (_finding(facts, each) for each in facts.seen.idle_masks)
    return RuleOutcome((*filled, *(_of_an_added_mask(facts, each) for each in facts.seen.added_masks)))


def _finding(facts: Facts, found: IdleMasksSeen) -> Finding:
    worst, share, ratio = found.worst, found.usual("share"), found.usual("ratio")
    named = f"`{worst.module}`" if worst.module else "an attention"
    does = "lets the future through" if found.is_future else "shuts nothing out"
    what = "what comes after each place" if found.is_future else "the places that it is to shut out"
    because = (
        f"The mask in {named} {does}: the value that it fills in for {what} is not far below the other scores, and "
        f"after the softmax {percent(share)} of the weight lies there. So it was on {count(len(found.looks), 'look')}"
        f"{_so_too([mask.module for mask in found.looks[-1]], worst.module)}. "
        f"{_effect(is_future=found.is_future, at_each_place=worst.at_each_place)}"
    )
    evidence: Evidence = {
        "share": share, "ratio": ratio, "future": found.is_future, "keys": worst.keys,
        "attentions": len(found.looks[-1]), "looks": len(found.looks),
    }  # fmt: skip
    module: Where = {"module": worst.module, "kind": worst.kind} if worst.module else {}
    severity: Severity = "error" if found.is_future and worst.at_each_place else "warning"
    how = f"Σ over masked keys of α_qk = {percent(share)}, not 0, in {len(found.looks)} ≥ {MIN_LOOKS} looks"
    where: Where = {**module, "site": facts.site_name(found.site)}
    return RULE.finding(severity, where, evidence, because, (FILL_FAR_BELOW.remedy(worst.module),), how)


def _of_an_added_mask(facts: Facts, found: AddedMasksSeen) -> Finding:
    masks = found.looks[-1]
    first, most = masks[0], exponential(abs(masks[0].attended - masks[0].masked))
    named = f"`{first.module}`" if first.module else "an attention"
    does = "lets the future through" if found.is_future else "shuts nothing out"
    changes = (
        f"changes the ratio of two weights by {figure(most)} times at most"
        if most > 1.01
        else "leaves weights as they are"
    )
    because = (
        f"The mask in {named} {does}: its numbers are added to the scores, {figure(first.attended)} where they are to "
        f"be read and {figure(first.masked)} where not, which {changes}. So it "
        f"was on {count(len(found.looks), 'look')}{_so_too([mask.module for mask in masks], first.module)}. "
        f"{_effect(is_future=found.is_future, at_each_place=first.at_each_place)}"
    )
    evidence: Evidence = {
        "share": None, "times": most, "future": found.is_future, "keys": first.keys,
        "attentions": len(masks), "looks": len(found.looks),
    }  # fmt: skip
    module: Where = {"module": first.module, "kind": first.kind} if first.module else {}
    severity: Severity = "error" if found.is_future and first.at_each_place else "warning"
    apart = figure(abs(first.attended - first.masked))
    how = f"exp({apart}) = {figure(most)}, not ∞, in {len(found.looks)} ≥ {MIN_LOOKS} looks"
    where: Where = {**module, "site": facts.site_name(found.site)}
    remedy = BOOLEAN_MASK.remedy(first.kind, first.attended)
    return RULE.finding(severity, where, evidence, because, (remedy,), how)


def _so_too(modules: Sequence[str], told: str) -> str:
    names = [f"`{module}`" for module in dict.fromkeys(modules) if module not in ("", told)]
    return f"; and so is that in {', '.join(names[:3])}{' and others' * (len(names) > 3)}" if names else ""


def _effect(*, is_future: bool, at_each_place: bool) -> str:
    if not is_future:
        return "What stands at these places, as a rule padding, is read like data."
    if at_each_place:
        return (
            "Each place is asked for a target of its own and reads what follows it: where that is what it is to tell, "
            "the answer stands in its input, and a low loss says nothing."
        )
    return "Each place reads what follows it, which it will not have where the sequence is still being made."


RULE = Rule(
    code="GR710",
    slug="idle-mask",
    title="a mask without effect",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="A mask of attention works through the softmax: masked scores are filled with −∞, or with a number so "
        "low that nothing is left of it. Filled with −1e-9 where −1e9 was meant, with 1e-9 or with 0 they are scores "
        "like all others; so they are where 0 and 1, meant as no and yes, are added to them. Padding is then read as "
        "data are, and a decoder sees the words that it is to tell: its loss falls all the faster, and what it learned "
        "is of no use where these words are not there yet.",
        mathematics=("α_qk = exp(s_qk) / Σ_j exp(s_qj);   s_qk = −1e-9:   exp(s_qk) = 1, not 0",),
        thresholds="Scores were filled by masked_fill or where before a softmax; in rows with masked and open places "
        "the open ones stand in one piece, as padding at an end and the future leave it; and the loss has a gradient "
        "at the weight of masked places. Then a masked place gets at least "
        f"{percent(CLOSE)} of what an open one gets, or more than the least of them in as many rows, in most looks, "
        f"{MIN_LOOKS} at least. It is an error where a mask of the future does so and the loss has a target for each "
        "place, else a warning. Weights that are masked once more after the softmax do not count. So it is with a mask "
        "of numbers that is added, 0 and 1 or two that hardly differ, in the form of a mask of the future or of "
        "padding, in MultiheadAttention or scaled_dot_product_attention.",
        remedies=(
            'float("-inf"), or torch.finfo(scores.dtype).min, as the value to fill in: free.',
            "A boolean mask where numbers would be added: free.",
        ),
        silence="Where masked places are meant to get some weight.",
        references=("Vaswani and others (2017): Attention is all you need, section 3.2.3",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={"share": "weight at masked places", "ratio": "weight of a masked place over that of an open one"},
    zoo=("gr710_future_let_through",),
)
