"""GR707: the loss reads a recurrent layer after its first step alone."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.first_step import FirstStepRead, OneDirection, recurrent_weight
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import capital
from gradreach.record.schema import Finding, Severity
from gradreach.remedies.advice.both_ends import BOTH_ENDS
from gradreach.remedies.advice.last_state import LAST_STATE
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """The last module of those that are read so as a whole; else each module one direction of which is."""
    if sum(bool(look.time) for look in facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no recurrent layer was watched {MIN_LOOKS} times")
    found: list[Finding] = []
    for site in dict.fromkeys(each.looks[-1].site for each in facts.seen.first_step_reads):
        here = [each for each in facts.seen.first_step_reads if each.looks[-1].site == site]
        whole = [each for each in here if each.is_whole]
        found += [_whole(facts, whole)] if whole else [_in_part(facts, each) for each in here]
    return RuleOutcome(tuple(found))


def _whole(facts: Facts, modules: Sequence[FirstStepRead]) -> Finding:
    """A module of which nothing after the first step counts; those before it in a stack are so for its sake."""
    read, seen = modules[-1], modules[-1].seen
    what = "both directions of " if len(read.directions) > 1 else "the reverse direction of " * _is_reverse(read)
    because = (
        f"the loss reads {what}`{seen.module}` ({seen.kind}) after the first of {seen.T} steps alone: what it is given "
        f"at the other {seen.T - 1} never reaches the loss through it."
    )
    because += " Its recurrent weights, which have work from the second step on, get a gradient of 0." * _is_zero(read)
    if len(modules) > 1:
        because += f" So it is in {', '.join(f'`{each.seen.module}`' for each in modules[:-1])}, which ran before it."
    site = facts.site(read.looks[-1].site)
    rests = site.stalled or facts.is_constant_guess(site.number)
    severity: Severity = "error" if rests and not _is_read_later(facts, read) else "warning"
    where: Where = {"module": seen.module, "kind": seen.kind, "site": site.name}
    advice = BOTH_ENDS if len(read.directions) > 1 else LAST_STATE
    return RULE.finding(severity, where, _evidence(read), because, (advice.remedy(seen.module, seen.kind),), _how(read))


def _in_part(facts: Facts, read: FirstStepRead) -> Finding:
    """A module that is read so in one direction of its topmost layer."""
    seen = read.seen
    begins = "first" if seen.direction == "forward" else "last"
    because = (
        f"the loss reads the {seen.direction} direction of layer {seen.layer} of `{seen.module}` ({seen.kind}) after "
        f"one step alone: it begins at the {begins} of the {seen.T} steps, and is read there. Its states at the other "
        f"{seen.T - 1} are read by nothing."
    )
    where: Where = {
        "module": seen.module, "layer": seen.layer, "direction": seen.direction, "kind": seen.kind,
        "site": facts.site_name(read.looks[-1].site),
    }  # fmt: skip
    advice = BOTH_ENDS if read.is_double else LAST_STATE
    return RULE.finding("info", where, _evidence(read), because, (advice.remedy(seen.module, seen.kind),), _how(read))


def _is_reverse(read: FirstStepRead) -> bool:
    return read.directions == ("reverse",)


def _is_zero(read: FirstStepRead) -> bool:
    """Whether the recurrent weights got a gradient of exactly 0, as they do behind a state of zeros."""
    zero = {name for group in read.looks[-1].zero_gradient for name in group.parameters}
    return recurrent_weight(read.seen) in zero


def _is_read_later(facts: Facts, read: FirstStepRead) -> bool:
    """Whether the loss reads another recurrent layer later than at its first step."""
    others = (each for each in read.looks[-1].time if any(each.local_error) and each.T > 1)
    return any(OneDirection.of(each) not in facts.seen.read_first for each in others)


def _evidence(read: FirstStepRead) -> Evidence:
    return {"T": read.seen.T, "directions": ", ".join(read.directions), "looks": len(read.looks)}


def _how(read: FirstStepRead) -> str:
    T = read.seen.T
    return f"∂L/∂y_t = 0 for {T - 1} of {T} t, in {len(read.looks)} ≥ {MIN_LOOKS} looks"


def _headline(_: Facts, finding: Finding) -> str:
    return capital(finding.because.split(". ", 1)[0].removesuffix(".")) + "."


RULE = Rule(
    code="GR707",
    slug="first-step-read",
    title="only the first step is read",
    severities=("error", "warning", "info"),
    family="data",
    explain=Explanation(
        cause="The output of a recurrent layer has an entry for each step, and the loss takes that of the step which "
        "the layer begins with: output[:, 0], or output[0] with time first. That state has seen one step. The reverse "
        "direction begins at the end of the data, so that output[:, -1] holds its first state.",
        mathematics=(
            "h_1 = f(x_1, 0):   ∂L/∂x_t = 0 for t > 1,   ∂L/∂W_hh = Σ_t δ_t h_{t−1}ᵀ = 0",
            "reverse:   output[:, −1] = (h_T, f(x_T, 0)),   h_n = (h_T, f(x_1, f(x_2, …)))",
        ),
        thresholds="Errors reach the first step of the topmost layer, in the direction in which it runs, and no other "
        f"of two or more: exactly 0 elsewhere, in every look in which any comes, {MIN_LOOKS} at least. Where no layer "
        "and direction of the module is read later it is a warning, and an error where the loss also does not fall or "
        "stays at a constant guess, unless another recurrent layer is read later. One direction of two is information: "
        "the other has seen every step.",
        remedies=(
            "Read h_n, the state after the last step: free.",
            "Of two directions the last state of each, h_n[-2] and h_n[-1], or a mean over all steps: free.",
        ),
        silence="Where the first place alone is asked about, and the layer runs on for another purpose.",
        references=("Schuster, Paliwal (1997): Bidirectional recurrent neural networks",),
    ),
    judge=judge,
    headline=_headline,
    heading="If that direction should know of all steps",
    urgency=1,
    zoo=("gr707_first_step", "gr707_time_first"),
)
