"""GR702: batch and time are exchanged: a layer runs over the batch, or is given what a view made of it."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.record.seen.data import RowReading
from gradreach.remedies.advice.batch_first import BATCH_FIRST
from gradreach.remedies.advice.transpose import TRANSPOSE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

FEWEST_ENTRIES = 3
"""Entries of a layer from which it is no chance that the loss reads a single one of them, or all together."""


def judge(facts: Facts) -> RuleOutcome:
    """Each layer through which the rows of the loss are read along the wrong axis, look after look."""
    seen: dict[tuple[int, str], list[RowReading]] = {}
    for look in facts.seen.looks:
        for reading in look.readings:
            seen.setdefault((look.site, reading.module), []).append(reading)
    usable = {key: readings for key, readings in seen.items() if len(readings) >= MIN_LOOKS}
    if not usable:
        return RuleOutcome(why_not=f"no rows of a loss were followed to a layer {MIN_LOOKS} times")
    found = (_finding(facts, site, readings) for (site, _), readings in usable.items())
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, number: int, readings: Sequence[RowReading]) -> Finding | None:
    site, reading = facts.site(number), readings[-1]
    because, how, remedy = _told(reading)
    severity = _severity(site, reading)
    if severity is None or not all(_told(each)[0] for each in readings):
        return None
    evidence: Evidence = {
        "steps": reading.steps, "entries": reading.entries, "rows": reading.rows, "read": reading.read,
        "batch_first": reading.batch_first, "along": reading.along, "scrambled": reading.scrambled,
        "looks": len(readings),
    }  # fmt: skip
    where: Where = {"module": reading.module, "kind": reading.kind, "site": site.name}
    return RULE.finding(severity, where, evidence, because, (remedy,), how)


def _severity(site: Site, reading: RowReading) -> Severity | None:
    """An error where the loss does not fall. Where all sequences are read together it may be meant, as for several
    measurements of one sequence: then it is a warning, and only where the loss does not fall."""
    stands = site.gains_nothing
    if reading.along == "steps" and reading.read > 1:
        return "warning" if stands and site.learning.course != "rests" else None
    return "error" if stands else "warning"


def _told(reading: RowReading) -> tuple[str, str, Remedy]:
    """What is wrong with one reading, its formula, and the remedy; an empty sentence where nothing is."""
    name = f"`{reading.module}`"
    if reading.along == "entries" and reading.scrambled:
        shape, before = f"({reading.steps}, {reading.entries})", f"({reading.entries}, {reading.steps})"
        if reading.batch_first:
            shape, before = before, shape
        because = (
            f"a view mixes the rows of the batch before {name}: it makes {shape} of {before}, but leaves every value "
            "in its place in memory. So each sequence that the layer goes through is made of pieces of several rows."
        )
        return (
            because,
            f"x′[t, b] is a piece of row (t · {reading.entries} + b) // {reading.steps}, not of row b",
            TRANSPOSE.remedy(reading.module),
        )
    remedy = BATCH_FIRST.remedy(reading.module, not reading.batch_first, "Attention" in reading.kind)
    return _along_steps(reading), f"∂L_i/∂y_t = 0 for every step t ≠ i of {reading.steps}", remedy


def _along_steps(reading: RowReading) -> str:
    one, all_of_them = reading.read == 1, reading.read == reading.entries and reading.one_each
    if reading.along != "steps" or reading.entries < FEWEST_ENTRIES or not (one or all_of_them):
        return ""
    name = f"`{reading.module}`"
    verb = "attends over the batch" if "Attention" in reading.kind else "runs over the batch in place of time"
    shape = (reading.entries, reading.steps) if reading.batch_first else (reading.steps, reading.entries)
    told = f"{name} {verb}: with batch_first={reading.batch_first} and an input of shape {shape[0]} × {shape[1]} × …, "
    told += f"it takes the {reading.rows} rows of the loss for its steps. "
    if one:
        rest = reading.entries - 1
        return (
            f"{told}Row i of the loss reads step i of one of its {reading.entries} sequences: so a row depends on the "
            f"other rows, and {rest} of {reading.entries} steps of its own reach no loss."
        )
    return (
        f"{told}Row i of the loss reads step i of all {reading.entries} sequences together, so a row depends on others."
    )


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". ", 1)[0] + "."
    return f"Batch and time are exchanged: {first}"


RULE = Rule(
    code="GR702",
    slug="axes-exchanged",
    title="batch and time exchanged",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="Layers over sequences take (time, batch, features) unless they are told batch_first. Given the other "
        "order they raise no error: they take the rows of the batch for steps, and carry their state from one sample "
        "to the next. A view in place of a transpose raises none either: it cuts the same memory into other rows.",
        mathematics=(
            "rows of a batch are independent: ∂L_i/∂x_j = 0 for i ≠ j",
            "x.view(T, B, d)[t, b] = x.flatten()[(t · B + b) · d : …], where x.transpose(0, 1)[t, b] = x[b, t]",
        ),
        thresholds=f"In each of {MIN_LOOKS} looks or more single rows of the loss are followed back to the last "
        "recurrent layer or attention. It speaks where the loss has as many rows as the layer has steps, row i reads "
        f"its step i alone, and of {FEWEST_ENTRIES} or more sequences a single one; where all are read together, and a "
        "module puts out one vector a row, only if the loss does not fall. And where the rows are those of the "
        "layer's batch, but a view made its input of another order of axes. It is an error where the loss does not "
        "fall or rests.",
        remedies=(
            "batch_first as the data are laid out: free.",
            "x.transpose(0, 1) in place of a view: free, but for a copy where what follows needs one.",
        ),
        silence="Where rows of a batch are meant to feed each other.",
        references=("Paszke and others (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    effects=("GR711",),
    zoo=(
        "gr702_gru_over_the_batch",
        "gr702_attention_over_the_batch",
        "gr702_view_for_transpose",
    ),
)
