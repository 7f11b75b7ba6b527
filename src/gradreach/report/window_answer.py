"""How long the window of truncated backpropagation should be, in a breath."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from gradreach.facts.dependency import DependencyTest, back, not_enough, strongest, window_over
from gradreach.facts.facts import Facts
from gradreach.facts.wording import clauses, count, percent
from gradreach.record.schema import Finding


def window(facts: Facts, findings: Sequence[Finding]) -> tuple[str, str] | None:
    """The answer in short, and the rest of the sentence; None where no state is carried from chunk to chunk, or data do
    not go on there as it does (GR105)."""
    if any(finding.code == "GR105" for finding in findings):
        return None
    followed = [each for each in facts.dependency_tests if each.reach.layers and each.dependency.T > each.reach.T > 1]
    if followed:
        return _of_test(followed[-1])
    seams = [seam for _, each in facts.seen.chunk_seams for seam in each]
    if not seams or any(seam.state != "carried" or seam.rows_on < seam.rows for seam in seams):
        return None
    return "It cannot be told yet", f": beyond its chunks of {seams[-1].steps} steps the stream was not followed."


def _of_test(test: DependencyTest) -> tuple[str, str]:
    """What the test says of the lags past the chunk."""
    chunk = test.reach.T
    if lost := test.judged("cut off"):
        most = strongest(lost).lag
        held = f"{back([most])} ({percent(most.share)} of the error's variance)"
        return (
            f"{window_over(chunk, most.at)} steps",
            f", yours has {chunk}: the error depends on the input {held}, and no gradient goes back there.",
        )
    past = [each for each in test.lags if each.lag.until >= chunk]
    cleared = list(takewhile(lambda each: each.verdict in ("nothing", "slight"), past))
    if cleared:
        detectable = max((each.lag.detectable for each in cleared if each.verdict == "nothing"), default=0.0)
        found = f", where {percent(detectable)} of the error's variance would have been" if detectable else ""
        return (
            f"{count(chunk, 'step')} will do",
            f": nothing worth learning was found up to {cleared[-1].lag.until} steps back{found}{_used(test)}.",
        )
    why = not_enough(test, past) or test.dependency.why_not
    why = clauses(why, 90) or "too few lags past the chunk could be asked"
    return "It cannot be told yet", f", whether {chunk} steps are enough: {why}{_used(test)}."


def _used(test: DependencyTest) -> str:
    """How much of the window the gradient makes use of, where that is the smaller part."""
    horizon = test.reach.horizon
    if horizon is None or 2 * horizon >= test.reach.T - 1:
        return ""
    return f"; the gradient gets {horizon} of its {test.reach.T - 1} steps back as it is"
