"""GR615: the advantage of a policy has a gradient into what predicts the return."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.leaky_factors import MOSTLY, LeakSeen
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.detach_baseline import DETACH_BASELINE
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

PULLS = 0.1
"""Part of the gradient of an output's own error from which another gradient there moves it off its targets: under it,
what it adds to a squared error is a hundredth."""


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose policy term trains what the advantages are taken off."""
    if not facts.seen.leaks:
        return RuleOutcome(
            why_not="no look saw an output that is held against targets and weighs log-probabilities too"
        )
    found = (each for each in facts.seen.leaks if each.is_advantage and each.times >= PULLS)
    return RuleOutcome(tuple(_finding(facts, each) for each in found))


def _finding(facts: Facts, leak: LeakSeen) -> Finding:
    seen, times = leak.last, leak.times
    output = f"the output of `{seen.module}`" if seen.module else "what is predicted of the return"
    policy = f" of `{seen.policy}`" if seen.policy else ""
    because = (
        f"The advantage that weighs the log-probabilities{policy} is not detached from {output}: the policy's term of "
        f"the loss trains that too, beside its own error. It pulls {figure(times)} times as hard at it as the error "
        "does, and not towards the targets but to where that term is least. What is predicted comes to lie off the "
        "return, and every advantage with it."
    )
    value, guess = _value(leak), _guess(leak)
    if value is not None:
        because += f" Its own error is at {figure(value)} by now"
        because += f", and a constant guess gets {figure(guess)}." if guess is not None else "."
    evidence: Evidence = {"times": times, "value": value, "constant_guess": guess, "looks": len(leak.looks)}
    how = f"‖gradient of the policy's term‖ ÷ that of its own error: {figure(times)} ≥ {figure(PULLS)}"
    module: Where = {"module": seen.module} if seen.module else {}
    remedies = (DETACH_BASELINE.remedy(seen.module),)
    where: Where = {**module, "site": facts.site_name(leak.site)}
    return RULE.finding("warning", where, evidence, because, remedies, how)


def _value(leak: LeakSeen) -> float | None:
    return None if leak.part is None else leak.part.last.value


def _guess(leak: LeakSeen) -> float | None:
    return leak.part.last.guess if leak.part is not None and leak.part.has_batches_alike else None


RULE = Rule(
    code="GR615",
    slug="leaky-advantage",
    title="an advantage with a gradient",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="The policy's term of an actor-critic loss is the log-probability of an action times its advantage: what "
        "was reached less what a critic, or a baseline, predicted. The advantage is to be a plain number there, which "
        "says how far to go. Where it still has its gradient, the term is made smaller by way of the prediction too, "
        "which then goes to where its error and that term balance, and no longer to the return.",
        mathematics=(
            "L = −log π(a)·(R − V) + c·(R − V)²:   ∂L/∂V = log π(a) − 2c·(R − V)",
            "at rest:   V = E[R] − E[log π(a)] / 2c,   off by the entropy of the policy / 2c",
        ),
        thresholds=f"In {MIN_LOOKS} looks or more, and {percent(MOSTLY)} of those at the line, an output is held "
        "against targets by a squared or absolute error and stands, with its gradient, in a difference that "
        "multiplies log-probabilities of other weights. Over the last half of these looks the gradient that comes "
        f"that way is, at the output, {figure(PULLS)} of that of the error or more, at the median. Factors that always "
        "lie between 0 and 1 are left alone, for such may weigh rows.",
        remedies=("The baseline of the advantage without its gradient: free.",),
        silence="Where what weighs the log-probabilities is meant to be learned from them.",
        references=(
            "Sutton, Barto (2018): Reinforcement learning, an introduction, sections 13.4 and 13.5",
            "Mnih and others (2016): Asynchronous methods for deep reinforcement learning",
        ),
    ),
    judge=judge,
    headline=headline,
    urgency=1,
    effects=("GR604", "GR611"),
    labels={
        "times": "policy's term ÷ own error",
        "value": "own error at last",
        "constant_guess": "a constant guess gets",
    },
    zoo=("gr615_bandit_baseline", "gr615_recurrent_critic"),
)
