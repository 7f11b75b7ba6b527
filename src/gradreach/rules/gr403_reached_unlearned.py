"""GR403: the gradient arrives from all that the error depends on, nothing else hinders it, and the loss rests."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.activations import SATURATED
from gradreach.facts.dependency import Q_LEVEL, WORTH, DependencyTest, not_enough, strongest
from gradreach.facts.depth import DEPTH_DECADES
from gradreach.facts.facts import Facts
from gradreach.facts.learning import LEFT
from gradreach.facts.site import Rest
from gradreach.facts.statistics import is_finite, median, positive
from gradreach.facts.thresholds import Threshold
from gradreach.facts.time import FAR_GROWTH, MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.kinds import numbered, saturates
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Remedy, Severity
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import HORIZON_LIMIT, TimeLook
from gradreach.remedies.advice.one_batch import ONE_BATCH
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

USUAL, SLOW = 1e-3, 1e-4
"""‖Δw‖ / ‖w‖ of ordinary training, and up to which a higher rate is worth a trial: ten times as much at most."""

TRIAL = 200
"""Steps on one batch after which a model that can learn it has."""


def judge(facts: Facts) -> RuleOutcome:
    """Each test whose every dependency is reached with nothing else in the way, most of the error left, the loss at
    rest."""
    tests = facts.dependency_tests
    if why := unasked(tests):
        return RuleOutcome(why_not=why)
    arrives = [test for test in tests if test.depends and len(test.judged("reached")) == len(test.depends)]
    large = [
        test
        for test in arrives
        if test.dependency.error >= facts.thresholds[ERROR_LEFT] and not _is_learned(facts, test.dependency.site)
    ]
    left = [test for test in large if not _floods(test, facts.thresholds[FAR_GROWTH])]
    hindered = [why for test in left if (why := _in_the_way(facts, test.dependency.site))]
    if hindered:
        return RuleOutcome(why_not=f"the error depends on inputs that the gradient reaches, but {hindered[0]}")
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


def _is_learned(facts: Facts, site: int) -> bool:
    """Whether hardly any of the loss is left: the error of the test counts from its first sample, the loss from the
    start."""
    share = facts.site(site).learning.share
    return share is not None and share >= 1 - LEFT


def _in_the_way(facts: Facts, site: int) -> str:
    """What else the last looks at a line show that keeps weights from learning, in half a sentence; else empty."""
    looks = [look for look in facts.seen.looks if look.site == site][-MIN_LOOKS:]
    modules: dict[str, list[DepthLook]] = {}
    for seen in (seen for look in looks for seen in look.depth):
        modules.setdefault(seen.module, []).append(seen)
    for name, same in modules.items():
        if all(each.parameters > 0 and each.weight_grad_norm == 0.0 for each in same):
            return f"the gradient of the weights of `{name}` is exactly 0"
        shares = [each.saturated for each in same if is_finite(each.saturated) and each.order < _last(looks)]
        if shares and median(shares) >= facts.thresholds[SATURATED]:
            return f"`{name}` is saturated"
    for layer in (layer for look in looks for layer in look.time):
        if saturates(layer.kind) and is_finite(layer.saturated) and layer.saturated >= facts.thresholds[SATURATED]:
            return f"`{layer.module}` is saturated"
    sizes = [median(found) for same in modules.values() if (found := positive(each.grad_rms for each in same))]
    if sizes and max(sizes) >= 10.0 ** facts.thresholds[DEPTH_DECADES] * min(sizes):
        return f"through depth it goes from {figure(max(sizes))} to {figure(min(sizes))}"
    return ""


def _last(looks: Sequence[Look]) -> int:
    return max((seen.order for look in looks for seen in look.depth if seen.parameters), default=0)


def _missed(test: DependencyTest) -> str:
    """What the test may have missed within the horizon."""
    return not_enough(test, [each for each in test.lags if each not in test.beyond])


def _finding(facts: Facts, test: DependencyTest, rest: Rest) -> Finding:
    found, most = test.dependency, strongest(test.depends)
    because = (
        f"{depends(test, most.lag)}, and {figure(most.reach)} of the near gradient arrives from there. Yet the loss "
        f"rests: its median was {figure(rest.before)} in the quarter before the middle of the run and "
        f"{figure(rest.last)} in the last, and the error is {figure(found.error)} times what it was at first. What is "
        "missing is not the gradient's way through time: the task may be hard, the model too small or the training too "
        "short, which this test cannot tell apart."
    )
    evidence: Evidence = {
        "lag": most.lag.at, "lags": all_spans(test.depends), "share": most.lag.share,
        "q": most.lag.q, "reach": most.reach, "horizon": test.reach.horizon, "error_left": found.error,
        "loss_before": rest.before, "loss_last": rest.last, "sequences": found.sequences, "looks": found.looks,
    }  # fmt: skip
    how = f"r({most.lag.at}) = {figure(most.reach)} ≥ {HORIZON_LIMIT:g}; {lie(facts, most.lag)}; "
    how += f"error left {figure(found.error)} ≥ {facts.thresholds[ERROR_LEFT]:g}"
    falls = facts.site(found.site).learning.course == "falls"
    severity: Severity = "info" if falls else "warning"
    return RULE.finding(severity, where(facts, test), evidence, because, _learning(facts, test), how)


def _learning(facts: Facts, test: DependencyTest) -> tuple[Remedy, ...]:
    """How to find out; larger steps where those that were seen are small, and more room in a recurrent layer."""
    return (*_faster(facts, test.dependency.site), ONE_BATCH.remedy(TRIAL), *_wider(test))


def _faster(facts: Facts, site: int) -> tuple[Remedy, ...]:
    looks = [look for look in facts.seen.looks if look.site == site][-MIN_LOOKS:]
    ratios = positive(seen.update_ratio for look in looks for seen in look.depth)
    if not ratios or median(ratios) > SLOW:
        return ()
    why = f"an update changes the weights by {figure(median(ratios))} of their size; back again where the loss jumps"
    return (RAISE_RATE.remedy_because(why, USUAL / median(ratios)),)


def _wider(test: DependencyTest) -> tuple[Remedy, ...]:
    seen = next((looks[-1] for looks in test.reach.layers), None)
    if not isinstance(seen, TimeLook) or not numbered(seen.kind):
        return ()
    return (WIDER.remedy(seen.module, seen.hidden),)


RULE = Rule(
    code="GR403",
    slug="reached-unlearned",
    title="the gradient reaches the dependency and it is still unlearned",
    severities=("warning", "info"),
    family="data",
    explain=Explanation(
        cause="What the model still gets wrong depends on the input n steps back, the gradient comes from there, and "
        "the loss has stopped falling: the way through time is open, and the task hard, the model small or the "
        "training short.",
        mathematics=(SCORE, GIVEN, NULL, BANDS, SHARE, REACH),
        thresholds=DEPENDS + " Dependent and reached at every such lag is this finding, once the loss rests and the "
        f"error is still {ERROR_LEFT.default:g} or more of what it was, unless a gradient of exactly 0, saturated "
        f"units or {DEPTH_DECADES.default:g} powers of ten between the layers' gradients may be why. It is information "
        f"where the loss fell before it came to rest, and none where no more than {LEFT:g} of it is left.",
        remedies=(
            "One batch again and again, as a trial: tells whether the model can learn it at all.",
            f"A higher rate, where an update changes the weights by {SLOW:g} of their size or less; else more steps.",
            "More hidden units: memory and time.",
            "Help the gradient's way no further: it arrives already.",
        ),
        silence="Where the loss is known to be as low as the data allow.",
        references=DATA,
    ),
    judge=judge,
    thresholds=(FAR_GROWTH, Q_LEVEL, WORTH, ERROR_LEFT, DEPTH_DECADES, SATURATED),
    zoo=("gr403_too_low_a_rate",),
)
