"""GR708: most rows that a loss is the mean of stand at padding."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LITTLE
from gradreach.facts.padded_loss import MOST, PaddedLoss
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.leave_out_padding import LEAVE_OUT_PADDING
from gradreach.rules.losses import NO_LOSS, headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

FEWEST = 200
"""Losses under which rows that are not learned yet may only have begun to be."""

FAR = 4.0
"""How many times the mean the loss on the data must be for the mean to hide it."""

MUCH = 0.5
"""Part of what a constant gets that is then left of the loss on the data."""


def judge(facts: Facts) -> RuleOutcome:
    """Each comparison that takes in more padding than data."""
    if not facts.seen.loss_parts:
        return RuleOutcome(why_not=NO_LOSS)
    return RuleOutcome(tuple(_finding(facts, each) for each in facts.seen.padded_losses))


def _finding(facts: Facts, found: PaddedLoss) -> Finding:
    seen = found.part.last
    same = "the same" if found.looks[-1].label is None else f"{found.looks[-1].label}"
    because = (
        f"Most rows of the loss are padding: {percent(found.share)} of the rows of {whose(seen)} stand where the input "
        f"is filled up with one value, and their target is always {same}. At last the loss is {figure(found.loss)} on "
        f"them and {figure(found.others)} on the other rows"
    )
    if found.guess is not None:
        because += f", where a constant gets {figure(found.guess)}"
    severity = _severity(facts, found)
    if severity == "warning":
        because += f". The mean over both is {figure(found.mean)}, which hides how much is left on the data"
    evidence: Evidence = {
        "padded_rows": found.share, "loss_padded": found.loss, "loss_others": found.others, "guess_others": found.guess,
        "mean": found.mean, "looks": len(found.looks),
    }  # fmt: skip
    label = found.looks[-1].label
    remedy = LEAVE_OUT_PADDING.remedy(seen.kind, label, found.elsewhere)
    how = f"padded rows / all rows = {percent(found.share)} ≥ {percent(MOST)}"
    return RULE.finding(severity, where(facts, found.part), evidence, f"{because}.", (remedy,), how)


def _severity(facts: Facts, found: PaddedLoss) -> Severity:
    """A warning where the data are hardly learned, or much worse than the mean shows."""
    site = facts.site(found.part.site)
    if site.need_not_fall or site.learning.losses < FEWEST or found.left is None:
        return "info"
    hides = found.hidden >= FAR and found.left >= MUCH
    return "warning" if hides or found.left >= LITTLE else "info"


RULE = Rule(
    code="GR708",
    slug="padded-loss",
    title="most rows of the loss are padding",
    severities=("warning", "info"),
    family="data",
    explain=Explanation(
        cause="Sequences of unlike length are filled up to one length, and so are their targets. A loss that takes in "
        "all places is then for the most part one over the filling, which is learned at once: it falls, and what is "
        "left on the data is divided by the number of all places.",
        mathematics=(
            "L = s · L_padding + (1 − s) · L_data, s the share of the padding",
            "∂L/∂θ ≈ (1 − s) · ∂L_data/∂θ once L_padding ≈ 0",
        ),
        thresholds="One value ends (or begins) rows of what the model is given, a number of places that differs from "
        "row to row, and stands nowhere else in them; the target has as many places and is one and the same at all of "
        f"these; the loss takes in every place at one weight; and {percent(MOST)} of the rows or more are so, in most "
        f"looks, {MIN_LOOKS} at least. A warning where {FEWEST} losses or more leave {percent(LITTLE)} of what the "
        f"best constant gets on the other rows, or {percent(MUCH)} of it and {figure(FAR)} times the mean; else "
        "information.",
        remedies=(
            "Class targets: ignore_index, or -100 at the padding: free.",
            "Other targets: the mean over the places that hold data, by a mask: free.",
            "Batches of rows of like length: less padding to compute at all.",
        ),
        silence="Where the model is to put out the filling itself, and the data are learned beside it.",
        references=("Sutskever and others (2014): Sequence to sequence learning with neural networks",),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    labels={
        "padded_rows": "share of padded rows",
        "loss_padded": "loss on padding",
        "loss_others": "loss on data",
        "guess_others": "a constant gets there",
        "mean": "mean over both",
    },
    zoo=("gr708_padded_tags", "gr708_padded_series"),
)
