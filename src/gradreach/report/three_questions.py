"""The three questions that people come with, each answered in a breath: vanishing, NaN, threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradreach.facts.course import first_break, kept_out, rate_to_horizon
from gradreach.facts.legacy_dependency import Asked, of_stack, spans, strongest, verdicts
from gradreach.facts.legacy_thresholds import DEFAULT, Thresholds
from gradreach.facts.statistics import known, quantile
from gradreach.facts.wording import count, figure, local, percent, shortened
from gradreach.record.kinds import of_layer
from gradreach.record.schema import Finding, Record, TimeLook
from gradreach.report.json_report import clip_rate, nonfinite_steps, norms_of, spikes, threshold, time_shown
from gradreach.report.why_broken import why_broken

KEEP = 0.1
"""Share of clipped steps up to which a threshold acts on the exception, and is left alone."""

NEAR = 5.0
"""Multiple of the largest norm up to which a threshold that never acted is still a net under the exception."""

NAME = 40
"""Characters of a module's name that an answer has room for; the finding below has all of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one question that people come with; `answer` begins with its `short` form."""

    question: str
    answer: str
    short: str = ""


def answers(record: Record, findings: Sequence[Finding], thresholds: Thresholds = DEFAULT) -> tuple[Answer, ...]:
    """Is my RNN vanishing? Why did I get NaN at step N? Which clip threshold? None where no step was seen."""
    if not record.steps:
        return ()
    first = first_break(record)
    if first is None:
        broken = _answer("Did anything turn NaN?", *_nothing_broke(record))
    else:
        usual = _before_the_explosion(findings)
        why = why_broken(record, first, None if usual is None else 2 * usual)
        broken = _answer(f"Why did I get NaN at step {first}?", *why)
    return (
        _answer("Is my RNN vanishing?", *_vanishing(record, findings, verdicts(record, thresholds))),
        broken,
        _answer("Which clip threshold?", *_threshold(record, findings)),
    )


def suggested_threshold(record: Record, findings: Sequence[Finding]) -> float | None:
    """The threshold that leaves all but 1 % of ordinary steps alone: the 99 % quantile of norms outside spikes."""
    left_out = {*spikes(findings), *nonfinite_steps(record)}
    return quantile(norms_of([step for step in record.steps if step.step not in left_out]), 0.99)


def _answer(question: str, short: str, rest: str) -> Answer:
    return Answer(question, short + rest, short)


def _vanishing(record: Record, findings: Sequence[Finding], asked: Sequence[Asked]) -> tuple[str, str]:
    codes = {finding.code for finding in findings}
    shown = [seen for _, seen in time_shown(record)]
    if not shown and "GR402" in codes:
        lags = _unreached(asked, "")
        return "Yes, with harm", f", though no recurrent layer ran: {lags or 'what the error depends on'} out of reach."
    if not shown:
        return "No recurrent layer", " ran on a watched step, so there is no gradient through time to vanish."
    shown = [seen for seen in shown if known(seen.reach)]
    if not shown:
        return "It cannot be told", ": no finite gradient through time was seen."
    seen = min(shown, key=lambda seen: seen.horizon / max(seen.T, 1))
    tests = [each for each in asked if of_stack(each.dependency.module, seen.module)]
    lost = [finding.severity for finding in findings if finding.code == "GR402"]
    if lost:
        far = _unreached(asked, seen.module)
        far = f"; the data has something to learn {far}" if far else ""
        if "error" in lost:
            return "Yes, with harm", f": {_reaches(seen)}{far}."
        return "Yes, so far", f": {_reaches(seen)}{far}. The loss still falls, so the reach may yet grow."
    if "GR102" in codes:
        return "No, it explodes", f": {_grows(seen)}."
    if "GR101" not in codes:
        cut = _unreached(tests, seen.module)
        past = f"; but the data has something to learn {cut}, past the chunk" if cut else ""
        return ("Not within its chunk" if cut else "No"), f": {_reaches(seen)}{past}."
    if any(f.code == "GR401" and of_stack(str(f.where.get("module")), seen.module) for f in findings):
        return "Short, but harmless", f": {_reaches(seen)}. The data was asked{_nothing_beyond(tests)}."
    return "Yes", f": {_reaches(seen)}. Whether that harms is open: {_untested(tests)}."


def _reaches(seen: TimeLook) -> str:
    """How far the gradient gets, and at which rate it falls on the way."""
    only = "" if seen.horizon >= seen.T - 1 else "only "
    text = f"1 % or more of the gradient of {_name(seen)} gets {only}{seen.horizon} of {seen.T - 1} steps back"
    near = rate_to_horizon(seen)
    return text if near is None else f"{text}, × {figure(near)} a step"


def _grows(seen: TimeLook) -> str:
    rate = f" × {figure(seen.factor)} a step back" if seen.factor is not None and seen.factor > 1 else ""
    return f"the gradient of {_name(seen)} grows{rate} over {seen.T - 1} steps"


