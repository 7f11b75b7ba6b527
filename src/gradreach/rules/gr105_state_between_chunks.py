"""GR105: the chunks of a stream go on while the state starts anew, or the state goes on while the chunks do not."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.recurrence import ChunkSeam
from gradreach.remedies.advice.carry_and_detach import CARRY_AND_DETACH
from gradreach.remedies.advice.rows_in_order import ROWS_IN_ORDER
from gradreach.remedies.advice.start_anew import START_ANEW
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

BY_CHANCE = 1e-4
"""The probability, at most, that so many rows would go on by chance."""

MOSTLY = 0.75
"""The share of the seams that must go on: an epoch's last chunk and the next one's first do not."""

FEW_ON = 0.5
"""The share of the rows, at most, that may seem to go on where the chunks do not."""


def judge(facts: Facts) -> RuleOutcome:
    """Each recurrent layer whose state and whose chunks do not go the same way."""
    layers = facts.seen.chunk_seams
    if not layers:
        return RuleOutcome(why_not=f"no {MIN_LOOKS} chunks told by their targets whether they go on")
    found = (_finding(facts, looks, seams) for looks, seams in layers)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, looks: Sequence[Look], seams: Sequence[ChunkSeam]) -> Finding | None:
    last = seams[-1]
    on, rows = sum(seam.rows_on for seam in seams), sum(seam.rows for seam in seams)
    site = facts.site(looks[-1].site)
    evidence: Evidence = {"T": last.steps, "rows": rows, "rows_on": on, "looks": len(looks)}
    where: Where = {"module": last.module, "kind": last.kind, "site": site.name}
    how = f"y_T of a chunk = x_1 of the next one in {on:,} of {rows:,} rows"
    if all(seam.state == "carried" and seam.rows_on <= FEW_ON * seam.rows for seam in seams):
        because = _because_shuffled(last, on, rows)
        remedies = (ROWS_IN_ORDER.remedy(), START_ANEW.remedy())
        return RULE.finding("warning", where, evidence, because, remedies, how)
    if all(seam.state == "anew" for seam in seams) and _go_on(seams):
        severity: Severity = "warning" if site.stalled or last.steps == 1 else "info"
        return RULE.finding(severity, where, evidence, _because_anew(last, on, rows), (CARRY_AND_DETACH.remedy(),), how)
    return None


def _go_on(seams: Sequence[ChunkSeam]) -> bool:
    whole = [seam for seam in seams if seam.rows_on == seam.rows]
    by_chance = sum(seam.rows * math.log(min(seam.chance, 1.0)) for seam in whole)
    return len(whole) >= MOSTLY * len(seams) and by_chance <= math.log(BY_CHANCE)


def _because_shuffled(seam: ChunkSeam, on: int, rows: int) -> str:
    few = "none" if on == 0 else f"only {on:,}"
    return (
        f"`{seam.module}` ({seam.kind}) begins each chunk from the state that it left at the end of the chunk before, "
        f"but the rows do not go on there: of {rows:,} rows {few} begin with what the row before them was to tell "
        "last. The state is that of other data, and tells nothing of these."
    )


def _because_anew(seam: ChunkSeam, on: int, rows: int) -> str:
    chunk = "each chunk" if seam.steps > 1 else "each step"
    reach = f"Nothing that came more than {seam.steps} steps before" if seam.steps > 1 else "Nothing that came before"
    return (
        f"`{seam.module}` ({seam.kind}) begins {chunk} from a state of zeros, though the data go on: {on:,} of "
        f"{rows:,} rows begin with what the row before them was to tell last. {reach} can be told by the model."
    )


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(": ", 1)[0]
    return f"{first}."


RULE = Rule(
    code="GR105",
    slug="state-between-chunks",
    title="state and data that do not go on together from chunk to chunk",
    severities=("warning", "info"),
    family="time",
    explain=Explanation(
        cause="A stream is cut into chunks, one a step. Where the rows of a batch go on in the next one and the state "
        "starts from zeros, the past is thrown away at each step. Where the state is handed on and the rows are "
        "others, as from a loader that shuffles, each row begins with a memory that is not its own.",
        mathematics=("h_0 of the next chunk = h_T of this one, where x_1 of the next one is y_T of this one",),
        thresholds="It is judged where the targets are the inputs one place further on, as in a model of what comes "
        "next: the last target of a chunk is then the first input of the chunk that continues it. Chunks go on where "
        f"all rows do so in {MOSTLY:.0%} of the seams and chance would give so many less often than one time in "
        f"{1 / BY_CHANCE:,.0f}; they do not where in every seam {FEW_ON:.0%} of the rows or fewer do. "
        f"{MIN_LOOKS} seams are needed. A state from zeros is information, and a warning where chunks are of a single "
        "step or the loss stays at a constant guess.",
        remedies=(
            "Carry the state and detach it: free; the gradient still ends at the chunk's start.",
            "Batches whose rows go on: free; the loader must not shuffle.",
            "Independent chunks: a state of zeros for each.",
        ),
        silence="Where the data do not tell: classes, last-step losses, targets that are no inputs; in both directions "
        "at once; and where windows are independent samples that begin from zeros.",
        references=(WILLIAMS,),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    labels={"rows": "rows compared", "rows_on": "rows that go on"},
    zoo=("gr105_shuffled_stream", "gr105_state_anew"),
)
