"""GR601: output and target are broadcast against each other, so that each output is held against every target."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.record.schema import Finding
from gradreach.remedies.advice.match_shapes import MATCH_SHAPES
from gradreach.rules.losses import NO_LOSS, headline, over, shape, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome


def judge(facts: Facts) -> RuleOutcome:
    """Each comparison of the loss that broadcasting made a square of."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    squares = [part for part in facts.seen.loss_parts if all(seen.is_square for seen in part.looks)]
    return RuleOutcome(tuple(_finding(facts, part) for part in squares))


def _finding(facts: Facts, part: LossPart) -> Finding:
    seen, size = part.last, part.last.shape[-1]
    other = "factor" if seen.kind == "product" else "target"
    against = f" {shape(seen.target_shape)}" if seen.target_shape is not None else " another shape"
    because = (
        f"The loss holds {whose(seen)}, of shape {shape(seen.output_shape)}, against a {other} of{against}: that is "
        f"broadcast to {shape(seen.shape)}, each of {size} outputs with each of {size}, {over(part)}. "
    )
    because += (
        "Every row is weighed with the factors of all others, whatever it did."
        if seen.kind == "product"
        else "Such a loss is lowest where every output is the mean of the targets, whatever the input says."
    )
    evidence: Evidence = {
        "output_shape": shape(seen.output_shape), "compared_shape": shape(seen.shape), "pairs": size * size,
        "rows": size, "looks": len(part.looks),
    }  # fmt: skip
    how = f"{size} × {size} = {size * size} pairs, of which {size} belong together"
    place = where(facts, part)
    return RULE.finding("error", place, evidence, because, (MATCH_SHAPES.remedy(len(seen.output_shape), other),), how)


RULE = Rule(
    code="GR601",
    slug="broadcast",
    title="output and target broadcast against each other",
    severities=("error",),
    family="loss",
    explain=Explanation(
        cause="An output of shape (N, 1) and a target of shape (N,) are stretched against each other to (N, N): row i "
        "of the output meets column j of the target for every i and j. Torch warns of it in its own losses, and says "
        "nothing in a difference or product that is written by hand.",
        mathematics=("1/N² Σ_i Σ_j (o_i − y_j)² = 1/N Σ_i (o_i − mean y)² + Var(y):   lowest at o_i = mean y",),
        thresholds="Every look saw a comparison of shape (…, N, N) in which the output holds N times fewer numbers, "
        "and so does the other side where its shape is known. Pairs that are both computed, as in a loss on "
        "distances, are none.",
        remedies=("squeeze the output, or unsqueeze the target: free.",),
        silence="Where all pairs are meant.",
        references=("Harris and others (2020): Array programming with NumPy",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    zoo=("gr601_column_against_row", "gr601_policy_factor"),
)
