"""The questions that people come with, each answered in a breath: vanishing, NaN, threshold, of a stream its window;
first the one that matters most for this model and this run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradreach.facts.clipping import EXCEPTION, FAR, norm_quantile, share_above
from gradreach.facts.dependency import DependencyTest, back, spans, strongest
from gradreach.facts.facts import Facts
from gradreach.facts.first_step import OneDirection
from gradreach.facts.modules import of_one_stack
from gradreach.facts.statistics import is_finite, known, quantile
from gradreach.facts.time import past_gaps, rate_to_horizon, share_reached
from gradreach.facts.wording import clauses, count, figure, local, percent, shortened
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding
from gradreach.record.seen.recurrence import HORIZON_LIMIT, TimeLook
from gradreach.report import run_text
from gradreach.report.depth_answer import through_depth
from gradreach.report.why_broken import why_broken
from gradreach.report.window_answer import window

KEEP = 0.1
"""Share of clipped steps up to which a threshold acts on the exception, and is left alone."""

NEAR = 5.0
"""Multiple of the largest norm up to which a threshold that never acted is still a net under the exception."""

_IDLE = {
    "cleared": "is called where there is no gradient yet",
    "updated": "is called when the update is done",
    "elsewhere": "is called where there is no gradient, or on other parameters",
}

FEWEST_NORMS = 10
"""Norms below which no threshold is told from them."""

NAME = 40
"""Characters of a module's name that an answer has room for; the finding below has all of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question that people come with; `answer` begins with its `short` form."""

    question: str
    answer: str
    short: str = ""


def answers(facts: Facts, findings: Sequence[Finding]) -> tuple[Answer, ...]:
    """Is my RNN vanishing? Why did I get NaN at step N? Which clip threshold? None where no step was seen.

    A model without a recurrence is asked about its depth instead of its RNN, and what broke the run comes first. Where
    a stream is learned chunk by chunk it is asked how long the window should be.
    """
    if not facts.record.steps:
        return ()
    first = facts.first_break
    if first is None:
        broken = _answer("Did anything turn NaN?", *_nothing_broke(facts))
    else:
        why = why_broken(facts, first)
        broken = _answer(f"Why did I get NaN at step {first}?", *why)
    codes = {finding.code for finding in findings}
    recurrent = bool(facts.seen.time_shown) or not codes.isdisjoint({"GR106", "GR107"})
    over_time = recurrent or "GR402" in codes
    told = _vanishing(facts, findings) if over_time else through_depth(facts, findings)
    vanishing = _answer("Is my RNN vanishing?" if recurrent else "Is my gradient vanishing?", *told)
    threshold = _answer("Which clip threshold?", *_threshold(facts, findings))
    long_enough = window(facts, findings)
    windows = () if long_enough is None else (_answer("How long should my window be?", *long_enough),)
    return (vanishing, *windows, broken, threshold) if first is None else (broken, vanishing, *windows, threshold)


def _answer(question: str, short: str, rest: str) -> Answer:
    return Answer(question, short + rest, short)


def _vanishing(facts: Facts, findings: Sequence[Finding]) -> tuple[str, str]:
    codes, asked = {finding.code for finding in findings}, facts.dependency_tests
    shown = list(facts.seen.time_shown)
    if not shown and "GR402" in codes:
        lags = _unreached(asked, "")
        return "Yes, with harm", f", though no recurrent layer ran: {lags or 'what the error depends on'} out of reach."
    if not shown and "GR107" in codes:
        return "No, none is carried back", ": each step begins from the same state, whatever the one before left."
    if "GR106" in codes:
        return "No, it is cut", ": the state is detached at every step, so no gradient goes back at all."
    shown = [each for each in shown if known(each.layer.reach)]
    if shown and all(each.layer.T == 1 for each in shown):
        return "No, there is no way back", f": {_name(shown[0].layer)} is given a single step in each pass."
    shown = [each for each in shown if each.layer.T > 1]
    if shown and all(OneDirection.of(each.layer) in facts.seen.read_first for each in shown):
        seen = shown[-1].layer
        return "No, nothing goes back", f": the loss reads {_name(seen)} after the first of its {seen.T} steps alone."
    shown = [each for each in shown if OneDirection.of(each.layer) not in facts.seen.read_first]
    if not shown:
        return "It cannot be told", ": no finite gradient through time was seen."
    shortest = min(shown, key=lambda each: share_reached(each.layer))
    seen, when = shortest.layer, facts.as_of(shortest.look.step)
    reaches = _reaches(seen) + when
    tests = [each for each in asked if of_one_stack(each.dependency.module, seen.module)]
    lost = [finding.severity for finding in findings if finding.code == "GR402"]
    if lost:
        far = _unreached(asked, seen.module)
        far = f"; the data has something to learn {far}" if far else ""
        if "error" in lost:
            return "Yes, with harm", f": {reaches}{far}."
        return "Yes, so far", f": {reaches}{far}. The loss still falls, so the reach may yet grow."
    if "GR102" in codes:
        return "No, it explodes", f": {_grows(seen)}."
    if "GR101" not in codes:
        cut = _unreached(tests, seen.module)
        past = f"; but the data has something to learn {cut}, past the chunk" if cut else ""
        short = "Not within its chunk" if cut else "In part" if 2 * seen.horizon < seen.farthest else "No"
        return short, f": {_reaches(seen)}{_again(seen)}{when}{past}."
    if any(f.code == "GR401" and of_one_stack(str(f.where.get("module")), seen.module) for f in findings):
        return "Short, but harmless", f": {reaches}; {_nothing_beyond(tests)}."
    return "Yes, but no harm is proven", f": {reaches}; {_untested(tests)}."


