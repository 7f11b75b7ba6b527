"""GR206: linear layers in a row with nothing between them, which can do no more than one."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.linear_maps import MapsSeen
from gradreach.facts.losses import LITTLE, part_of_guess
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital, figure, shortened
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.activation_between import ACTIVATION_BETWEEN
from gradreach.rules.harm import harm
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each row of linear layers, the first line that calls backward speaking for it."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks to follow layers at")
    found = {seen.maps.modules: seen for seen in reversed(facts.seen.linear_maps)}
    return RuleOutcome(tuple(_finding(facts, seen) for seen in reversed(found.values())))


def _finding(facts: Facts, found: MapsSeen) -> Finding:
    maps, site = found.maps, facts.site(found.site)
    shown = _harm(facts, site) if maps.is_whole else ""
    *first, last = [f"`{shortened(module, 40)}`" for module in maps.modules]
    takes, gives = maps.sizes[0], maps.sizes[-1]
    because = (
        f"{', '.join(first)} and {last} are linear and follow one another with nothing between them that is not: "
        f"together they can do no more than one layer from {takes:,} to {gives:,} could."
    )
    if maps.is_whole:
        root = shortened(facts.seen.root_of(maps.modules[0]), 40)
        because += f" `{root}` has no other weights, so that all it learns is a linear map of what {first[0]} takes in."
    because += f" {capital(shown)}." if shown else ""
    evidence: Evidence = {
        "layers": len(maps.modules), "sizes": " → ".join(map(str, maps.sizes)), "whole": maps.is_whole,
        "looks": found.looks,
    }  # fmt: skip
    where: Where = {"module": maps.modules[0], "site": site.name}
    how = f"rank of the product ≤ {min(takes, gives)} ≤ {min(maps.sizes[1:-1])} units between, in {found.looks} looks"
    severity: Severity = "warning" if shown else "info"
    return RULE.finding(severity, where, evidence, because, (ACTIVATION_BETWEEN.remedy(*maps.modules[:2]),), how)


def _harm(facts: Facts, site: Site) -> str:
    """What the loss shows; empty where more of the input is in what was learned than little."""
    if shown := harm(facts, site):
        return shown
    for part in facts.seen.loss_parts:
        over = part_of_guess(site, part) if part.site == site.number else None
        if over is not None and over >= LITTLE:
            return f"the loss is little lower, at {figure(site.learning.last)}, than what a constant guess gets"
    return ""


RULE = Rule(
    code="GR206",
    slug="linear-maps",
    title="linear maps in a row",
    severities=("warning", "info"),
    family="depth",
    explain=Explanation(
        cause="A linear map of a linear map is a linear map: layers without an activation between them work as one. A "
        "network that is made of nothing else can only learn what a straight line, or a plane, can tell, however deep "
        "it is.",
        mathematics=(
            "W₂ (W₁ x + b₁) + b₂ = (W₂ W₁) x + (W₂ b₁ + b₂)",
            "rank W₂W₁ ≤ min(in, out) ≤ r for r units between: they narrow nothing",
        ),
        thresholds="Linear layers, or convolutions the later ones of which have a kernel of 1, of one part of a model, "
        "trained, the output of each read by the next one alone, through nothing but dropout and views, in all looks. "
        "Between two stand at least as many units as the smaller of what the two take in and put out: what is "
        "narrower, as the two factors of LoRA or the middle of an autoencoder, is a bottleneck and meant. "
        f"{MIN_LOOKS} looks at least. A warning where nothing else has weights and the loss shows that next to nothing "
        f"of the input was learned ({LITTLE:g} of the loss of a constant guess, or no fall); else information.",
        remedies=("An activation between the layers: free.", "One layer in place of them: cheaper, and the same."),
        silence="Where the map is meant to be linear, as in studies of deep linear networks.",
        references=(
            "Saxe, McClelland and Ganguli (2014): Exact solutions to the nonlinear dynamics of learning in deep linear "
            "neural networks",
        ),
    ),
    judge=judge,
    headline=headline,
    heading="If it is not meant so",
    urgency=3,
    labels={"whole": "all weights of the model"},
    zoo=("gr206_no_activation",),
)
