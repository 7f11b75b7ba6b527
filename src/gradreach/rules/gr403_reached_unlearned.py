"""GR403: the gradient arrives from all that the error depends on, and the loss no longer falls."""

from __future__ import annotations

from gradreach.facts.dependency import Q_LEVEL, WORTH, DependencyTest, not_enough, strongest
from gradreach.facts.facts import Facts
from gradreach.facts.site import Rest
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import FAR_GROWTH
from gradreach.facts.wording import figure
from gradreach.record.kinds import numbered
from gradreach.record.schema import HORIZON_LIMIT, Finding, Remedy, TimeLook
from gradreach.remedies.advice.raise_rate import RAISE_RATE
from gradreach.remedies.advice.wider import WIDER
from gradreach.rules.data_dependency import (
    BANDS,
    DEPENDS,
    GIVEN,
    NULL,
    REACH,
    SCORE,
    SHARE,
    all_spans,
    depends,
    lie,
    unasked,
    where,
)
from gradreach.rules.references import DATA
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

ERROR_LEFT = Threshold(
    "error_left", 0.5, 0.0, 1.0, "rms of the error over that at the first look, from which most is still unlearned"
)


def judge(facts: Facts) -> RuleOutcome:
    """Each test whose every dependency is reached while most of the error is left and the loss rests."""
    tests = facts.dependency_tests
    if why := unasked(tests):
        return RuleOutcome(why_not=why)
    arrives = [test for test in tests if test.depends and len(test.judged("reached")) == len(test.depends)]
    large = [test for test in arrives if test.dependency.error >= facts.thresholds[ERROR_LEFT]]
    left = [test for test in large if not _floods(test, facts.thresholds[FAR_GROWTH])]
    resting = [(test, rest) for test in left if (rest := facts.site(test.dependency.site).rest) is not None]
    if resting:
        return RuleOutcome(tuple(_finding(facts, test, rest) for test, rest in resting))
    if left:
        why = "the loss still falls, or was seen too short to tell: what is not learned yet may be soon"
        return RuleOutcome(why_not=why)
    missed = [why for test in tests if (why := _missed(test))]
    return RuleOutcome(why_not=missed[0] if missed and not arrives else "")


def _floods(test: DependencyTest, far_growth: float) -> bool:
    """Whether what comes from far back drowns the rest: that explodes, and hides what else the task may lack."""
    return any((each.reach or 0.0) >= far_growth for each in test.depends)


def _missed(test: DependencyTest) -> str:
    """What the test may have missed within the horizon."""
    return not_enough(test, [each for each in test.lags if each not in test.beyond])


def _finding(facts: Facts, test: DependencyTest, rest: Rest) -> Finding:
    found, most = test.dependency, strongest(test.depends)
    because = (
        f"{depends(test, most.lag)}, and {figure(most.reach)} of the near gradient arrives from there. Yet the loss "
        f"rests: its median was {figure(rest.before)} in the quarter before the middle of the run and "
        f"{figure(rest.last)} in the last, and the error is {figure(found.error)} times what it was at first. The task "
        "is hard or the model undertrained; this is not vanishing."
    )
    evidence: Evidence = {
        "lag": most.lag.at, "lags": all_spans(test.depends), "share": most.lag.share,
        "q": most.lag.q, "reach": most.reach, "horizon": test.reach.horizon, "error_left": found.error,
        "loss_before": rest.before, "loss_last": rest.last, "sequences": found.sequences, "looks": found.looks,
    }  # fmt: skip
    how = f"r({most.lag.at}) = {figure(most.reach)} ≥ {HORIZON_LIMIT:g}; {lie(facts, most.lag)}; "
    how += f"error left {figure(found.error)} ≥ {facts.thresholds[ERROR_LEFT]:g}"
    return RULE.finding("warning", where(facts, test), evidence, because, _learning(test), how)


def _learning(test: DependencyTest) -> tuple[Remedy, ...]:
    """What makes more of the steps, or more room for what they bring."""
    rate = RAISE_RATE.remedy_because("more way in as many steps; back again where the loss jumps", "3")
    seen = next((looks[-1] for looks in test.reach.layers), None)
    if not isinstance(seen, TimeLook) or not numbered(seen.kind):
        return (rate,)
    return rate, WIDER.remedy(seen.module, seen.hidden)


RULE = Rule(
    code="GR403",
    slug="reached-unlearned",
    title="the gradient reaches the dependency and it is still unlearned",
    severities=("warning",),
    family="data",
    explain=Explanation(
        cause="What the model still gets wrong depends on the input n steps back, the gradient comes from there, and "
        "the loss has stopped falling: the task is hard, or the model undertrained; this is not vanishing.",
        mathematics=(SCORE, GIVEN, NULL, BANDS, SHARE, REACH),
        thresholds=DEPENDS + " Dependent and reached at every such lag is this finding, once the loss rests and the "
        f"error is still {ERROR_LEFT.default:g} or more of what it was.",
        remedies=(
            "Train longer or with a higher rate: time.",
            "More hidden units: memory and time.",
            "Help the gradient's way no further: it arrives already.",
        ),
        silence="Where the loss is known to be as low as the data allow.",
        references=DATA,
    ),
    judge=judge,
    thresholds=(FAR_GROWTH, Q_LEVEL, WORTH, ERROR_LEFT),
    zoo=("gr403_too_low_a_rate",),
)
