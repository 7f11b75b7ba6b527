"""GR310: the updates have died away while there is still a gradient: a schedule has taken the learning rate to 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_positive
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure
from gradreach.record.schema import Finding
from gradreach.remedies.advice.factor_above_zero import FACTOR_ABOVE_ZERO
from gradreach.remedies.advice.slower_schedule import SLOWER_SCHEDULE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

GONE = 1e-4
"""Part of the first updates, for the same gradient, under which there is no learning rate left to speak of."""

EARLY = 0.5
"""Part of the run by which it must have come to that: a schedule may well end at 0."""

FADED = 3e-3
"""Part of the first updates to which no usual schedule takes them before its last quarter."""

KEPT = 0.1
"""Part of the first learning rate from which the last one is none that has gone."""

WHOLE = 0.9
"""Part of the largest rate so far that a look still had, where the next one has none: no decline does that."""

LATE = 0.75
"""Part of the run by which they must have come to that."""


@dataclass(frozen=True, slots=True)
class Stride:
    """‖Δw‖ of one look, that over the norm of its gradient, and the learning rate where torch tells it."""

    step: int
    size: float
    per_gradient: float
    rate: float | None


def judge(facts: Facts) -> RuleOutcome:
    """Each line after whose passes the weights hardly move any more, for a gradient that is still there."""
    told = {site: each for site in facts.sites if len(each := _strides(facts, site)) >= 2 * MIN_LOOKS}
    if not told:
        return RuleOutcome(why_not=f"no line whose updates were seen at {2 * MIN_LOOKS} looks")
    found = (_finding(facts, site, each) for site, each in told.items())
    return RuleOutcome(tuple(each for each in found if each is not None))


def _strides(facts: Facts, site: Site) -> list[Stride]:
    """Of each look at a line; where the next one found all weights as they were, the update was 0."""
    norms = {step.step: step.unclipped for step in site.sound_steps}
    looks = [look for look in facts.seen.looks if look.site == site.number]
    found = []
    for look, after in zip_longest(looks, looks[1:]):
        size = 0.0 if look.update is None and after is not None and not after.moved else look.update
        norm = norms.get(look.step)
        if size is not None and is_positive(norm):
            rate = look.stepped.rate if look.stepped is not None and look.stepped.steps else None
            found.append(Stride(look.step, size, size / norm, rate))
    return found


def _finding(facts: Facts, site: Site, strides: Sequence[Stride]) -> Finding | None:
    first, size = strides[0].per_gradient, strides[0].size
    if not is_positive(size) or _keeps_its_rate(strides):
        return None
    gone = _from(strides, lambda stride: stride.per_gradient <= GONE * first and stride.size <= GONE * size)
    if gone is None or gone.step > EARLY * facts.record.length:
        return _faded(facts, site, strides)
    last, whole, remedy = strides[-1], _last_whole(strides, gone), SLOWER_SCHEDULE.remedy()
    moved = (
        f"step {last.step:,} moved the weights by {figure(last.size)}, step {strides[0].step:,} by {figure(size)}, "
        "while there is still a gradient"
    )
    if whole is None:
        because = (
            f"From step {gone.step:,} on the updates are gone: {moved}. The learning rate has been taken to 0, as by a "
            "schedule that counts batches where it was meant to count epochs: what was learned by then is all."
        )
    else:
        remedy = FACTOR_ABOVE_ZERO.remedy()
        because = (
            f"The learning rate, {figure(whole.rate)} still at step {whole.step:,}, is exactly 0 from step "
            f"{gone.step:,} on at the latest: a schedule has multiplied it by 0, as with gamma=0, or with a function "
            f"that gives 0. What was learned by then is all: {moved}."
        )
    evidence: Evidence = {
        "update_first": size, "update_last": last.size, "from_step": gone.step, "steps": facts.record.length,
    }  # fmt: skip
    where: Where = {"site": site.name}
    how = f"‖Δw‖: {figure(last.size)} ≤ {figure(GONE)} · {figure(size)}"
    return RULE.finding("warning", where, evidence, because, (remedy,), how)


def _keeps_its_rate(strides: Sequence[Stride]) -> bool:
    """Whether the learning rate is at last what it was, up to a factor: then something else holds the weights, as a
    bound that they are clamped to."""
    first, last = strides[0].rate, strides[-1].rate
    return first is not None and last is not None and last >= KEPT * first


def _last_whole(strides: Sequence[Stride], gone: Stride) -> Stride | None:
    """The look before the rate was taken to exactly 0, if it had hardly fallen by then."""
    before = strides[: strides.index(gone)]
    most = max((stride.rate or 0.0 for stride in before), default=0.0)
    return before[-1] if gone.rate == 0.0 and most > 0.0 and (before[-1].rate or 0.0) >= WHOLE * most else None


def _faded(facts: Facts, site: Site, strides: Sequence[Stride]) -> Finding | None:
    """Updates that are not gone, but far smaller long before the end than a usual schedule makes them."""
    first, last = strides[0], strides[-1]
    since = _from(strides, lambda s: s.per_gradient <= FADED * first.per_gradient and s.size <= FADED * first.size)
    if since is None or since.step > LATE * facts.record.length:
        return None
    because = (
        f"From step {since.step:,} on the updates are small for what the gradient is: step {last.step:,} moved the "
        f"weights by {figure(last.size)}, step {first.step:,} by {figure(first.size)}. The learning rate has fallen "
        "long before the end, as by a schedule that counts batches in place of epochs, or by ReduceLROnPlateau that "
        "waits for an accuracy to fall, without mode='max'."
    )
    evidence: Evidence = {
        "update_first": first.size, "update_last": last.size, "from_step": since.step, "steps": facts.record.length,
    }  # fmt: skip
    how = f"‖Δw‖: {figure(last.size)} ≤ {figure(FADED)} · {figure(first.size)}"
    return RULE.finding("info", {"site": site.name}, evidence, because, (SLOWER_SCHEDULE.remedy(),), how)


def _from(strides: Sequence[Stride], is_gone: Callable[[Stride], bool]) -> Stride | None:
    """The first look from which on all are gone; None without MIN_LOOKS of them."""
    tail = 0
    for stride in reversed(strides):
        if not is_gone(stride):
            break
        tail += 1
    return strides[-tail] if tail >= MIN_LOOKS else None


def _headline(_: Facts, finding: Finding) -> str:
    return f"{finding.because.split('. ', 1)[0]}."


RULE = Rule(
    code="GR310",
    slug="updates-died-away",
    title="updates that died away",
    severities=("warning", "info"),
    family="step",
    explain=Explanation(
        cause="A schedule multiplies the learning rate at each of its steps. Stepped for every batch instead of every "
        "epoch, a tenth every ten epochs becomes a tenth every ten batches, and after a few dozen there is none left. "
        "One with gamma=0 ends the training at its first step. One that waits for a plateau takes an accuracy that "
        "rises for one, unless it is told mode='max'.",
        mathematics=("η_k = η_0 γ^(k / size):   0.1 every 10 batches leaves 1e-10 η_0 after 100",),
        thresholds=f"From a look in the first {EARLY:g} of the run on, ‖Δw‖ and ‖Δw‖ / ‖g‖ are both at most "
        f"{GONE:g} of what they were at the first look, in {MIN_LOOKS} looks at least and to the last. Where they come "
        f"to {FADED:g} before the last quarter, it is information. Where torch tells a "
        f"learning rate that is still {KEPT:g} of the first or more, something else holds the weights, and nothing is "
        "said. Where torch tells a rate that is exactly 0 and was "
        f"{WHOLE:g} of the largest or more at the look before, a factor of 0 is named.",
        remedies=(
            "Step the schedule once an epoch, or give it the number of batches: free.",
            "A factor above 0 for each step of the schedule: free.",
        ),
        silence="Where the training was to end there.",
        references=("Loshchilov and Hutter (2017): SGDR: stochastic gradient descent with warm restarts",),
    ),
    judge=judge,
    headline=_headline,
    urgency=2,
    labels={"update_first": "‖Δw‖ at first", "update_last": "‖Δw‖ at last"},
    zoo=("gr310_schedule_each_batch", "gr310_factor_of_zero"),
)
