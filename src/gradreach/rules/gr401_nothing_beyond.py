"""GR401: past the horizon the error depends on nothing that is worth learning."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gradreach.facts.dependency import (
    CLEAR,
    FOUND,
    Q_LEVEL,
    DependencyTest,
    LagResult,
    not_enough,
    sequences,
    spans,
)
from gradreach.facts.facts import Facts
from gradreach.facts.statistics import known
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.look_more_often import LOOK_MORE_OFTEN
from gradreach.rules.data_dependency import BANDS, GIVEN, NULL, SCORE, all_spans, unasked, where
from gradreach.rules.references import DATA
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

MOSTLY = 2 / 3
"""Part of the lags past the horizon that must have been cleared: few positions reach back to the farthest."""


def judge(facts: Facts) -> RuleOutcome:
    """Each test that cleared most of the lags past the horizon."""
    tests = facts.dependency_tests
    if why := unasked(tests):
        return RuleOutcome(why_not=why)
    past = [test for test in tests if test.beyond]
    if not past:
        return RuleOutcome(why_not="the gradient reaches every lag that was tested, so none lies beyond")
    free = [test for test in past if all(each.verdict in ("nothing", "undecided") for each in test.beyond)]
    found = [test for test in free if 0 < _width(_cleared(test)) >= MOSTLY * _width(test.beyond)]
    if found:
        return RuleOutcome(tuple(_finding(facts, test) for test in found))
    return RuleOutcome(why_not=next((not_enough(test, test.beyond) for test in free), ""))


def _cleared(test: DependencyTest) -> tuple[LagResult, ...]:
    """The bands past the horizon up to the first that too few positions reach back to, as those at the far end."""
    return tuple(takewhile(lambda each: each.verdict == "nothing", test.beyond))


def _width(lags: Sequence[LagResult]) -> int:
    return sum(each.lag.until - each.lag.lag + 1 for each in lags)


def _finding(facts: Facts, test: DependencyTest) -> Finding:
    found, horizon, lags = test.dependency, test.reach.horizon, [each.lag for each in _cleared(test)]
    rest = test.beyond[len(lags) :]
    detectable, q = max(lag.detectable for lag in lags), min(known(lag.q for lag in lags), default=1.0)
    because = (
        f"asked was whether the error still depends on the input {spans(lags)} steps back, given the nearer inputs and "
        f"the model's own state. Nothing was found (smallest q = {figure(q)}, {sequences(found)}); a share of "
        f"{percent(detectable, 2)} of its variance would have been, 95 times in 100. "
        f"The gradient reaches {horizon} steps back; that it goes no farther costs nothing the test could see."
    )
    if rest:
        because += f" Of {all_spans(rest)} steps back there is not enough data yet."
    evidence: Evidence = {
        "horizon": horizon, "lags": spans(lags), "detectable_share": detectable, "q": q,
        "sequences": found.sequences, "positions": found.positions, "looks": found.looks, "T": found.T,
    }  # fmt: skip
    how = f"min q over {spans(lags)} steps back = {figure(q)} > {max(CLEAR, facts.thresholds[Q_LEVEL]):g}; "
    how += f"detectable share = {percent(detectable, 2)} ≤ {percent(facts.thresholds[FOUND], 3)}"
    remedies = (LOOK_MORE_OFTEN.remedy(facts.record.run.script),)
    return RULE.finding("info", where(facts, test), evidence, because, remedies, how)


RULE = Rule(
    code="GR401",
    slug="nothing-beyond",
    title="nothing left to learn beyond lag n",
    severities=("info",),
    family="data",
    explain=Explanation(
        cause="What the model still gets wrong depends no more on the input past the horizon, given the nearer input "
        "and the model's own state. A reach that ends there costs nothing that the test could see.",
        mathematics=(SCORE, GIVEN, NULL, BANDS),
        thresholds="The rule speaks where bands past the horizon were tested, none has "
        f"q ≤ {Q_LEVEL.default:g}, and the nearer two thirds of their lags or more have q > {CLEAR:g} where a "
        f"share of {percent(FOUND.default, 3)} of the error's variance would have been found 95 times in 100. "
        "With fewer sequences it says that there is not enough data yet, and what could have been missed.",
        remedies=(
            "None needed: a longer reach costs time, and has nothing to bring.",
            "Shorter sequences or a smaller k2: cheaper steps; what changes later in training goes unseen.",
        ),
        silence="At will: it is information.",
        references=DATA,
    ),
    judge=judge,
    thresholds=(Q_LEVEL, FOUND),
    heading="If you want to be surer",
    opening="Nothing is left to learn beyond what the gradient reaches in",
    zoo=("lstm_text",),
)
