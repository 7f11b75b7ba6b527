"""GR706: a softmax runs over the rows of the batch, so that the samples share what belongs to each of them."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.data import SoftmaxAxis
from gradreach.remedies.advice.softmax_axis import SOFTMAX_AXIS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each place at which every softmax that was followed runs over the rows."""
    seen: dict[tuple[str, str, int, int], list[tuple[Look, SoftmaxAxis]]] = {}
    for look in facts.seen.looks:
        for each in look.softmaxes:
            key = (each.module, each.operation, each.axis, len(each.shape))
            seen.setdefault(key, []).append((look, each))
    told = [looks for looks in seen.values() if len(looks) >= MIN_LOOKS]
    if not told:
        return RuleOutcome(why_not=f"no softmax over an axis as long as the batch was followed {MIN_LOOKS} times")
    return RuleOutcome(tuple(_finding(facts, looks) for looks in told if all(each.over_rows for _, each in looks)))


def _finding(facts: Facts, looks: Sequence[tuple[Look, SoftmaxAxis]]) -> Finding:
    look, seen = looks[-1]
    site = facts.site(look.site)
    place = f"`{seen.module}` ({seen.kind})" if seen.module else "the script"
    shape = " × ".join(map(str, seen.shape))
    because = (
        f"{place} takes a {seen.operation} over axis {seen.axis} of {shape}, along which the rows of the batch lie: "
        "the shares of different samples add up to 1, where those of one sample should. So a row of the loss depends "
        "on the other rows of its batch, and a share is the smaller the larger the batch is."
    )
    rows = seen.shape[seen.axis]
    evidence: Evidence = {"operation": seen.operation, "axis": seen.axis, "rows": rows, "looks": len(looks)}
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site.name} if seen.module else {"site": site.name}
    how = f"p_i = e^(s_i) / Σ_j e^(s_j) over {rows} rows j: ∂L_i/∂x_j ≠ 0 for j ≠ i"
    remedies = (SOFTMAX_AXIS.remedy(seen.module, seen.kind, seen.operation),)
    return RULE.finding("error" if site.gains_nothing else "warning", where, evidence, because, remedies, how)


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(":", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR706",
    slug="softmax-over-batch",
    title="softmax over the rows of the batch",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="A softmax shares 1 among the places of one axis. Told the axis of the batch (dim=0), or left to choose "
        "(without dim torch takes axis 0 of three), it shares it among the samples: attention looks at other "
        "sentences, classes are won by other images.",
        mathematics=(
            "p_ic = e^(s_ic) / Σ_j e^(s_jc) over the rows j, where Σ_c over the classes c of one row was meant",
            "rows of a batch are independent: ∂L_i/∂x_j = 0 for i ≠ j",
        ),
        thresholds="A softmax or log_softmax over an axis as long as the batch, or a multiple of it, with another axis "
        "beside. From three places along it the graph is followed back to the layers that take in the data: each "
        "place reads rows that the others do not read, no layer gives the same rows to all of them, as the query of a "
        "row of scores does, and a row of the loss reads more rows than one. So it is in each of "
        f"{MIN_LOOKS} looks or more; the first looks alone ask. It is an error where the loss does not fall or rests.",
        remedies=("dim=-1, or whichever axis has the classes or places of one sample: free.",),
        silence="Where samples compete on purpose, as in assignments that are balanced over a batch.",
        references=(
            "Bahdanau, Cho, Bengio (2015): Neural machine translation by jointly learning to align and translate",
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    zoo=("gr706_attention_over_samples", "gr706_classes_over_samples"),
)
