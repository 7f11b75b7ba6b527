"""GR711: a view mixes the rows of the batch, so that the output of one sample is made of others."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.schema import Finding, Severity
from gradreach.record.seen.data import MixedByView
from gradreach.remedies.advice.batch_axis_first import BATCH_AXIS_FIRST
from gradreach.rules.harm import guesses, harm, slow
from gradreach.rules.losses import headline, shape
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each view that mixed rows, look after look, where the training shows that it does harm."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks were made")
    seen: dict[tuple[int, str, str, str, int], list[MixedByView]] = {}
    for look in facts.seen.looks:
        for each in look.mixed_by_views:
            key = (look.site, each.module, each.before, each.behind, len(each.shape_out))
            seen.setdefault(key, []).append(each)
    found = (_finding(facts, facts.site(key[0]), looks) for key, looks in seen.items() if len(looks) >= MIN_LOOKS)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, site: Site, looks: Sequence[MixedByView]) -> Finding | None:
    severity, seen = _severity(facts, site), looks[-1]
    if severity is None:
        return None
    told = harm(facts, site)
    does = slow(facts, site) or "no longer falls, with much of it left"
    because = (
        f"The rows of the batch are mixed {_between(seen)}: the loss of one row has a gradient at "
        f"{_others(seen)}, through a view from {shape(seen.shape_in)} to "
        f"{shape(seen.shape_out)}{_in(seen)}. A view keeps the order of memory and moves no axis: the {seen.entries} "
        f"rows lie along axis {seen.axis_in} before it{_folded(seen)}, and are read along axis {seen.axis_out} behind "
        f"it. So it was on {count(len(looks), 'look')}, and {told or f'the loss {does}'}."
    )
    evidence: Evidence = {
        "entries": seen.entries, "read": seen.read, "own": seen.own, "asked": seen.asked, "before": seen.before,
        "behind": seen.behind, "shape_in": shape(seen.shape_in), "shape_out": shape(seen.shape_out),
        "axis_in": seen.axis_in, "axis_out": seen.axis_out, "looks": len(looks),
    }  # fmt: skip
    module: Where = {"module": seen.before, "kind": seen.before_kind} if seen.before else {}
    where: Where = {**module, "site": site.name}
    how = f"∂L_i/∂x_j ≠ 0 for {seen.read} rows j ≠ i"
    remedy = BATCH_AXIS_FIRST.remedy(seen.shape_in, seen.axis_in, seen.shape_out, seen.axis_out, seen.entries)
    return RULE.finding(severity, where, evidence, because, (remedy,), how)


def _severity(facts: Facts, site: Site) -> Severity | None:
    if site.need_not_fall:
        return None
    if harm(facts, site) or guesses(facts, site):
        return "error"
    return "warning" if slow(facts, site) or site.gains_nothing else None


def _between(seen: MixedByView) -> str:
    if seen.before and seen.behind:
        return f"between `{seen.before}` and `{seen.behind}`"
    if seen.before or seen.behind:
        return f"behind `{seen.before}`" if seen.before else f"before `{seen.behind}`"
    return "on their way to the loss"


def _others(seen: MixedByView) -> str:
    others = count(seen.read, "other row")
    if seen.own == seen.asked:
        return f"{others} beside its own"
    return f"up to {others}, and not always at its own" if seen.own else f"{others} and none at its own"


def _in(seen: MixedByView) -> str:
    return f" in the forward of `{seen.module}`" if seen.module else ""


def _folded(seen: MixedByView) -> str:
    times = seen.shape_in[seen.axis_in] // seen.entries
    return f", {times} times one behind the other" if times > 1 else ""


RULE = Rule(
    code="GR711",
    slug="mixed-rows",
    title="rows of the batch are mixed",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="view and reshape cut the same memory into other rows and move no axis. The states of two directions, "
        "(2, batch, features), viewed as (batch, 2 · features), join those of two neighbours in place of those of one "
        "sample; so does (time, batch, features) viewed as (batch, time · features). No error is raised, and each "
        "sample is asked for its target of what belongs to others.",
        mathematics=(
            "rows of a batch are independent: ∂L_i/∂x_j = 0 for j ≠ i",
            "h.view(B, 2 · d)[i] = (h_k, h_k+1), k = 2 · i mod B, where h.transpose(0, 1)[i] = (h_i, h_B+i)",
        ),
        thresholds="A few rows of the loss, from the inside of the batch, are followed back to the views in the graph: "
        "behind the view each reads its own place alone along an axis as long as the batch; before it most read "
        "others, along an axis of which each place is computed from one row of the data, or of a recurrent layer, and "
        f"no other. So it was in {MIN_LOOKS} looks; the first looks alone ask. It is an error where the loss does not "
        "fall, or is no lower than a constant guess gets, and a warning where it comes down slowly or rests with much "
        "of it left; else it is not told. What mixes rows by computing, as norms, attention and losses over the batch "
        "do, is no view.",
        remedies=("transpose or movedim, so that the batch is the first axis, and reshape then: a copy.",),
        silence="Where rows of a batch are meant to feed each other.",
        references=("Karpathy (2019): A recipe for training neural networks",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    labels={
        "entries": "rows of the batch",
        "asked": "rows asked",
        "own": "rows that read their own",
        "read": "other rows read",
        "shape_in": "shape before the view",
        "shape_out": "shape behind it",
        "axis_in": "axis of the rows before",
        "axis_out": "axis read as rows behind",
    },
    zoo=("gr711_states_viewed", "gr711_encoder_states_viewed", "gr711_steps_viewed", "gr711_frames_unfolded"),
)