def _reaches(seen: TimeLook) -> str:
    """How far the gradient gets, and at which rate it falls on the way."""
    only = "" if 2 * seen.horizon >= seen.farthest else "only "
    text = f"1 % or more of the gradient of {_name(seen)} gets {only}{seen.horizon} of {seen.farthest} steps back"
    near = rate_to_horizon(seen)
    return (text if near is None else f"{text}, × {figure(near)} a step") + past_gaps(seen)


def _again(seen: TimeLook) -> str:
    """The most that comes from beyond the horizon all the same, as where a shortcut carries the state."""
    far = {lag: r for lag, r in enumerate(seen.reach) if lag > seen.horizon and is_finite(r)}
    lag = max(far, key=far.__getitem__, default=0)
    return f", with {figure(far[lag])} at lag {lag}" if lag and far[lag] >= HORIZON_LIMIT else ""


def _grows(seen: TimeLook) -> str:
    rate = f" × {figure(seen.factor)} a step back" if seen.factor is not None and seen.factor > 1 else ""
    return f"the gradient of {_name(seen)} grows{rate} over {seen.T - 1} steps"


def _unreached(tests: Sequence[DependencyTest], module: str) -> str:
    """The lags that the data depends on and no gradient comes from, with what they hold."""
    lost = [(each, lags) for each in tests if (lags := each.judged("vanishing", "cut off"))]
    here = [pair for pair in lost if of_one_stack(pair[0].dependency.module, module)] or lost
    if not here:
        return ""
    most = strongest(here[0][1]).lag
    return f"{back([most])} ({percent(most.share)} of the error's variance)"


def _nothing_beyond(tests: Sequence[DependencyTest]) -> str:
    """What a test that found nothing far back would have found."""
    free = [each for test in tests for each in test.beyond if each.verdict == "nothing"]
    if not free:
        return "the data was asked, and holds nothing to learn further back"
    found = max((each.lag.detectable for each in free), default=0.0)
    span = spans(
        [each.lag for each in free][:1] if len(free) == 1 else [replace(free[0].lag, until=free[-1].lag.until)]
    )
    return (
        f"nothing to learn was found {span} steps back, where {percent(found)} of the error's variance would have been"
    )


def _untested(tests: Sequence[DependencyTest]) -> str:
    lacking = next((each.dependency.why_not for each in tests if each.dependency.why_not), "")
    return clauses(lacking, 90) or "it harms only where what is to be learned lies further back"


def _name(seen: TimeLook) -> str:
    return f"`{shortened(of_layer(seen).replace('`', ''), NAME)}`"


def _nothing_broke(facts: Facts) -> tuple[str, str]:
    bad = facts.nonfinite_steps
    if kept := len(facts.kept_out.intersection(bad)):
        return (
            f"Yes, at {count(kept, 'step')}",
            ", but the guard took no update from such a step: the weights are whole.",
        )
    if passed := len(facts.survived.intersection(bad) - facts.scaled_away):
        return f"Yes, at {count(passed, 'step')}", ", but the losses after it are finite again: no weight was spoilt."
    if bad:
        overflows = count(len(bad), "overflow")
        return f"Only {overflows}", " that the loss scaler meets by skipping the step; harmless."
    losses, norms = len(known(step.loss for step in facts.steps)), len(known(facts.norms))
    seen = f"{count(losses, 'loss', 'losses')} and {count(norms, 'norm')} of {count(facts.record.length, 'step')}"
    return "No", f": {seen}, all finite."


