"""GR503: something is carried from pass to pass with its graph, so that each pass goes back over all before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, local
from gradreach.record.look import Look
from gradreach.record.schema import Finding
from gradreach.record.seen.loop import GraphLook
from gradreach.remedies.advice.carry_and_detach import CARRY_AND_DETACH
from gradreach.rules import formula
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

SLOWER = 2.0
"""Time of the last passes over that of the first from which it is told."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose graph goes back over the updates, farther from look to look."""
    by_site = [(site, _looks(facts, site)) for site in facts.sites]
    if not any(len(looks) > MIN_LOOKS for _, looks in by_site):
        return RuleOutcome(why_not=f"no line that calls backward was watched {MIN_LOOKS + 1} times")
    return RuleOutcome(tuple(_finding(site, looks) for site, looks in by_site if _is_carried(looks[-MIN_LOOKS - 1 :])))


def _looks(facts: Facts, site: Site) -> list[tuple[Look, GraphLook]]:
    return [(look, look.graph) for look in facts.seen.looks if look.site == site.number and look.graph is not None]


def _is_carried(looks: Sequence[tuple[Look, GraphLook]]) -> bool:
    """Whether each of these graphs holds more than the one before of what is older than the update in between, and all
    go back to the first of them. A graph too large to be walked cannot grow any more."""
    if len(looks) <= MIN_LOOKS:
        return False
    start = looks[0][0].step
    for (before, smaller), (after, larger) in pairwise(looks):
        grows = larger.nodes > smaller.nodes and larger.older > smaller.older
        far = larger.since is not None and larger.since <= start
        updated = bool(before.update) or after.moved
        if larger.older == 0 or not updated or (larger.whole and not (grows and far)):
            return False
    return True


def _finding(site: Site, looks: Sequence[tuple[Look, GraphLook]]) -> Finding:
    (early, first), (late, last) = looks[0], looks[-1]
    growth = f"from {first.nodes:,} operations at step {early.step:,} to {last.nodes:,} at step {late.step:,}"
    if not last.whole:
        growth += " and more"
    because = (
        f"something is carried from pass to pass with its graph at {local(site.name)}: each backward pass goes back "
        f"through the passes before it, over the updates in between, and has grown {growth}. The gradient through "
        "them belongs to weights that are long gone, and memory and time grow without end."
    )
    paces = _paces(site)
    if paces is not None and paces[1] >= SLOWER * paces[0]:
        because += f" A step took {figure(1e3 * paces[0])} ms at first and {figure(1e3 * paces[1])} ms at last."
    evidence: Evidence = {
        "first_nodes": first.nodes, "last_nodes": last.nodes, "older_nodes": last.older, "since": last.since,
        "looks": len(looks),
    }  # fmt: skip
    growth = formula.quotient(float(last.nodes), float(first.nodes))
    how = f"operations at last / at first = {growth}; {last.older:,} made a look before"
    harmed = site.stalled or site.worse_than_at_first
    where: Where = {"site": site.name}
    return RULE.finding("error" if harmed else "warning", where, evidence, because, (CARRY_AND_DETACH.remedy(),), how)


def _paces(site: Site) -> tuple[float, float] | None:
    """The seconds between two passes, in the median of the first and of the last fifth of the run."""
    gaps = [(b.seconds - a.seconds) / (b.step - a.step) for a, b in pairwise(site.sound_steps) if b.step > a.step]
    part = len(gaps) // 5
    return (median(gaps[:part]), median(gaps[-part:])) if part >= 3 and median(gaps[:part]) > 0 else None


def _headline(_: Facts, finding: Finding) -> str:
    return finding.because[:1].upper() + finding.because.split(". ", 1)[0][1:] + "."


RULE = Rule(
    code="GR503",
    slug="carried-graph",
    title="a graph that is carried from pass to pass",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="A state, a running mean or a running loss that is kept for the next pass keeps the graph that made it. "
        "The next backward pass then goes on into the passes before it, back to the first one, and retain_graph=True "
        "only silences the error that would tell.",
        mathematics=("∂L_k/∂w runs through h_{k−1}, h_{k−2}, …, h_0:   k passes of work at pass k, k² in all",),
        thresholds=f"In the last {MIN_LOOKS} looks at a line and more, the graph holds operations from before the look "
        "before, an update ago, more of them each time, and back to the first of these looks. What is made once and "
        "used again, passes that share a forward pass, and windows of a fixed length do not grow. An error where the "
        "loss does not fall, else a warning.",
        remedies=("Detach what is carried, after the backward pass: free; the gradient ends at the chunk's start.",),
        silence="Where the gradient over the whole history is meant, and no update comes in between.",
        references=(
            "Williams, Peng (1990): An efficient gradient-based algorithm for on-line training of recurrent "
            "network trajectories",
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    labels={
        "first_nodes": "operations at first",
        "last_nodes": "operations at last",
        "older_nodes": "older operations",
    },
    zoo=("gr503_state_never_detached", "gr503_running_mean"),
)
