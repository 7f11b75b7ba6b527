"""Rules on what is lost at the edge of a chunk, GR104 and GR105."""

from __future__ import annotations

from gradreach.facts.course import site_name
from gradreach.facts.legacy_dependency import (
    LIMIT,
    Asked,
    LagVerdict,
    harms,
    not_enough,
    sequences,
    spans,
    strongest,
    verdicts,
)
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import percent, shown
from gradreach.record.schema import Finding, Record, Remedy, Severity
from gradreach.rules import formula
from gradreach.rules.remedy import as_far_as, carried_back
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

_WILLIAMS = "Williams, Peng (1990): An efficient gradient-based algorithm for on-line training of recurrent networks"


def cut_off(record: Record, thresholds: Thresholds) -> Judged:
    """GR104: the error depends on inputs from before the chunk that its gradient is carried back through."""
    tests = verdicts(record, thresholds)
    past = [(asked, lags) for asked in tests if (lags := _past_the_chunk(asked))]
    if not past:
        return Judged(why_not="no stream was followed from one chunk into the next")
    found = tuple(_cut_off(record, asked, thresholds) for asked in tests if asked.judged("cut off"))
    missed = [why for asked, lags in past if (why := not_enough(asked, lags))]
    return Judged(found, "" if found or not missed else missed[0])


def _past_the_chunk(asked: Asked) -> list[LagVerdict]:
    """The bands that end past the chunk."""
    return [each for each in asked.lags if asked.reach.layers and each.lag.until >= asked.reach.T]


def _cut_off(record: Record, asked: Asked, thresholds: Thresholds) -> Finding:
    found, chunk = asked.dependency, max(asked.reach.T, 1)
    lost = asked.judged("cut off")
    most = strongest(lost).lag
    edge = asked.reach.at(chunk - 1)
    because = (
        f"the error still depends on the input {spans([most])} steps back (share {percent(most.share, 2)} of its "
        f"variance, q = {shown(most.q)}, {sequences(found)}), and the gradient is carried back through chunks of "
        f"{chunk} steps: what came before cannot be learned from it"
    )
    if len(lost) > 1:
        because += f". All such lags: {spans([each.lag for each in lost])}"
    nearer: tuple[Remedy, ...] = ()
    if edge is not None and edge < LIMIT:
        because += f". Within the chunk too it vanishes: {shown(edge)} of the near one is left at its far edge"
        nearer = as_far_as(record, asked, most.at)
    evidence: Evidence = {
        "lag": most.at, "lags": spans([each.lag for each in lost]), "chunk": chunk, "share": most.share, "q": most.q,
        "reach_at_the_edge": edge, "sequences": found.sequences, "looks": found.looks, "error_left": found.error,
    }  # fmt: skip
    remedies = (carried_back(chunk, most.at), *nearer)
    where: Where = {"module": found.module, "site": site_name(record, found.site)}
    severity: Severity = "warning" if harms(record, asked) else "info"
    told = formula.explained(most.share, most.q, thresholds.dependency_level)
    how = f"∂L_t/∂h_(t−ℓ) = 0 for ℓ ≥ {chunk}, yet {spans([most])} steps back lie {told}"
    return Finding("GR104", severity, TRUNCATION.title, where, evidence, because + ".", remedies, how)


TRUNCATION = Rule(
    "GR104",
    "truncation-bias",
    "truncation window cuts real gradient",
    ("warning", "info"),
    "time",
    Explain(
        cause="Backpropagation stops at the chunk's edge although the error depends on inputs from before it, so the "
        "update points elsewhere than the loss of the whole stream asks.",
        mathematics=(
            "b(k) = ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖, the relative error of truncated BPTT with k2 = k at these weights",
            "beyond the chunk there is no dW_ℓ to measure; whether the error depends on x_{t−ℓ} can be tested (GR402)",
        ),
        thresholds="Judged where the state is carried from chunk to chunk, so that the inputs before a chunk are "
        f"known: it speaks where q ≤ {DEFAULT.dependency_level:g} at a lag of the chunk's length or more, and what "
        f"lies there is {percent(DEFAULT.dependency_worth)} or more of the variance that the error had at first: less "
        "is not worth the longer window. It is information while the loss still falls. Silence counts as a pass only "
        f"where {percent(DEFAULT.dependency_found)} of it would have been seen.",
        remedies=(
            "A larger k2 with the same k1: less bias, memory and time grow with k2.",
            "Chunks of random length: the bias averages out, the variance grows.",
        ),
        silence="Where the loss is local by design.",
        references=(_WILLIAMS, "Tallec, Ollivier (2017): Unbiasing truncated backpropagation through time"),
    ),
    cut_off,
)

STATE = Rule(
    "GR105",
    "state-between-chunks",
    "state thrown away between chunks, or never detached",
    ("warning",),
    "time",
    Explain(
        cause="Chunks of one stream follow each other, yet each starts from a zero state; or the state is carried "
        "without detach, so every backward pass runs through all chunks before.",
        mathematics=("h_0 of the next chunk = h_T of the last, with its gradient cut: state = state.detach()",),
        thresholds="Not judged yet: what would show it is not recorded, so this rule never speaks. It would be judged "
        "by whether the data of one chunk goes on where the last one ended, and by the graph's growth from pass to "
        "pass: time and memory of a step that rise steadily are its sign.",
        remedies=(
            "Carry and detach: state = tuple(s.detach() for s in state); batches must then keep their streams in "
            "order.",
            "Shuffled, independent windows: then a zero state is right, and nothing beyond a window can be learned.",
        ),
        silence="It never speaks; where windows are independent samples, it would have nothing to say.",
        references=(_WILLIAMS,),
    ),
)

RULES = (TRUNCATION, STATE)
