"""GR311: a model is trained in evaluation mode, or its batch norms keep no statistics to be evaluated by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gradreach.facts.facts import Facts
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count, figure, shortened
from gradreach.record.schema import Finding, Remedy
from gradreach.record.seen.loop import Mode
from gradreach.remedies.advice.follow_batches import FOLLOW_BATCHES
from gradreach.remedies.advice.train_again import TRAIN_AGAIN
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

Seen = tuple[int, list[Mode]]
"""One look at one model: its step, and how the model's dropouts and batch norms stood."""


def judge(facts: Facts) -> RuleOutcome:
    """Each model with dropouts or batch norms, by what stands wrong with it to the end."""
    models: dict[str, list[Seen]] = {}
    for look in facts.record.looks:
        for model in dict.fromkeys(mode.model for mode in look.modes):
            models.setdefault(model, []).append((look.step, [mode for mode in look.modes if mode.model == model]))
    told = {model: looks for model, looks in models.items() if len(looks) >= MIN_LOOKS}
    if not told:
        return RuleOutcome(why_not=f"no model with a dropout or a batch norm was watched {MIN_LOOKS} times")
    found = (
        _left_evaluating(*each) or _normalises_nothing(facts, *each) or _follows_nothing(*each) for each in told.items()
    )
    return RuleOutcome(tuple(each for each in found if each is not None))


def _left_evaluating(model: str, looks: Sequence[Seen]) -> Finding | None:
    """A model that was in training mode at first, and all of which is in evaluation mode in its last looks."""
    trained = [at for at, (_, modes) in enumerate(looks) if any(mode.training for mode in modes)]
    after = looks[trained[-1] + 1 :] if trained else []
    if len(after) < MIN_LOOKS or not all(mode.evaluates for _, modes in after for mode in modes):
        return None
    last, first = looks[trained[-1]][0], after[0][0]
    norms = any(mode.norms for _, modes in after for mode in modes)
    drops = any(not mode.norms for _, modes in after for mode in modes)
    effects = ["its dropouts drop nothing"] * drops + ["its batch norms no longer go by the batch"] * norms
    because = (
        f"{_named(model)} is trained in evaluation mode from step {figure(first)} at the latest: at step "
        f"{figure(last)} it was still in training mode. eval(), as for a validation, holds until train() is called. So "
        f"{' and '.join(effects)}."
    )
    evidence: Evidence = {"first_step": first, "last_step": last, "looks": len(after)}
    how = f"model.training = False in the last {len(after)} looks of {len(looks)}"
    return RULE.finding("warning", {"module": model}, evidence, because, (TRAIN_AGAIN.remedy(model),), how)


def _normalises_nothing(facts: Facts, model: str, looks: Sequence[Seen]) -> Finding | None:
    """Batch norms that go by their statistics from the start to the end, which are those that they began with."""
    idle = [[mode for mode in modes if mode.norms and not mode.training and mode.blank] for _, modes in looks]
    if not all(idle):
        return None
    norms = sum(mode.modules for mode in idle[-1])
    because = (
        f"{count(norms, 'batch norm')} of {_named(model)} normalise nothing: the model is trained in evaluation mode, "
        "in which a batch norm goes by the statistics that it has kept, and these are the 0 and 1 that it began with."
    )
    rests = any(site.rest is not None or site.gains_nothing for site in facts.sites)
    remedy = TRAIN_AGAIN.remedy(model)
    found = _of_norms(model, because, norms, len(looks), remedy, "running mean 0, variance 1, in eval()")
    return replace(found, severity="error" if rests else "warning")


def _follows_nothing(model: str, looks: Sequence[Seen]) -> Finding | None:
    """Batch norms in training mode whose statistics stay those that they began with, for their momentum is 0."""
    idle = [
        [mode for mode in modes if mode.norms and mode.training and mode.blank and mode.momentum == 0.0]
        for _, modes in looks
    ]
    if not all(idle):
        return None
    norms = sum(mode.modules for mode in idle[-1])
    because = (
        f"the statistics of {count(norms, 'batch norm')} of {_named(model)} stay the 0 and 1 that they began with: "
        "momentum 0 lets no batch change them. In training each batch is normalised by itself, but eval() goes by the "
        "statistics, so that the model is evaluated as another one than was trained."
    )
    return _of_norms(model, because, norms, len(looks), FOLLOW_BATCHES.remedy(model), "μ ← (1 − 0) μ + 0 · mean(x)")


def _of_norms(model: str, because: str, norms: int, looks: int, remedy: Remedy, relation: str) -> Finding:
    evidence: Evidence = {"norms": norms, "looks": looks}
    how = f"{relation}: for {count(norms, 'batch norm')}, in {looks} of {looks} looks"
    return RULE.finding("warning", {"module": model}, evidence, because, (remedy,), how)


def _named(model: str) -> str:
    return f"`{shortened(model, 40)}`"


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(": ", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR311",
    slug="wrong-mode",
    title="dropouts or batch norms in the wrong mode",
    severities=("error", "warning"),
    family="step",
    explain=Explanation(
        cause="Dropouts and batch norms do one thing in training mode and another in evaluation mode. eval() holds "
        "until train() is called, and a validation in the middle of a training often forgets that. In evaluation mode "
        "a batch norm goes by statistics that it gathers in training mode, a share `momentum` of each new batch.",
        mathematics=(
            "train: y = (x − mean(x)) / √(var(x) + ε),   μ ← (1 − m) μ + m · mean(x)",
            "eval:  y = (x − μ) / √(σ² + ε), with μ = 0 and σ² = 1 until a batch came in training mode",
        ),
        thresholds="A model was in training mode at some look, and all of it is in evaluation mode in every look from "
        f"then on, {MIN_LOOKS} at least. Or in every look, {MIN_LOOKS} at least, batch norms hold a mean of 0 and a "
        "variance of 1, and are in evaluation mode (an error where the loss no longer falls) or have momentum 0. Batch "
        "norms that are put into evaluation mode by themselves, while the model is in training mode, with statistics "
        "of their own, do not count.",
        remedies=(
            "model.train() after each validation: free.",
            "momentum above 0, 0.1 as torch has it: free. Other libraries count the share that is kept, 0.9.",
        ),
        silence="Where dropout is to end at some step, or the model is never evaluated.",
        references=("Ioffe, Szegedy (2015): Batch normalization, section 3.1",),
    ),
    judge=judge,
    headline=_headline,
    urgency=-2,
    labels={"first_step": "in evaluation mode from", "last_step": "in training mode until", "norms": "batch norms"},
    zoo=("gr311_eval_for_good", "gr311_momentum_zero"),
)
