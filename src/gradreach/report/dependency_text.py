"""What the data was asked, what came out and how sure that is, in sentences: the same in the terminal and in HTML."""

from __future__ import annotations

from gradreach.facts.legacy_dependency import Asked, LagVerdict, Verdict, sequences, spans, strongest
from gradreach.facts.statistics import percent, shown
from gradreach.facts.wording import count


def question(asked: Asked) -> str:
    """What was asked, and what the answer rests on."""
    found = asked.dependency
    over = f" {spans([each.lag for each in asked.lags])} steps back" if asked.lags else " further back"
    return (
        f"Does the error at the output of {name(asked)} still depend on the input{over}, given the nearer inputs and "
        f"the model's own state? Asked of {sequences(found)} with {count(found.positions, 'error')}, from "
        f"{count(found.looks, 'watched step')} up to step {found.step}."
    )


def answers(asked: Asked) -> tuple[str, ...]:
    """What came out, a sentence for each verdict that there is, the worst first."""
    if not asked.lags:
        return (f"Not enough data yet: {asked.dependency.why_not or 'no lag could be tested'}.",)
    return tuple(
        _rest(lags, verdict) if verdict in ("slight", "nothing", "undecided") else _depends(lags, asked)
        for verdict in _ORDER
        if (lags := asked.judged(verdict))
    )


def line(asked: Asked) -> str:
    """The answers in one paragraph that says of what they are."""
    rests = f", {sequences(asked.dependency)}" if asked.lags else ""
    return f"{name(asked)}{rests}: {' '.join(answers(asked))}"


def name(asked: Asked) -> str:
    """The module whose output carries the error, as code."""
    return f"`{asked.dependency.module}`" if asked.dependency.module else "the model"


_ORDER: tuple[Verdict, ...] = ("vanishing", "cut off", "reached", "not judged", "slight", "nothing", "undecided")


def _depends(lags: tuple[LagVerdict, ...], asked: Asked) -> str:
    most = strongest(lags)
    mostly = f"most at {spans([most.lag])}: " if len(lags) > 1 else ""
    return (
        f"The error still depends on the input {spans([each.lag for each in lags])} steps back ({mostly}share "
        f"{percent(most.lag.share, 2)} of its variance, q = {shown(most.lag.q)}); {_from_there(most, asked.reach.T)}."
    )


def _from_there(most: LagVerdict, chunk: int) -> str:
    """How much of the gradient comes from a lag that the error depends on."""
    if most.verdict == "cut off":
        return f"that lies before the chunk of {chunk} steps, and no gradient comes from there"
    if most.reach is None:
        return "how much of the gradient comes from there is not known"
    if most.reach == 0:
        return "no gradient comes from there"
    so = "it vanishes" if most.verdict == "vanishing" else "it arrives"
    return f"the gradient that comes from there is {shown(most.reach)} of the near one: {so}"


def _rest(lags: tuple[LagVerdict, ...], verdict: Verdict) -> str:
    where = spans([each.lag for each in lags])
    largest = percent(min(max(each.lag.detectable for each in lags), 1.0), 2)
    if verdict == "slight":
        return f"On the input {where} steps back it depends too, but on too little to be worth learning."
    if verdict == "nothing":
        seen = f"a share of {largest} would have been found 95 times in 100"
        return f"On the input {where} steps back it depends on nothing that could be seen: {seen}."
    return f"Of the input {where} steps back there is not enough data yet: a share of {largest} could have been missed."
