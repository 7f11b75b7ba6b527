"""What the data was asked, what came out and how sure that is, in sentences: the same in the terminal and in HTML."""

from __future__ import annotations

from gradreach.facts.dependency import DependencyTest, LagResult, LagVerdict, back, sequences, spans, strongest
from gradreach.facts.wording import count, figure, percent


def question(test: DependencyTest) -> str:
    """What was asked, and what the answer rests on."""
    found = test.dependency
    over = f" {back([each.lag for each in test.lags])}" if test.lags else " further back"
    return (
        f"Does the error at the output of {name(test)} still depend on the input{over}, given the nearer inputs and "
        f"the model's own state? Asked of {sequences(found)} with {count(found.positions, 'error')}, from "
        f"{count(found.looks, 'watched step')} up to step {found.step}."
    )


def answers(test: DependencyTest) -> tuple[str, ...]:
    """What came out, a sentence for each verdict that there is, the worst first."""
    if not test.lags:
        return (f"Not enough data yet: {test.dependency.why_not or 'no lag could be tested'}.",)
    return tuple(
        _rest(lags, verdict) if verdict in ("slight", "nothing", "undecided") else _depends(lags, test)
        for verdict in _ORDER
        if (lags := test.judged(verdict))
    )


def line(test: DependencyTest) -> str:
    """The answers in one paragraph that says of what they are."""
    rests = f", {sequences(test.dependency)} up to step {test.dependency.step:,}" if test.lags else ""
    return f"{name(test)}{rests}: {' '.join(answers(test))}"


def name(test: DependencyTest) -> str:
    """The module whose output carries the error, as code."""
    return f"`{test.dependency.module}`" if test.dependency.module else "the model"


_ORDER: tuple[LagVerdict, ...] = ("vanishing", "cut off", "reached", "not judged", "slight", "nothing", "undecided")


def _depends(lags: tuple[LagResult, ...], test: DependencyTest) -> str:
    most = strongest(lags)
    mostly = f"most at {spans([most.lag])}: " if len(lags) > 1 else ""
    return (
        f"The error still depends on the input {back([each.lag for each in lags])} ({mostly}share "
        f"{percent(most.lag.share, 2)} of its variance, q = {figure(most.lag.q)}); {_from_there(most, test.reach.T)}."
    )


def _from_there(most: LagResult, chunk: int) -> str:
    """How much of the gradient comes from a lag that the error depends on."""
    if most.verdict == "cut off":
        return f"that lies before the chunk of {chunk} steps, and no gradient comes from there"
    if most.reach is None:
        return "how much of the gradient comes from there is not known"
    if most.reach == 0:
        return "no gradient comes from there"
    so = "it vanishes" if most.verdict == "vanishing" else "it arrives"
    return f"the gradient that comes from there is {figure(most.reach)} of the near one: {so}"


def _rest(lags: tuple[LagResult, ...], verdict: LagVerdict) -> str:
    where = back([each.lag for each in lags])
    largest = percent(min(max(each.lag.detectable for each in lags), 1.0), 2)
    if verdict == "slight":
        return f"On the input {where} it depends too, but on too little to be worth learning."
    if verdict == "nothing":
        seen = f"a share of {largest} would have been found 95 times in 100"
        return f"On the input {where} it depends on nothing that could be seen: {seen}."
    return f"Of the input {where} there is not enough data yet: a share of {largest} could have been missed."
