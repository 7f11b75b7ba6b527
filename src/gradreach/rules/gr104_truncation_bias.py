"""GR104: the error depends on inputs from before the chunk that its gradient is carried back through."""

from __future__ import annotations

from gradreach.facts.dependency import (
    FOUND,
    Q_LEVEL,
    WORTH,
    DependencyTest,
    LagResult,
    not_enough,
    strongest,
    window_over,
)
from gradreach.facts.facts import Facts
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.record.seen.recurrence import HORIZON_LIMIT
from gradreach.remedies.advice.longer_window import LONGER_WINDOW
from gradreach.rules.data_dependency import all_spans, depends, lie, where
from gradreach.rules.longer_reach import as_far_as
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome


def judge(facts: Facts) -> RuleOutcome:
    """Each test of a stream that was followed from chunk to chunk."""
    tests = facts.dependency_tests
    past = [(test, lags) for test in tests if (lags := _past_the_chunk(test))]
    if not past:
        return RuleOutcome(why_not="no stream was followed from one chunk into the next")
    found = tuple(_finding(facts, test) for test in tests if test.judged("cut off"))
    missed = [why for test, lags in past if (why := not_enough(test, lags))]
    return RuleOutcome(found, "" if found or not missed else missed[0])


def _past_the_chunk(test: DependencyTest) -> list[LagResult]:
    """The bands that end past the chunk."""
    return [each for each in test.lags if test.reach.layers and each.lag.until >= test.reach.T]


def _finding(facts: Facts, test: DependencyTest) -> Finding:
    found, chunk = test.dependency, max(test.reach.T, 1)
    lost = test.judged("cut off")
    most = strongest(lost).lag
    edge = test.reach.at(chunk - 1)
    because = (
        f"{depends(test, most)}, and the gradient is carried back through chunks of {chunk} steps: what came before "
        "cannot be learned from it"
    )
    if len(lost) > 1:
        because += f". All such lags: {all_spans(lost)}"
    nearer: tuple[Remedy, ...] = ()
    if edge is not None and edge < HORIZON_LIMIT:
        because += f". Within the chunk too it vanishes: {figure(edge)} of the near one is left at its far edge"
        nearer = as_far_as(facts, test, most.at)
    evidence: Evidence = {
        "lag": most.at, "lags": all_spans(lost), "chunk": chunk, "share": most.share, "q": most.q,
        "reach_at_the_edge": edge, "sequences": found.sequences, "looks": found.looks, "error_left": found.error,
    }  # fmt: skip
    severity: Severity = "warning" if facts.rests_at(test) else "info"
    how = f"∂L_t/∂h_(t−ℓ) = 0 for ℓ ≥ {chunk}, yet {lie(facts, most)}"
    remedies = (_carried_back(chunk, most.at), *nearer)
    return RULE.finding(severity, where(facts, test), evidence, because + ".", remedies, how)


def _carried_back(chunk: int, lag: int) -> Remedy:
    """Truncated BPTT whose gradient goes back over the lag from every step of a chunk, in whole chunks."""
    k2 = window_over(chunk, lag)
    why = f"as many updates as now, each carried {k2} steps back; time and memory grow by {k2 // chunk} times"
    return LONGER_WINDOW.remedy_because(why, chunk, k2)


RULE = Rule(
    code="GR104",
    slug="truncation-bias",
    title="truncation window cuts real gradient",
    severities=("warning", "info"),
    family="time",
    explain=Explanation(
        cause="Backpropagation stops at the chunk's edge although the error depends on inputs from before it, so the "
        "update points elsewhere than the loss of the whole stream asks.",
        mathematics=(
            "b(k) = ‖dW − Σ_{ℓ<k} dW_ℓ‖ / ‖dW‖, the relative error of truncated BPTT with k2 = k at these weights",
            "beyond the chunk there is no dW_ℓ to measure; whether the error depends on x_{t−ℓ} can be tested (GR402)",
        ),
        thresholds="Judged where the state is carried from chunk to chunk, so that the inputs before a chunk are "
        f"known: it speaks where q ≤ {Q_LEVEL.default:g} at a lag of the chunk's length or more, and what "
        f"lies there is {percent(WORTH.default, 3)} or more of the variance that the error had at first: less "
        "is not worth the longer window. It is information while the loss still falls. Silence counts as a pass only "
        f"where {percent(FOUND.default, 3)} of it would have been seen.",
        remedies=(
            "A larger k2 with the same k1: less bias, memory and time grow with k2.",
            "Chunks of random length: the bias averages out, the variance grows.",
        ),
        silence="Where the loss is local by design.",
        references=(WILLIAMS, "Tallec, Ollivier (2017): Unbiasing truncated backpropagation through time"),
    ),
    judge=judge,
    thresholds=(Q_LEVEL, WORTH),
    units={"chunk": "steps"},
)
