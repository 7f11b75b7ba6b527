"""GR402: the error depends on inputs from which less than 1 % of the gradient arrives."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.dependency import Q_LEVEL, WORTH, DependencyTest, not_enough, strongest
from gradreach.facts.facts import Facts
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.recurrence import HORIZON_LIMIT, TimeLook
from gradreach.remedies.advice.bounded_state import BOUNDED_STATE
from gradreach.rules import gr103_recurrent_saturated
from gradreach.rules.data_dependency import (
    BANDS,
    DEPENDS,
    GIVEN,
    NULL,
    REACH,
    RESTS,
    SCORE,
    SHARE,
    all_spans,
    depends,
    lie,
    unasked,
    where,
)
from gradreach.rules.longer_reach import as_far_as
from gradreach.rules.references import DATA
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome


def judge(facts: Facts) -> RuleOutcome:
    """Each test of a dependency that vanishes on its way."""
    tests = facts.dependency_tests
    if why := unasked(tests):
        return RuleOutcome(why_not=why)
    found = tuple(_finding(facts, test) for test in tests if test.judged("vanishing"))
    missed = [why for test in tests if (why := _unknown(test) or _missed(test))]
    return RuleOutcome(found, "" if found or not missed else missed[0])


def _unknown(test: DependencyTest) -> str:
    lags = test.judged("not judged")
    return f"the error depends on the input {all_spans(lags)} steps back, and no reach is known there" if lags else ""


def _missed(test: DependencyTest) -> str:
    """What the test may have missed past the horizon, within the chunk."""
    return not_enough(test, [each for each in test.beyond if each.lag.lag < test.reach.T])


def _flat_looks(facts: Facts, test: DependencyTest) -> Sequence[TimeLook]:
    """The looks at a layer whose units are flat, which is why its gradient vanishes; none where they are not."""
    found = test.dependency
    each = (looks for key, looks in facts.seen.layers.items() if (key.site, key.module) == (found.site, found.module))
    return next((looks for looks in each if gr103_recurrent_saturated.is_flat(facts, looks)), ())


def _finding(facts: Facts, test: DependencyTest) -> Finding:
    found, lost = test.dependency, test.judged("vanishing")
    most = strongest(lost)
    because = (
        f"{depends(test, most.lag)}; the gradient that comes from there is {figure(most.reach)} of the near one: it "
        "vanishes."
        if most.reach
        else f"{depends(test, most.lag)}; no gradient comes from there."
    )
    if len(lost) > 1:
        because += f" All such lags: {all_spans(lost)}."
    because += f" The horizon, 1 %, lies {test.reach.horizon} steps back."
    flat = _flat_looks(facts, test)
    if flat:
        because += f" {gr103_recurrent_saturated.flat_words(flat)}: little passes there (GR103)."
    if not facts.rests_at(test):
        because += " The loss still falls, or was seen too short to tell: the reach may yet grow."
    evidence: Evidence = {
        "lag": most.lag.at, "lags": all_spans(lost), "share": most.lag.share, "q": most.lag.q,
        "reach": most.reach, "horizon": test.reach.horizon, "T": test.reach.T, "error_left": found.error,
        "sequences": found.sequences, "positions": found.positions, "looks": found.looks,
    }  # fmt: skip
    severity: Severity = "error" if facts.rests_at(test) else "info"
    how = f"r({most.lag.at}) = {figure(most.reach)} < {HORIZON_LIMIT:g}, yet {lie(facts, most.lag)}"
    smaller = gr103_recurrent_saturated.smaller_sums(facts, flat)[:1] if flat else ()
    smaller = tuple(each for each in smaller if each.id == BOUNDED_STATE.id)
    remedies = (*smaller, *as_far_as(facts, test, most.lag.at))
    return RULE.finding(severity, where(facts, test), evidence, because, remedies, how)


RULE = Rule(
    code="GR402",
    slug="dependency-out-of-reach",
    title="the data depends on lag n, the gradient does not reach it",
    severities=("error", "info"),
    family="data",
    explain=Explanation(
        cause="What the model still gets wrong depends on the input n steps back, given the nearer input and the "
        "model's own state, and less than 1 % of the near gradient comes from there: vanishing, with proof of harm.",
        mathematics=(SCORE, GIVEN, NULL, BANDS, SHARE, REACH),
        thresholds=DEPENDS + " Dependent and not reached is this finding; from before the chunk it is GR104. It is an "
        "error once the loss rests, and information while it falls: early in training a gate may still open. " + RESTS,
        remedies=(
            "Orthogonal W_hh: free; holds only as long as training leaves it near.",
            "LSTM, or gates with a bias for the lag (chrono start): free for an LSTM, else three to four times the "
            "weights.",
            "Skip connections through time: reach divided by the skip; lags between are seen coarsely.",
        ),
        silence="Where the far dependency is known and not wanted.",
        references=DATA,
    ),
    judge=judge,
    thresholds=(Q_LEVEL, WORTH),
    opening="Your gradients vanish before they reach what the data holds in",
    urgency=1,
    zoo=("gr402_adding_problem",),
)
