"""GR501: the script ended with one of autograd's well-known errors, in plain words."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from gradreach.facts.facts import Facts
from gradreach.facts.wording import shortened
from gradreach.record.kinds import numbered
from gradreach.record.schema import Finding, Remedy
from gradreach.remedies.advice.carry_and_detach import CARRY_AND_DETACH
from gradreach.remedies.advice.connect_loss import CONNECT_LOSS
from gradreach.remedies.advice.forward_anew import FORWARD_ANEW
from gradreach.remedies.advice.one_backward import ONE_BACKWARD
from gradreach.remedies.advice.out_of_place import OUT_OF_PLACE
from gradreach.remedies.advice.scalar_loss import SCALAR_LOSS
from gradreach.remedies.advice.train_mode import TRAIN_MODE
from gradreach.rules.references import WILLIAMS
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


@dataclass(frozen=True, slots=True)
class _Known:
    """One error: how its message reads, what it means, and what to do."""

    pattern: str
    means: Callable[[Facts], str]
    remedies: Callable[[Facts], tuple[Remedy, ...]]


def judge(facts: Facts) -> RuleOutcome:
    """The error that ended the script, where it is one of these."""
    outcome = facts.record.outcome
    if outcome.how != "raised":
        return RuleOutcome()
    return RuleOutcome(
        tuple(_finding(facts, known) for known in _KNOWN if re.search(known.pattern, outcome.error, re.IGNORECASE))[:1]
    )


def _finding(facts: Facts, known: _Known) -> Finding:
    error = facts.record.outcome.error.strip().splitlines()[0]
    kind, _, message = error.partition(": ")
    because = f"{known.means(facts)}."
    evidence: Evidence = {"error": kind, "message": message[:160], "passes": facts.record.passes}
    site = next((site.name for site in facts.all_sites.values()), "")
    where: Where = {"site": site} if site else {}
    how = f"raised in backward pass {max(facts.record.passes, 1)}"
    return RULE.finding("error", where, evidence, because, known.remedies(facts), how)


def _headline(_: Facts, finding: Finding) -> str:
    return "The script stopped in backward(). " + finding.because.split(". ", 1)[0].rstrip(".") + "."


def _used_twice(facts: Facts) -> str:
    text = "This backward pass ran into the graph of an earlier one, which is gone: "
    if _two_lines(facts):
        return text + (
            "two lines call backward, and their losses share a part of their graph. Add the losses up and call "
            "backward once, or compute the shared part anew for the second"
        )
    if _recurs(facts):
        return text + (
            "with a recurrent layer that is mostly a state carried from batch to batch without detach(). Detach it "
            "before "
            "the next forward pass; retain_graph=True would only hide it, for every step would then go back through "
            "all batches before"
        )
    return text + (
        "something that was computed before the loop, or in the step before, is used again. Compute it anew in each "
        "step, or detach it"
    )


def _changed_in_place(facts: Facts) -> str:
    text = "A value that this backward pass needs was changed in place after the forward pass had stored it: "
    good = facts.record.passes - 1
    if good < 1:
        return text + (
            "not even the first pass went through, so an operation such as x += …, x[i] = … or relu_() did it. Use the "
            "one that makes a new tensor"
        )
    went = "after one good pass" if good == 1 else f"after {good:,} good passes"
    if _recurs(facts):
        return text + (
            f"{went} in a model with a recurrent layer that is mostly the optimizer's step, which changed weights "
            "that the "
            "graph of an earlier batch still needs. A state carried from batch to batch without detach() keeps that "
            "graph: detach it, and leave retain_graph out"
        )
    return text + (
        f"{went} that is mostly an optimizer's step, which changed weights between the forward and the backward pass "
        "of another loss. Compute that loss anew after the step; or, where both train the same weights, call backward "
        "once, on their sum"
    )


def _two_lines(facts: Facts) -> bool:
    """Whether more than one line calls backward."""
    return len(facts.record.sites) > 1


def _recurs(facts: Facts) -> bool:
    """Whether a recurrent layer is there, which may hand a state on."""
    kinds = facts.record.models.values()
    return any(look.time for look in facts.record.looks) or any(numbered(kind) for kind in kinds)


def _without_graph(facts: Facts) -> str:
    cut = facts.record.cut_pass
    if cut is not None:
        inside = f"what {cut.root} calls (`{shortened(cut.modules[0], 40)}` first)" if cut.modules else cut.root
        return (
            f"The loss has no path back to the weights, for {inside} ran where gradients are switched off: under "
            "torch.no_grad or torch.inference_mode, around its call or as a decorator of a forward method. Take that "
            "away for training; requires_grad_() of the loss would silence the error and train nothing"
        )
    return (
        "The loss depends on no trainable parameter: no path leads from it back to the weights. It was cut by "
        "detach(), "
        ".data, .item(), a new tensor(…) of the output, argmax or torch.no_grad, or every parameter is frozen"
    )


def _no_scalar(_: Facts) -> str:
    return "The loss holds more than one number, and backward() needs to know how they add up: take the mean or the sum"


def _in_eval_mode(_: Facts) -> str:
    return "A recurrent layer ran in eval mode, where cuDNN keeps nothing for a backward pass: call train() on it"


def _after_a_second_pass(facts: Facts) -> tuple[Remedy, ...]:
    return (ONE_BACKWARD.remedy(),) if _two_lines(facts) or not _recurs(facts) else (CARRY_AND_DETACH.remedy(),)


def _after_a_change(facts: Facts) -> tuple[Remedy, ...]:
    if facts.record.passes < 2:
        return (OUT_OF_PLACE.remedy(),)
    return (CARRY_AND_DETACH.remedy(),) if _recurs(facts) else (FORWARD_ANEW.remedy(), ONE_BACKWARD.remedy())


_KNOWN = (
    _Known("backward through the graph a second time", _used_twice, _after_a_second_pass),
    _Known("modified by an inplace operation", _changed_in_place, _after_a_change),
    _Known("does not require grad and does not have a grad_fn", _without_graph, lambda _: (CONNECT_LOSS.remedy(),)),
    _Known("grad can be implicitly created only for scalar", _no_scalar, lambda _: (SCALAR_LOSS.remedy(),)),
    _Known("cudnn RNN backward can only be called in training mode", _in_eval_mode, lambda _: (TRAIN_MODE.remedy(),)),
)

RULE = Rule(
    code="GR501",
    slug="backward-raised",
    title="backward raised an error",
    severities=("error",),
    family="loop",
    explain=Explanation(
        cause="autograd names what went wrong in its own terms: saved tensors, versions, leaves. What is meant is "
        "mostly "
        "one of a few mistakes in the training loop: a state that is carried on with its history, two losses over one "
        "graph, an update between a forward and its backward pass, a loss that no path joins to the weights.",
        mathematics=("state = state.detach() between chunks: ∂h_0/∂(the chunk before) = 0, by decision",),
        thresholds="The script ended with an error of which the meaning is certain: a graph gone through twice, a "
        "value "
        "changed in place, a loss without a graph, a loss that is no scalar, cuDNN in eval mode. What else is known "
        "of the "
        "run (recurrent layers, the lines that call backward, whether earlier passes went well) picks among the ways "
        "that lead there.",
        remedies=(
            "Detach a carried state between batches: bounds what a step costs.",
            "Add losses up and call backward once: free.",
            "Operations that make a new tensor in place of +=, x[i] = …: memory for one more.",
        ),
        silence="It never speaks of a script that ends well.",
        references=(WILLIAMS,),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    zoo=(),
)
