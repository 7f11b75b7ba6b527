"""GR607: the loss begins far above what a constant guess gets, because weights were drawn too large."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.far_start import EXCESS, FAR, LARGEST, OVER, FarStart, excess
from gradreach.facts.wording import count, figure
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loss import LayerGrowth
from gradreach.remedies.advice.usual_start import USUAL_START
from gradreach.rules import formula, gr202_exploding_through_depth
from gradreach.rules.losses import NO_LOSS, headline
from gradreach.rules.references import GLOROT, HE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SOON = 20
"""Steps within which a loss that begins far off may come down without harm."""

MUCH = 0.1
"""Part of the run that is much to spend on coming down to a constant guess."""

FEWEST = 200
"""Steps under which a run may only have begun."""

MOST_NAMED = 3


def judge(facts: Facts) -> RuleOutcome:
    """Each loss that begins far off and takes long to come down, where GR202 does not tell of the same layers."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    told = {found.where.get("site") for found in gr202_exploding_through_depth.judge(facts).findings}
    far = [each for each in facts.far_starts if facts.site_name(each.part.site) not in told]
    return RuleOutcome(tuple(_finding(facts, each) for each in far if each.steps is None or each.steps >= SOON))


def _finding(facts: Facts, far: FarStart) -> Finding:
    worst = max(far.layers, key=excess)
    gets = "equal logits get" if far.part.last.kind == "cross entropy" else "a constant gets"
    because = (
        f"The weights of {_places(far)} start too large, so that the loss begins at "
        f"{figure(far.first)}, {figure(far.times)} times the {figure(far.guess)} that {gets}: {_harm(far)}. "
        f"In {_place(worst)} the signal grows {figure(worst.factor)}-fold, for its weights start at "
        f"{figure(worst.weight_rms)} (rms) where {worst.fan_in:,} inputs ask for {figure(worst.fan_in**-0.5)}."
    )
    evidence: Evidence = {
        "first_loss": far.first, "constant_guess": far.guess, "times": far.times, "steps_down": far.steps,
        "run": far.of, "layers": len(far.layers), "growth": worst.factor, "weight_rms": worst.weight_rms,
        "fan_in": worst.fan_in, "scale": worst.scale,
    }  # fmt: skip
    module = worst.weight.rpartition(".")[0]
    where: Where = {**({"module": module} if module else {}), "site": facts.site_name(far.part.site)}
    how = f"rms(w) · √fan-in = {figure(worst.scale)} ≥ {figure(OVER * LARGEST)}; loss ÷ guess at first: "
    how += f"{formula.quotient(far.first, far.guess)} ≥ {figure(FAR)}"
    remedies = (USUAL_START.remedy([(each.weight, each.fan_in) for each in far.layers]),)
    return RULE.finding(_severity(far), where, evidence, because, remedies, how)


def _severity(far: FarStart) -> Severity:
    if far.steps is None:
        return "error" if far.of >= FEWEST else "warning"
    return "warning" if far.steps >= MUCH * far.of else "info"


def _harm(far: FarStart) -> str:
    if far.steps is None:
        return f"after {count(far.of, 'step')} it still is above that"
    return f"the first {count(far.steps, 'step')} of {far.of:,} went into coming down to it"


def _places(far: FarStart) -> str:
    """The layers that are farthest off, in the order in which they run: "`m.0`, `m.2` and `m.4`"."""
    worst = sorted(far.layers, key=excess, reverse=True)[:MOST_NAMED]
    named = [_place(each) for each in far.layers if each in worst]
    if len(far.layers) > len(named):
        return f"{', '.join(named)} and {len(far.layers) - len(named)} more"
    return " and ".join([", ".join(named[:-1]), named[-1]] if named[:-1] else named)


def _place(each: LayerGrowth) -> str:
    """The layer, or where no module owns the weight, its shape."""
    if not each.weight:
        return f"the {' × '.join(map(str, each.shape))} matrix"
    module, _, name = each.weight.rpartition(".")
    return f"`{module if name == 'weight' else each.weight}`"


RULE = Rule(
    code="GR607",
    slug="far-start",
    title="starts far off",
    severities=("error", "warning", "info"),
    family="loss",
    explain=Explanation(
        cause="A model that knows nothing yet should put out about the same for every class, and numbers no larger "
        "than its targets. Weights that are drawn too large, as from N(0, 1), make the signal grow in every layer, the "
        "model starts out very sure of nothing, and the training first has to undo that.",
        mathematics=(
            "rms(W x) = rms(W) · √fan-in · rms(x), for weights drawn at random",
            "rms(W) · √fan-in: 1/√3 in torch's own start, 1 in Glorot's, √2 in He's, √fan-in in N(0, 1)",
            "equal logits: −log (1/C) = log C;   regression: Var(y)",
        ),
        thresholds=f"At the first step the loss is {FAR:g} times that of equal logits or more, or that of a regression "
        f"by an output that deviates {FAR:g} times as much as the targets; the layers whose rms(W) · √fan-in is "
        f"{OVER:g} · √2 or more make the output at least {EXCESS:g} times as large as weights of √2 would; and it "
        f"takes {SOON} steps or more to come down to the guess. An error where that never happens in {FEWEST} steps or "
        f"more, a warning where it takes {MUCH:g} of the run, else information. Weights whose rows or columns are of "
        "unlike size were trained and not drawn, and are passed over, as are outputs that something else than a "
        "product with weights makes, such as a temperature, and losses that need not fall. Where GR202 finds that "
        "growth it tells of it.",
        remedies=(
            "Weights of a deviation of 1/√fan-in, or torch's own start: free.",
            "A last layer that starts smaller still: free, and the loss begins at that of a constant guess.",
        ),
        silence="Where the weights were trained before, for another loss.",
        references=("Karpathy (2019): A recipe for training neural networks", GLOROT, HE),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    effects=("GR604",),
    labels={
        "first_loss": "loss at first", "constant_guess": "a constant guess gets", "times": "loss ÷ guess at first",
        "steps_down": "steps until it is that low", "run": "steps in all", "growth": "growth of the signal",
        "scale": "rms(w) · √fan-in",
    },
    zoo=("gr607_inner_product", "gr607_normal_start", "gr607_tied_start"),
)  # fmt: skip
