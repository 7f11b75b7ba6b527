"""GR709: the mask of an attention is the wrong way round."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.data import InvertedMask
from gradreach.remedies.advice.invert_mask import INVERT_MASK
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each line most looks at which saw attentions to padding alone."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks were made")
    found = []
    for site in dict.fromkeys(look.site for look in facts.seen.looks):
        looks = [look for look in facts.seen.looks if look.site == site]
        seen = [look for look in looks if look.inverted_masks]
        if len(seen) >= MIN_LOOKS and 2 * len(seen) > len(looks):
            found.append(_finding(facts, seen))
    return RuleOutcome(tuple(found))


def _finding(facts: Facts, looks: Sequence[Look]) -> Finding:
    site, each = facts.site(looks[-1].site), looks[-1].inverted_masks
    first, padded = each[0], median([look.inverted_masks[0].padded for look in looks])
    rests = facts.is_constant_guess(site.number)
    severity: Severity = "info" if all(one.may_be_meant for one in each) else "warning"
    severity = "error" if rests or site.stalled else severity
    because = _because(looks, padded, "may be" if severity == "info" else "is")
    because += " Another attention shuts out just the padding, so it may be meant." if severity == "info" else ""
    because += f" The loss rests at {figure(site.learning.last)}, which a constant guess gets." if rests else ""
    evidence: Evidence = {
        "padded": padded, "steps": first.steps, "entries": first.entries, "attentions": len(each), "looks": len(looks),
    }  # fmt: skip
    where: Where = {**_module(first), "site": site.name}
    how = f"keys with a weight = padded keys = {percent(padded)} of all keys, in {len(looks)} ≥ {MIN_LOOKS} looks"
    return RULE.finding(severity, where, evidence, because, (INVERT_MASK.remedy(first.module, first.kind),), how)


def _because(looks: Sequence[Look], padded: float, sure: str) -> str:
    first, *others = looks[-1].inverted_masks
    named = f"of `{first.module}`" if first.module else "of an attention"
    because = (
        f"The mask {named} {sure} the wrong way round: it shuts out every place that holds data and lets through the "
        f"padding alone, {percent(padded)} of all places. So it was on {count(len(looks), 'look')}, in rows of "
        f"{first.steps} places that are filled up with one value"
    )
    names = [f"`{one.module}`" for one in others if one.module]
    so_too = f"; and so is that of {', '.join(names[:3])}{' and others' * (len(names) > 3)}" if names else ""
    return f"{because}{so_too}."


def _module(seen: InvertedMask) -> Where:
    return {"module": seen.module, "kind": seen.kind} if seen.module else {}


RULE = Rule(
    code="GR709",
    slug="inverted-mask",
    title="mask the wrong way round",
    severities=("error", "warning", "info"),
    family="data",
    explain=Explanation(
        cause="A mask says which keys an attention may read. In some interfaces True means that a key is ignored "
        "(key_padding_mask of torch's layers, masked_fill), in others that it is attended (the attn_mask of "
        "scaled_dot_product_attention, the attention_mask of many libraries). Given the wrong way round it lets "
        "through the padding alone, which is the same in every row.",
        mathematics=(
            "Σ over real keys of α_qk = 0 for every query q; what is read are rows of one and the same value",
        ),
        thresholds="One value ends (or begins) rows of what the model is given, a number of places that differs from "
        "row to row, and stands nowhere else in them; in every row with both data and padding, the keys that no query "
        "attends to are exactly those that hold data; and nothing else that the model is given for these places "
        f"differs where the padding is. In most looks, {MIN_LOOKS} at least. An error where the loss does not fall or "
        "rests at what a constant guess gets; else a warning, or information where a sequence so attends to itself "
        "while another attention shuts out just the padding: places that are to be filled in may be meant to see one "
        "another.",
        remedies=("The mask the other way round, ~mask: free.",),
        silence="Where attention to what is blank is meant, as between places that are to be filled in.",
        references=("Vaswani and others (2017): Attention is all you need",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    effects=("GR307",),
    labels={"padded": "share of padded keys", "steps": "keys", "entries": "sequences"},
    zoo=("gr709_encoder_mask", "gr709_mask_by_hand"),
)
