"""GR509: a checkpoint of which nothing was loaded."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.wording import count, local, shortened
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.loop import MissedLoad
from gradreach.remedies.advice.rename_state import RENAME_STATE
from gradreach.remedies.advice.strict_load import STRICT_LOAD
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

LONGEST = 48
"""Characters of a name."""


def judge(facts: Facts) -> RuleOutcome:
    """Each load that was missed, once for each line and module."""
    told = {(seen.line, seen.module): seen for seen in reversed(facts.record.missed_loads)}
    return RuleOutcome(tuple(_finding(facts, seen) for seen in reversed(told.values())))


def _finding(facts: Facts, seen: MissedLoad) -> Finding:
    named = f"`{shortened(seen.module, LONGEST)}`"
    because = (
        f"`load_state_dict(…, strict=False)` at {local(seen.line)} put {_share(seen)} into {named}, and said nothing: "
        f"{_why(seen, named)}. {named} kept the weights that it had, and what is trained from step {seen.step:,} on "
        f"does not start from that checkpoint.{_would_fit(seen)}"
    )
    evidence: Evidence = {
        "given": seen.given,
        "taken": seen.taken,
        "fits": seen.fits or None,
        "prefix": seen.prefix or None,
        "wanted": seen.wanted or None,
        "under": seen.under or None,
    }
    where: Where = {"module": seen.module, "site": seen.line}
    how = f"{seen.taken} of {count(seen.given, 'tensor')} loaded, {seen.taken} ≤ {seen.given} / 10"
    rename = [RENAME_STATE.remedy(seen.module, seen.under, seen.prefix, seen.wanted)] if seen.fits else []
    return RULE.finding(
        _severity(facts, seen), where, evidence, because, (*rename, STRICT_LOAD.remedy(seen.module)), how
    )


def _share(seen: MissedLoad) -> str:
    given = count(seen.given, "entry", "entries") if seen.under else count(seen.given, "tensor")
    return f"{seen.taken or 'none'} of {given}"


def _why(seen: MissedLoad, named: str) -> str:
    """What keeps the names from being the module's own."""
    nested = f"the tensors stand one level down, under `{seen.under}`" if seen.under else ""
    prefix, wanted = (f"`{shortened(each, LONGEST)}`" if each else "" for each in (seen.prefix, seen.wanted))
    if prefix and wanted:
        names = f"their names begin with {prefix} where those of {named} begin with {wanted}"
    elif prefix:
        names = f"their names begin with {prefix}, and those of {named} do not"
    elif wanted:
        names = f"their names lack the {wanted} with which those of {named} begin"
    else:
        names = ""
    if nested or names:
        return ", and ".join(each for each in (nested, names) if each)
    example, own = shortened(seen.example, LONGEST), shortened(seen.own, LONGEST)
    return f"their names are others, as `{example}` where {named} has `{own}`"


def _would_fit(seen: MissedLoad) -> str:
    if not seen.fits:
        return ""
    how = "From there" if seen.under and not (seen.prefix or seen.wanted) else "With the names changed"
    return f" {how}, {count(seen.fits, 'tensor')} would fit in name and shape."


def _severity(facts: Facts, seen: MissedLoad) -> Severity:
    """An error, unless the loss falls all the same, or need not."""
    root = facts.seen.root_of(seen.module)
    sites = [site for site in facts.sites if root in facts.seen.models_at(site.number)]
    return "warning" if any(site.need_not_fall or site.learning.course == "falls" for site in sites) else "error"


RULE = Rule(
    code="GR509",
    slug="missed-load",
    title="a checkpoint of which nothing was loaded",
    severities=("error", "warning"),
    family="loop",
    explain=Explanation(
        cause="load_state_dict matches tensors by their names. With strict=False it raises for none that does not fit, "
        "but returns their names, which hardly anybody reads. The state of a model in nn.DataParallel, of a compiled "
        "one, or of a larger one around it has a prefix in each name; a checkpoint that holds the optimizer as well "
        "has the state one level down. Then nothing is loaded, and the training starts from random weights.",
        mathematics=("w = θ[name(w)] where name(w) is in θ, else w stays",),
        thresholds="Of what load_state_dict was given, a tenth or less are names of the module, which bring a tenth or "
        "less of its own; the module, or a part of it, is trained by a later backward pass. Where any other load "
        "brought a tenth of its weights it is silent, as it is for a part such as an adapter, all of whose names fit, "
        "and for a state that another module took and that fits this one by no change of names.",
        remedies=(
            "The prefix taken away or put before, or the key of the state: free.",
            "strict=True, which is the default, and the new head loaded apart: free.",
        ),
        silence="Where the checkpoint is of another model and was only tried.",
        references=("Paszke et al. (2019): PyTorch: An imperative style, high-performance deep learning library",),
    ),
    judge=judge,
    headline=headline,
    urgency=-3,
    labels={"given": "tensors given", "taken": "tensors loaded", "fits": "would fit", "under": "under the key"},
    zoo=("gr509_parallel_checkpoint",),
)