def _unreached(tests: Sequence[Asked], module: str) -> str:
    """The lags that the data depends on and no gradient comes from, with what they hold."""
    lost = [(each, lags) for each in tests if (lags := each.judged("vanishing", "cut off"))]
    here = [pair for pair in lost if of_stack(pair[0].dependency.module, module)] or lost
    if not here:
        return ""
    most = strongest(here[0][1]).lag
    return f"{spans([most])} steps back ({percent(most.share)} of the error's variance)"


def _nothing_beyond(tests: Sequence[Asked]) -> str:
    """What a test that found nothing far back would have found."""
    free = [each for test in tests for each in test.beyond if each.verdict == "nothing"]
    if not free:
        return ", and nothing to learn was found further back"
    found = max((each.lag.detectable for each in free), default=0.0)
    span = spans(
        [each.lag for each in free][:1] if len(free) == 1 else [replace(free[0].lag, until=free[-1].lag.until)]
    )
    return f": nothing to learn was found {span} steps back, where {percent(found)} of its variance would have been"


def _untested(tests: Sequence[Asked]) -> str:
    lacking = next((each.dependency.why_not for each in tests if each.dependency.why_not), "")
    return shortened(lacking, 90) if lacking else "it does only where what is to be learned lies further back"


def _name(seen: TimeLook) -> str:
    return f"`{shortened(of_layer(seen).replace('`', ''), NAME)}`"


def _nothing_broke(record: Record) -> tuple[str, str]:
    bad = nonfinite_steps(record)
    if kept := len(kept_out(record).intersection(bad)):
        return (
            f"Yes, at {count(kept, 'step')}",
            ", but the guard took no update from such a step: the weights are whole.",
        )
    if bad:
        overflows = count(len(bad), "overflow")
        return f"Only {overflows}", " that the loss scaler meets by skipping the step; harmless."
    measured = len(known(norms_of(record.steps)))
    return "No", f": {count(measured, 'measured norm')} of {count(record.passes, 'step')}, all finite."


def _threshold(record: Record, findings: Sequence[Finding]) -> tuple[str, str]:
    advice = suggested_threshold(record, findings)
    if advice is None:
        return "None can be told", ": no finite norm was measured."
    if len({step.site for step in record.steps}) > 1:
        return _by_site(record, findings), ", each for its own line that calls backward: all but its largest 1 %."
    limit, rate = threshold(record.steps), clip_rate(record.steps)
    if record.guarded is not None and record.guarded.threshold is not None:
        ended = figure(record.guarded.threshold)
        return f"The guard's own, {ended}", ": it follows the run's norms as they go."
    if (usual := _before_the_explosion(findings)) is not None:
        return figure(2 * usual, 2), f", twice the norm before it blew up; {_yours(limit, rate)}."
    if any(finding.code in ("GR102", "GR202") for finding in findings):
        return (
            "None yet",
            f": the norms of an exploding gradient tell of none, mend its cause first; {_yours(limit, rate)}.",
        )
    norms = norms_of(record.steps)
    ordinary = f"median {figure(quantile(norms, 0.5))}, largest {figure(quantile(norms, 1.0))}"
    if limit is None or rate is None:
        short = figure(advice, 2)
        return short, f" would act on the largest 1 % of ordinary steps alone ({ordinary}); nothing clips by norm now."
    if rate == 0 and limit <= NEAR * (quantile(norms, 1.0) or limit):
        return f"Keep {figure(limit)}", f": it is there for the exception, and no step has exceeded it ({ordinary})."
    if 0 < rate <= KEEP:
        return f"Keep {figure(limit)}", f": it acts on {percent(rate)} of steps, the exceptions ({ordinary})."
    return figure(
        advice, 2
    ), f", not {figure(limit)}, which acts on {percent(rate)} of steps ({ordinary}): it acts on 1 %."


def _yours(limit: float | None, rate: float | None) -> str:
    if limit is None:
        return "nothing clips by norm now"
    return f"yours is {figure(limit)}" + ("" if rate is None else f" and acts on {percent(rate)} of steps")


def _before_the_explosion(findings: Sequence[Finding]) -> float | None:
    """The ordinary norm of a run that blew up, which its later norms hide."""
    usual = [finding.evidence.get("usual_norm") for finding in findings if finding.code == "GR304"]
    return next((norm for norm in usual if isinstance(norm, float)), None)


def _by_site(record: Record, findings: Sequence[Finding]) -> str:
    told = []
    for site, name in enumerate(record.sites):
        part = replace(record, steps=tuple(step for step in record.steps if step.site == site))
        advice = suggested_threshold(part, findings)
        if advice is not None:
            told.append(f"{figure(advice, 2)} at {shortened(local(name), NAME)}")
    return ", ".join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")