def _threshold(facts: Facts, findings: Sequence[Finding]) -> tuple[str, str]:
    advice, guarded = facts.suggested_threshold, facts.record.guarded
    if advice is None:
        return "None can be told", ": no finite norm was measured."
    if len(facts.norms) < FEWEST_NORMS:
        return "None can be told yet", f": {count(len(facts.norms), 'norm')} tell nothing of what is ordinary."
    if len(facts.sites) > 1:
        most = f"its largest 1 %, or what exceeds {FAR:g} times its median"
        return _by_site(facts), f", each for its own line that calls backward: {most}."
    clipping = facts.clipping
    limit, rate = clipping.threshold, clipping.rate
    if guarded is not None and guarded.threshold is not None:
        return f"The guard's own, {figure(guarded.threshold)}", ": it follows the run's norms as they go."
    if facts.blow_up is not None and facts.blow_up.from_start:
        return "None yet", f": the norm grew from the first steps on, lower the rate first; {_yours(facts)}."
    if (usual := _before_the_explosion(facts, findings)) is not None:
        return figure(2 * usual, 2), f", twice the norm before it blew up; {_yours(facts)}."
    if (usual := facts.usual_beside_spikes()) is not None:
        return figure(2 * usual, 2), f", twice the norm that is usual beside the spikes; {_yours(facts)}."
    if any(finding.code in ("GR102", "GR202") for finding in findings):
        why = "the norms of an exploding gradient tell of none, mend its cause first"
        return "None yet", f": {why}; {_yours(facts)}."
    largest, short = quantile(facts.norms, 1.0), figure(advice, 2)
    ordinary = f"median {figure(facts.norm_median)}, largest {figure(largest)}"
    if facts.idle_clip is not None and limit is None:
        return (
            f"{short}, between backward() and step()",
            f": yours, {figure(facts.idle_clip.threshold)}, {_IDLE[facts.idle_clip.place]}, and limits nothing "
            f"({ordinary}).",
        )
    if limit is None or rate is None:
        return short, f" would act on {_acts(facts, advice)} of ordinary steps alone ({ordinary}); {_yours(facts)}."
    if clipping.scaled:
        return (
            f"{short}, after `scaler.unscale_(optimizer)`",
            f": yours, {figure(limit)}, is held against norms that the loss scale still multiplies ({ordinary}).",
        )
    acts = run_text.of_rate(clipping)
    if rate == 0 and limit <= NEAR * (largest or limit):
        return f"Keep {figure(limit)}", f": it is there for the exception, and no step has exceeded it ({ordinary})."
    if 0 < rate <= KEEP or short == figure(limit, 2):
        return f"Keep {figure(limit)}", f": it acts on {acts} of steps, the exceptions ({ordinary})."
    wider = f"not {figure(limit)}, which acts on {acts} of steps ({ordinary})"
    return short, f", {wider}: it acts on {_acts(facts, advice)}."


def _acts(facts: Facts, advice: float) -> str:
    """Which part of the ordinary steps the advised threshold would act on."""
    rare = norm_quantile(facts.steps, 1 - EXCEPTION, facts.out_of_line) or 0.0
    share = EXCEPTION if advice >= rare else share_above(facts.steps, advice, facts.out_of_line)
    return f"the largest {percent(share)}"


def _yours(facts: Facts) -> str:
    """How the script clips by itself."""
    clipping = facts.clipping
    if clipping.idle:
        return "your clipping call limits nothing where it stands"
    if clipping.threshold is None:
        return _by_value(facts)
    acts = "" if clipping.rate is None else f" and acts on {run_text.of_rate(clipping)} of steps"
    return f"yours is {figure(clipping.threshold)}{acts}"


def _by_value(facts: Facts) -> str:
    """What clips by another measure than the norm."""
    found = next((each for updates in facts.updates.values() if (each := updates.clipped_values)), None)
    if found is None:
        return "nothing clips by norm now"
    leaves = f"which leaves {percent(found.left / found.norm)} of the norm" if found.cut else "which cuts none"
    return f"yours clips each element at ±{figure(found.threshold)}, {leaves}"


def _before_the_explosion(facts: Facts, findings: Sequence[Finding]) -> float | None:
    """The ordinary norm of a run that blew up, which its later norms hide."""
    if facts.blow_up is not None:
        return facts.blow_up.before
    usual = [finding.evidence.get("usual_norm") for finding in findings if finding.code == "GR304"]
    return next((norm for norm in usual if isinstance(norm, float)), None)


def _by_site(facts: Facts) -> str:
    advice = [(site, facts.suggested_threshold_at(site)) for _, site in sorted(facts.all_sites.items())]
    told = [f"{figure(norm, 2)} at {shortened(local(site.name), NAME)}" for site, norm in advice if norm is not None]
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
