"""GR605: the targets are what the model is given and reads, so that it learns to copy."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loss import CopiedTargets
from gradreach.remedies.advice.mask_inputs import MASK_INPUTS
from gradreach.remedies.advice.see_nothing_ahead import SEE_NOTHING_AHEAD
from gradreach.remedies.advice.shift_targets import SHIFT_TARGETS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each embedding whose ids are the targets, in each look that compared them."""
    seen: dict[tuple[int, str], list[tuple[Look, CopiedTargets]]] = {}
    told = facts.seen.sites_that_see_the_future  # there GR710 names the mask that lets it through
    for look in facts.seen.looks:
        copied = look.copied_targets
        if copied is not None and copied.ahead <= 1 and look.site not in told:
            seen.setdefault((look.site, copied.module), []).append((look, copied))
    return RuleOutcome(tuple(_finding(facts, looks) for looks in seen.values() if len(looks) >= MIN_LOOKS))


def _finding(facts: Facts, looks: Sequence[tuple[Look, CopiedTargets]]) -> Finding:
    look, seen = looks[-1]
    evidence: Evidence = {"T": seen.steps, "places": seen.places, "looks": len(looks)}
    where: Where = {"module": seen.module, "site": facts.site_name(look.site)}
    if seen.ahead:
        because = (
            f"each place of the sequence reads the very symbol that it is to tell: the targets are the ids of "
            f"`{seen.module}` one place further on, and a place sees the next one, as without a causal mask, or in a "
            "layer of two directions. The model need only copy. A low loss says nothing here."
        )
        how = f"y_t = x_{{t+1}} and ∂L_t/∂x_{{t+1}} ≠ 0, {seen.places} places"
        return RULE.finding("warning", where, evidence, because, (SEE_NOTHING_AHEAD.remedy(),), how)
    if seen.picked:
        because = (
            f"the loss asks for some places of the sequence alone, and at all of these `{seen.module}` is given the "
            "very ids that are to be told, and the model reads them: nothing is masked there. The model need only "
            "copy. A low loss says nothing here."
        )
        how = f"y_t = x_t at every place t that is asked, ∂L_t/∂x_t ≠ 0, {seen.places} places"
        return RULE.finding("warning", where, evidence, because, (MASK_INPUTS.remedy(),), how)
    because = (
        f"the targets of the loss are the very ids that `{seen.module}` is given, place by place, and a place sees "
        "none behind it: the model need only copy what it is just given. One that is to tell what comes next needs "
        "targets that lie one place further on. A low loss says nothing here."
    )
    how = f"y_t = x_t for all {seen.places} places, ∂L_t/∂x_k = 0 for k > t"
    return RULE.finding("warning", where, evidence, because, (SHIFT_TARGETS.remedy(),), how)


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". ", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR605",
    slug="copied-target",
    title="targets that the model is just given",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="A model of sequences is trained to tell the next symbol from those up to now. Where the targets are not "
        "shifted, each place is asked for the symbol that it is given: the loss falls at once to nearly 0, and what "
        "was learned is to copy. So it is where they are shifted and a place can see the next one all the same: "
        "without a causal mask, by a layer of two directions, or by a product that mixes all places. A model that "
        "tells masked places from those around them copies just so where they go in without their mask.",
        mathematics=("meant: L = Σ_t −log p(x_{t+1} | x_1 … x_t);   here: L = Σ_t −log p(x_t | x_1 … x_t) → 0",),
        thresholds="The targets of a cross entropy are the ids that an embedding is given, each in its place, and a "
        "place in the middle of a row reads its own id and none behind it. So it is in "
        f"{MIN_LOOKS} looks or more; a dozen looks ask. Or they are the ids one place further on, and two places "
        "together read their own next ids at least five times as much as each other's, beside their own. Or the loss "
        "asks for places here and there, in several runs of most rows, and one of these reads its own id. A model that "
        "sees the whole of what it is to give back, as one that squeezes it into a code, does not count, nor one that "
        "reads its own targets by a causal decoder beside an encoder.",
        remedies=(
            "Targets one place further on: ids[:, 1:] for the input ids[:, :-1]: free.",
            "The ids masked at the places that are asked for: free.",
            "A causal mask, layers of one direction, nothing that mixes places: free.",
        ),
        silence="Where a causal model is to give back its input on purpose.",
        references=("Bengio and others (2003): A neural probabilistic language model, equation 1",),
    ),
    judge=judge,
    headline=_headline,
    urgency=1,
    labels={"places": "places compared"},
    zoo=("gr605_labels_not_shifted", "gr605_sees_ahead", "gr605_sees_ahead_time_first", "gr605_ids_not_masked"),
)
