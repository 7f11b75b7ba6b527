"""What the rules on the data's own dependency share: their words and the mathematics of the test."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.dependency import Q_LEVEL, WORTH, DependencyTest, LagResult, back, sequences, spans
from gradreach.facts.facts import Facts
from gradreach.facts.site import PASSES
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Lag
from gradreach.record.seen.recurrence import HORIZON_LIMIT
from gradreach.rules import formula
from gradreach.rules.rule import Where

UNASKED = "no error was tested against the inputs before it"


def unasked(tests: Sequence[DependencyTest]) -> str:
    """Why no rule of the family can judge; empty where one can."""
    if not tests:
        return UNASKED
    tested = [test for test in tests if test.lags]
    if not tested:
        return f"not enough data yet: {tests[0].dependency.why_not or 'no lag could be tested'}"
    return "" if any(test.reach.layers for test in tested) else "no reach is known where the error was tested"


def where(facts: Facts, test: DependencyTest) -> Where:
    """The place of a finding on what the error depends on."""
    return {"module": test.dependency.module, "site": facts.site_name(test.dependency.site)}


def depends(test: DependencyTest, lag: Lag) -> str:
    """That the error depends on the input at a lag, by how much, and how sure that is."""
    return (
        f"the error still depends on the input {back([lag])} (share {percent(lag.share, 2)} of its "
        f"variance, q = {figure(lag.q)}, {sequences(test.dependency)})"
    )


def lie(facts: Facts, lag: Lag) -> str:
    """The same for a formula."""
    return f"{back([lag])} lie {formula.explained(lag.share, lag.q, facts.thresholds[Q_LEVEL])}"


def all_spans(lags: Sequence[LagResult]) -> str:
    """The lags of several results in words."""
    return spans([each.lag for each in lags])


SCORE = (
    "S(n) = ‖Σ_i M_i‖²,   M_i = Σ_t e_t ⊗ f_{t−n} over the positions t of sequence i: e the error at the output, f "
    "features of the input (values, token signs, products of neighbours), both less their regression on z"
)
GIVEN = (
    "z: x_t, the two lags next to the band, powers of what the error follows in x_t and x_{t−1}, and a ladder of the "
    "lags between; then the state h_t too, with powers of what the error follows in it: the weaker score of both counts"
)
NULL = (
    "null: ‖Σ_i s_i M_i‖², s_i = ±1 by whole sequences, those that overlap, come again or run into one cycle together, "
    "which keeps all that holds within one; e widened to what it "
    "was before the regression took its share (CR2);  z = (S − mean) / sd,  p = share of the draws at or above"
)
BANDS = (
    "lags are tested in bands, each half as long again as the last: its statistic is the largest over its parts and "
    "the whole, by the same flips;  q = p after Benjamini, Hochberg over the bands"
)
SHARE = (
    "share = (z − mean largest z of the draws) · sd / (n Σ‖e‖²), e before the regression, f of unit covariance: what "
    "would be explained of the "
    "error's variance on sequences that had no part in the fit"
)
REACH = (
    "r(n): the largest over the layers whose gradient goes that way, the median of the last looks; under 0.01 it "
    "vanishes"
)
DEPENDS = (
    f"A lag counts as one that the error depends on from q ≤ {Q_LEVEL.default:g}, so that chance alone tells "
    f"so of one test in a hundred, and where what it holds is {percent(WORTH.default, 3)} or more of the "
    "variance that the error had at the first look: share × min(1, error now / error then)². So a task that is learned "
    f"is silent. Reached means r(n) ≥ {HORIZON_LIMIT:g}, the horizon's own limit."
)
RESTS = (
    f"The loss rests where, over {PASSES} backward passes or more, its median in the last quarter lies under that of "
    "the quarter before the middle by no more than their noise. One that hardly fell and is still that of a constant "
    "guess counts as one that rests."
)
