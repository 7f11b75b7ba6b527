"""GR713: positions are counted along the batch in place of time."""

from __future__ import annotations

from collections.abc import Sequence

from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import count
from gradreach.record.schema import Finding
from gradreach.record.seen.data import CountedRows
from gradreach.remedies.advice.count_places import COUNT_PLACES
from gradreach.rules.harm import guesses, harm, little_learned
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each code that counted the rows of the batch, look after look."""
    if len(facts.seen.looks) < MIN_LOOKS:
        return RuleOutcome(why_not=f"fewer than {MIN_LOOKS} looks were made")
    seen: dict[tuple[int, str, str, int], list[CountedRows]] = {}
    for look in facts.seen.looks:
        for key, each in {(look.site, each.module, each.table, each.axis): each for each in look.counted_rows}.items():
            seen.setdefault(key, []).append(each)
    found = (_finding(facts, facts.site(key[0]), looks) for key, looks in seen.items() if len(looks) >= MIN_LOOKS)
    return RuleOutcome(tuple(each for each in found if each is not None))


def _finding(facts: Facts, site: Site, looks: Sequence[CountedRows]) -> Finding | None:
    seen, told = looks[-1], harm(facts, site) or little_learned(facts, site)
    worst = bool(told or guesses(facts, site))
    if not worst and not seen.of_ids:
        return None
    table = f"`{seen.table}`" if seen.table else "a table"
    joined = "added to" if seen.is_added else "laid beside"
    because = (
        f"Positions are counted along the batch{_in(seen)}: the first {seen.rows} of the {seen.table_rows} rows of "
        f"{table} are {joined} sequences of features one after the other along axis {seen.axis}, and each is the same "
        f"at all {seen.places} places along axis {1 - seen.axis}. Axis {seen.axis} has the rows of the batch, for what "
        f"the loss reads there is of one row alone, and along axis {1 - seen.axis} of several places. So the code "
        "tells no place of a sequence from another, and each row of the batch by its number, on "
        f"{count(len(looks), 'look')}."
    )
    if told:
        because += f" {told[0].upper()}{told[1:]}."
    evidence: Evidence = {
        "rows": seen.rows, "places": seen.places, "table_rows": seen.table_rows, "axis": seen.axis,
        "looks": len(looks),
    }  # fmt: skip
    module: Where = {"module": seen.module, "kind": seen.kind} if seen.module else {}
    where: Where = {**module, "site": site.name}
    how = f"codes along the batch: {seen.rows} > 1;   along the {seen.places} places of time: 1"
    remedy = COUNT_PLACES.remedy(seen.axis, seen.table, looks_up=seen.looks_up, is_added=seen.is_added)
    return RULE.finding("error" if worst else "warning", where, evidence, because, (remedy,), how)


def _in(seen: CountedRows) -> str:
    return f" in the forward of `{seen.module}`" if seen.module else ""


RULE = Rule(
    code="GR713",
    slug="counted-rows",
    title="positions counted along the batch",
    severities=("error", "warning"),
    family="data",
    explain=Explanation(
        cause="Attention sees a set: it knows the order of a sequence by the code of its places. "
        "torch.arange(x.size(0)) counts these where time comes first; with the batch first it counts the rows of the "
        "batch, and so does x + self.pe[: x.size(0)]. The sizes fit by broadcasting, and no error is raised. All "
        "places of a sequence then have the same code, and each row has its number in the batch as noise.",
        mathematics=(
            "h[b, t] = x[b, t] + p[t] tells places apart;   h[b, t] = x[b, t] + p[b] does not",
            "attention without p[t]: y(P x) = P y(x) for each order P of the places",
        ),
        thresholds="Of models with attention: what is added to features (X, Y, D), or laid beside them, is the same at "
        "all places along one axis, and along the other one it is the beginning of a longer table, row after row: "
        "looked up by numbers that the script did not give, cut from a parameter, or from a constant of the module. A "
        "few numbers of the loss, followed back to there, each read one row along that axis and several places along "
        "the other, so that it has the rows of the batch; and no other code differs along the places. So it was on "
        f"{MIN_LOOKS} looks; the first looks alone ask. Where anything recurs it is silent. It is an error where the "
        "loss does not fall, hardly falls, or is near what a constant guess gets; else a warning, of features that are "
        "looked up by ids alone, for others may be sets.",
        remedies=("Count the places of time: torch.arange(x.size(1)) where the batch comes first.",),
        silence="Where the first axis is time, and each moment has a set of things without an order.",
        references=("Vaswani and others (2017): Attention is all you need",),
    ),
    judge=judge,
    headline=headline,
    urgency=0,
    effects=("GR604",),
    labels={
        "rows": "rows of the batch",
        "places": "places of a sequence",
        "table_rows": "rows of the table",
        "axis": "axis that is counted",
    },
    zoo=("gr713_places_of_the_batch", "gr713_sines_batch_first"),
)
