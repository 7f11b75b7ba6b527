"""GR705: the state that the loss reads has run over the padding at the end of the sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import median
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.look import Look
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.data import Padding
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.advice.last_real_step import LAST_REAL_STEP
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

NOTABLE = 0.1
MUCH = 0.25
"""Share of all steps that are padding from which it is worth a word, and from which it may hold the training up."""


def judge(facts: Facts) -> RuleOutcome:
    """Each recurrence whose data end in padding, and whose last state alone the loss reads."""
    followed = [look for look in facts.seen.looks if look.time]
    if len(followed) < MIN_LOOKS:
        return RuleOutcome(why_not=f"no recurrent layer was watched {MIN_LOOKS} times")
    modules: dict[tuple[int, str], list[tuple[Padding, TimeLook]]] = {}
    for look in followed:
        for key, seen in _read_after(look).items():
            modules.setdefault((look.site, key), []).append(seen)
    of = {key: sum(_has(look, *key) for look in followed) for key in modules}
    found = (_finding(facts, key, seen) for key, seen in modules.items() if len(seen) >= max(MIN_LOOKS, of[key]))
    return RuleOutcome(tuple(each for each in found if each is not None))


def _has(look: Look, site: int, module: str) -> bool:
    return look.site == site and any(seen.module == module for seen in look.time)


def _read_after(look: Look) -> Mapping[str, tuple[Padding, TimeLook]]:
    """The modules whose data end in padding and whose error enters at the last step alone, in the top layer."""
    found: dict[str, tuple[Padding, TimeLook]] = {}
    for padding in look.padding:
        layers = [each for each in look.time if each.module == padding.module and each.direction == "forward"]
        top = max(layers, key=lambda each: each.layer, default=None)
        if padding.at_end and top is not None and _enters_at_the_end(top):
            found[padding.module] = padding, top
    return found


def _enters_at_the_end(seen: TimeLook) -> bool:
    errors = seen.local_error
    return len(errors) > 1 and errors[-1] > 0.0 and not any(errors[:-1])


def _finding(facts: Facts, key: tuple[int, str], seen: Sequence[tuple[Padding, TimeLook]]) -> Finding | None:
    site, (padding, layer) = facts.site(key[0]), seen[-1]
    share = median([each.share for each, _ in seen])
    pads = median([each.median for each, _ in seen])
    horizon = median([float(each.horizon) for _, each in seen])
    if share < NOTABLE:
        return None
    beyond = horizon < pads
    because = (
        f"the state of `{padding.module}` that the loss reads has run over padding: the loss reads the last of "
        f"{padding.T} steps, and {percent(share)} of all steps are one value that stands at the end of "
        f"{percent(padding.rows)} of the rows, {figure(pads)} steps long in the median"
    )
    because += f". The gradient reaches only {figure(horizon)} steps back, not past it." if beyond else "."
    evidence: Evidence = {
        "padded": share, "padded_rows": padding.rows, "padding": pads, "horizon": int(horizon), "T": padding.T,
        "looks": len(seen),
    }  # fmt: skip
    where: Where = {"module": padding.module, "kind": layer.kind, "site": site.name}
    how = f"Σ padded steps / Σ steps = {percent(share)} ≥ {percent(NOTABLE)}; e_t = 0 for t < {padding.T - 1}"
    severity: Severity = "warning" if beyond or (site.gains_nothing and share >= MUCH) else "info"
    severity = "error" if beyond and site.gains_nothing else severity
    return RULE.finding(severity, where, evidence, because, (LAST_REAL_STEP.remedy(padding.module),), how)


def _headline(_: Facts, finding: Finding) -> str:
    share = finding.evidence["padded"]
    assert isinstance(share, float)
    return (
        f"The loss reads the last step after padding: {percent(share)} of the steps that `{finding.where['module']}` "
        "goes through are filling at the end of the rows."
    )


RULE = Rule(
    code="GR705",
    slug="read-after-padding",
    title="last step read after padding",
    severities=("error", "warning", "info"),
    family="data",
    explain=Explanation(
        cause="Sequences of unlike length are filled up at their end to one length, and the loss reads the state at "
        "the last step, which has run over the filling. What the sequence held must outlast it, and so must the "
        "gradient.",
        mathematics=("h_T = f(pad, f(pad, … h_n)) for a row of n < T steps", "δ_{T→n} ∝ r(T − n)"),
        thresholds=f"One value ends rows of the batch, a number of steps that differs from row to row, and stands "
        f"nowhere else in them; it makes {percent(NOTABLE)} of all steps or more; and an error enters at the last step "
        "alone, look after look. A warning where the gradient does not reach past the median padding, or where the "
        f"loss does not fall or rests and {percent(MUCH)} of the steps are padding; an error where both are so; else "
        "information. Padding at the "
        "start does no harm, for the last step is data.",
        remedies=(
            "Read each row at its own last step: one indexing.",
            "pack_padded_sequence: saves the steps over the padding; it needs the lengths on the host.",
            "Padding at the start: free; the state begins with a run over it.",
        ),
        silence="Where the constant steps at the end are data.",
        references=("Sutskever and others (2014): Sequence to sequence learning with neural networks",),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    labels={"padded": "share of padded steps", "padded_rows": "share of padded rows", "padding": "padding of a row"},
    units={"padding": "steps"},
    zoo=("gr705_read_after_padding",),
)
