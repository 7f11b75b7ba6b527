"""Rules on what the data asks for, GR401 to GR403: is there something to be learned that the gradient cannot reach?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gradreach.facts.course import PASSES, at_rest, site_name
from gradreach.facts.legacy_dependency import (
    CLEAR,
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
from gradreach.facts.statistics import known, percent, shown
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding, Record, Remedy, Severity, TimeLook
from gradreach.rules import formula
from gradreach.rules.remedy import as_far_as, expression
from gradreach.rules.rule import Evidence, Explain, Judged, Rule, Where

MOSTLY = 2 / 3
"""Part of the lags past the horizon that must have been cleared: few positions reach back to the farthest."""

UNASKED = "no error was tested against the inputs before it"


def nothing_far(record: Record, thresholds: Thresholds) -> Judged:
    """GR401: past the horizon the error depends on nothing that is worth learning."""
    tests = verdicts(record, thresholds)
    if why := _unasked(tests):
        return Judged(why_not=why)
    past = [asked for asked in tests if asked.beyond]
    if not past:
        return Judged(why_not="the gradient reaches every lag that was tested, so none lies beyond")
    free = [asked for asked in past if all(each.verdict in ("nothing", "undecided") for each in asked.beyond)]
    found = [asked for asked in free if 0 < _width(_cleared(asked)) >= MOSTLY * _width(asked.beyond)]
    if found:
        return Judged(tuple(_nothing_far(record, asked, thresholds) for asked in found))
    return Judged(why_not=next((not_enough(asked, asked.beyond) for asked in free), ""))


def _cleared(asked: Asked) -> tuple[LagVerdict, ...]:
    """The bands past the horizon up to the first that too few positions reach back to, as those at the far end."""
    return tuple(takewhile(lambda each: each.verdict == "nothing", asked.beyond))


def _width(lags: Sequence[LagVerdict]) -> int:
    return sum(each.lag.until - each.lag.lag + 1 for each in lags)


def _nothing_far(record: Record, asked: Asked, thresholds: Thresholds) -> Finding:
    found, horizon, lags = asked.dependency, asked.reach.horizon, [each.lag for each in _cleared(asked)]
    rest = [each.lag for each in asked.beyond[len(lags) :]]
    detectable, q = max(lag.detectable for lag in lags), min(known(lag.q for lag in lags), default=1.0)
    because = (
        f"asked was whether the error still depends on the input {spans(lags)} steps back, given the nearer inputs and "
        f"the model's own state. Nothing was found (smallest q = {shown(q)}, {sequences(found)}); a share of "
        f"{percent(detectable, 2)} of its variance would have been, 95 times in 100. "
        f"The gradient reaches {horizon} steps back; that it goes no farther costs nothing the test could see."
    )
    if rest:
        because += f" Of {spans(rest)} steps back there is not enough data yet."
    evidence: Evidence = {
        "horizon": horizon, "lags": spans(lags), "detectable_share": detectable, "q": q,
        "sequences": found.sequences, "positions": found.positions, "looks": found.looks, "T": found.T,
    }  # fmt: skip
    more = Remedy(
        "look-more-often",
        f"gradreach run --every 1 {record.run.script}  # and its arguments as before",
        "more looks give the test more sequences, and with these it sees smaller shares",
    )
    how = f"min q over {spans(lags)} steps back = {shown(q)} > {max(CLEAR, thresholds.dependency_level):g}; "
    how += f"detectable share = {percent(detectable, 2)} ≤ {percent(thresholds.dependency_found)}"
    return Finding("GR401", "info", NOTHING_FAR.title, _where(record, asked), evidence, because, (more,), how)


def unreached(record: Record, thresholds: Thresholds) -> Judged:
    """GR402: the error depends on inputs from which less than 1 % of the gradient arrives."""
    tests = verdicts(record, thresholds)
    if why := _unasked(tests):
        return Judged(why_not=why)
    found = tuple(_unreached(record, asked, thresholds) for asked in tests if asked.judged("vanishing"))
    missed = [why for asked in tests if (why := _unknown(asked) or not_enough(asked, _within(asked, asked.beyond)))]
    return Judged(found, "" if found or not missed else missed[0])


def _unknown(asked: Asked) -> str:
    lags = [each.lag for each in asked.judged("not judged")]
    return f"the error depends on the input {spans(lags)} steps back, and no reach is known there" if lags else ""


def _unreached(record: Record, asked: Asked, thresholds: Thresholds) -> Finding:
    found, lost = asked.dependency, asked.judged("vanishing")
    most = strongest(lost)
    because = (
        f"{_depends(asked, most)}; the gradient that comes from there is {shown(most.reach)} of the near one: it "
        "vanishes."
        if most.reach
        else f"{_depends(asked, most)}; no gradient comes from there."
    )
    if len(lost) > 1:
        because += f" All such lags: {spans([each.lag for each in lost])}."
    because += f" The horizon, 1 %, lies {asked.reach.horizon} steps back."
    harm = harms(record, asked)
    if not harm:
        because += " The loss still falls, or was seen too short to tell: the reach may yet grow."
    evidence: Evidence = {
        "lag": most.lag.at, "lags": spans([each.lag for each in lost]), "share": most.lag.share, "q": most.lag.q,
        "reach": most.reach, "horizon": asked.reach.horizon, "T": asked.reach.T, "error_left": found.error,
        "sequences": found.sequences, "positions": found.positions, "looks": found.looks,
    }  # fmt: skip
    remedies = as_far_as(record, asked, most.lag.at)
    severity: Severity = "error" if harm else "info"
    told = formula.explained(most.lag.share, most.lag.q, thresholds.dependency_level)
    how = f"r({most.lag.at}) = {shown(most.reach)} < {LIMIT:g}, yet {spans([most.lag])} steps back lie {told}"
    return Finding("GR402", severity, UNREACHED.title, _where(record, asked), evidence, because, remedies, how)


def unlearned(record: Record, thresholds: Thresholds) -> Judged:
    """GR403: the gradient arrives from all that the error depends on, and the loss no longer falls."""
    tests = verdicts(record, thresholds)
    if why := _unasked(tests):
        return Judged(why_not=why)
    arrives = [asked for asked in tests if asked.depends and len(asked.judged("reached")) == len(asked.depends)]
    large = [asked for asked in arrives if asked.dependency.error >= thresholds.error_left]
    left = [asked for asked in large if not _floods(asked, thresholds.far_growth)]
    resting = [(asked, rest) for asked in left if (rest := at_rest(record, asked.dependency.site)) is not None]
    if resting:
        return Judged(tuple(_unlearned(record, asked, rest, thresholds) for asked, rest in resting))
    if left:
        return Judged(
            why_not="the loss still falls, or was seen too short to tell: what is not learned yet may be soon"
        )
    missed = [why for asked in tests if (why := not_enough(asked, [e for e in asked.lags if e not in asked.beyond]))]
    return Judged(why_not=missed[0] if missed and not arrives else "")


def _floods(asked: Asked, far_growth: float) -> bool:
    """Whether what comes from far back drowns the rest: that explodes, and hides what else the task may lack."""
    return any((each.reach or 0.0) >= far_growth for each in asked.depends)


def _unlearned(record: Record, asked: Asked, rest: tuple[float, float], thresholds: Thresholds) -> Finding:
    found, most = asked.dependency, strongest(asked.depends)
    before, last = rest
    because = (
        f"{_depends(asked, most)}, and {shown(most.reach)} of the near gradient arrives from there. Yet the loss "
        f"rests: its median was {shown(before)} in the quarter before the middle of the run and {shown(last)} in the "
        f"last, and the error is {shown(found.error)} times what it was at first. The task is hard or the model "
        "undertrained; this is not vanishing."
    )
    evidence: Evidence = {
        "lag": most.lag.at, "lags": spans([each.lag for each in asked.depends]), "share": most.lag.share,
        "q": most.lag.q, "reach": most.reach, "horizon": asked.reach.horizon, "error_left": found.error,
        "loss_before": before, "loss_last": last, "sequences": found.sequences, "looks": found.looks,
    }  # fmt: skip
    told = formula.explained(most.lag.share, most.lag.q, thresholds.dependency_level)
    how = f"r({most.lag.at}) = {shown(most.reach)} ≥ {LIMIT:g}; {spans([most.lag])} steps back lie {told}; "
    how += f"error left {shown(found.error)} ≥ {thresholds.error_left:g}"
    return Finding("GR403", "warning", UNLEARNED.title, _where(record, asked), evidence, because, _learning(asked), how)


def _learning(asked: Asked) -> tuple[Remedy, ...]:
    rate = Remedy("raise-rate", "lr = lr * 3", "more way in as many steps; back again where the loss jumps")
    seen = next((looks[-1] for looks in asked.reach.layers), None)
    if not isinstance(seen, TimeLook) or not numbered(seen.kind):
        return (rate,)
    do = f"hidden_size = {2 * seen.hidden}  # of `{expression(seen.module)}`, now {seen.hidden}"
    return rate, Remedy("wider", do, "room for what the task asks to be kept; four times the recurrent weights")


def _depends(asked: Asked, most: LagVerdict) -> str:
    lag = most.lag
    return (
        f"the error still depends on the input {spans([lag])} steps back (share {percent(lag.share, 2)} of its "
        f"variance, q = {shown(lag.q)}, {sequences(asked.dependency)})"
    )


def _within(asked: Asked, lags: tuple[LagVerdict, ...]) -> list[LagVerdict]:
    return [each for each in lags if each.lag.lag < asked.reach.T]


def _unasked(tests: tuple[Asked, ...]) -> str:
    """Why no rule of the family can judge; empty where one can."""
    if not tests:
        return UNASKED
    tested = [asked for asked in tests if asked.lags]
    if not tested:
        return f"not enough data yet: {tests[0].dependency.why_not or 'no lag could be tested'}"
    return "" if any(asked.reach.layers for asked in tested) else "no reach is known where the error was tested"


def _where(record: Record, asked: Asked) -> Where:
    return {"module": asked.dependency.module, "site": site_name(record, asked.dependency.site)}


_SCORE = (
    "S(n) = ‖Σ_i M_i‖²,   M_i = Σ_t e_t ⊗ f_{t−n} over the positions t of sequence i: e the error at the output, f "
    "features of the input (values, token signs, products of neighbours), both less their regression on z"
)
_HELD = (
    "z: the input one lag nearer, the state h_t with the squares and products of what the error follows in it, x_t and "
    "x_{t−1} together, and a ladder of the lags between"
)
_NULL = (
    "null: ‖Σ_i s_i M_i‖², s_i = ±1 by whole sequences, which keeps all that holds within one; e widened to what it "
    "was before the regression took its share (CR2);  z = (S − mean) / sd,  p = share of the draws at or above"
)
_BANDS = (
    "lags are tested in bands, each half as long again as the last: its statistic is the largest over its parts and "
    "the whole, by the same flips;  q = p after Benjamini, Hochberg over the bands"
)
_SHARE = (
    "share = (z − mean largest z of the draws) · sd / (n Σ‖e‖²), f of unit covariance: what would be explained of the "
    "error's variance on sequences that had no part in the fit"
)
_REACH = (
    "r(n): the largest over the layers whose gradient goes that way, the median of the last looks; under 0.01 it "
    "vanishes"
)
_LEVEL = (
    f"A lag counts as one that the error depends on from q ≤ {DEFAULT.dependency_level:g}, so that chance alone tells "
    f"so of one test in a hundred, and where what it holds is {percent(DEFAULT.dependency_worth)} or more of the "
    "variance that the error had at the first look: share × min(1, error now / error then)². So a task that is learned "
    f"is silent. Reached means r(n) ≥ {LIMIT:g}, the horizon's own limit."
)
_RESTS = (
    f"The loss rests where, over {PASSES} backward passes or more, its median in the last quarter lies under that of "
    "the quarter before the middle by no more than their noise."
)
_REFERENCES = (
    "Rao (1948): Large sample tests of statistical hypotheses concerning several parameters",
    "Hemerik, Goeman, Finos (2020): Robust testing in generalized linear models by sign flipping score contributions",
    "Shah, Peters (2020): The hardness of conditional independence testing and the generalised covariance measure",
    "Bell, McCaffrey (2002): Bias reduction in standard errors for linear regression with multi-stage samples",
    "Benjamini, Hochberg (1995): Controlling the false discovery rate",
    "Hochreiter, Bengio, Frasconi, Schmidhuber (2001): Gradient flow in recurrent nets",
)

NOTHING_FAR = Rule(
    "GR401",
    "nothing-beyond",
    "nothing left to learn beyond lag n",
    ("info",),
    "data",
    Explain(
        cause="What the model still gets wrong depends no more on the input past the horizon, given the nearer input "
        "and the model's own state. A reach that ends there costs nothing that the test could see.",
        mathematics=(_SCORE, _HELD, _NULL, _BANDS),
        thresholds="The rule speaks where bands past the horizon were tested, none has "
        f"q ≤ {DEFAULT.dependency_level:g}, and the nearer two thirds of their lags or more have q > {CLEAR:g} where a "
        f"share of {percent(DEFAULT.dependency_found)} of the error's variance would have been found 95 times in 100. "
        "With fewer sequences it says that there is not enough data yet, and what could have been missed.",
        remedies=(
            "None needed: a longer reach costs time, and has nothing to bring.",
            "Shorter sequences or a smaller k2: cheaper steps; what changes later in training goes unseen.",
        ),
        silence="At will: it is information.",
        references=_REFERENCES,
    ),
    nothing_far,
)

UNREACHED = Rule(
    "GR402",
    "dependency-out-of-reach",
    "the data depends on lag n, the gradient does not reach it",
    ("error", "info"),
    "data",
    Explain(
        cause="What the model still gets wrong depends on the input n steps back, given the nearer input and the "
        "model's own state, and less than 1 % of the near gradient comes from there: vanishing, with proof of harm.",
        mathematics=(_SCORE, _HELD, _NULL, _BANDS, _SHARE, _REACH),
        thresholds=_LEVEL + " Dependent and not reached is this finding; from before the chunk it is GR104. It is an "
        "error once the loss rests, and information while it falls: early in training a gate may still open. " + _RESTS,
        remedies=(
            "Orthogonal W_hh: free; holds only as long as training leaves it near.",
            "LSTM, or gates with a bias for the lag (chrono start): free for an LSTM, else three to four times the "
            "weights.",
            "Skip connections through time: reach divided by the skip; lags between are seen coarsely.",
        ),
        silence="Where the far dependency is known and not wanted.",
        references=_REFERENCES,
    ),
    unreached,
)

UNLEARNED = Rule(
    "GR403",
    "reached-unlearned",
    "the gradient reaches the dependency and it is still unlearned",
    ("warning",),
    "data",
    Explain(
        cause="What the model still gets wrong depends on the input n steps back, the gradient comes from there, and "
        "the loss has stopped falling: the task is hard, or the model undertrained; this is not vanishing.",
        mathematics=(_SCORE, _HELD, _NULL, _BANDS, _SHARE, _REACH),
        thresholds=_LEVEL + " Dependent and reached at every such lag is this finding, once the loss rests and the "
        f"error is still {DEFAULT.error_left:g} or more of what it was.",
        remedies=(
            "Train longer or with a higher rate: time.",
            "More hidden units: memory and time.",
            "Help the gradient's way no further: it arrives already.",
        ),
        silence="Where the loss is known to be as low as the data allow.",
        references=_REFERENCES,
    ),
    unlearned,
)

RULES = (NOTHING_FAR, UNREACHED, UNLEARNED)
