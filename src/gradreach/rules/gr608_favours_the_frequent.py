"""GR608: the weights of the classes favour what is frequent already."""

from __future__ import annotations

from dataclasses import dataclass

from gradreach.facts.facts import Facts
from gradreach.facts.losses import FEWEST_LABELS, LossPart
from gradreach.facts.statistics import known, median, rank_correlation
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent
from gradreach.record.schema import Finding
from gradreach.remedies.advice.balanced_weights import BALANCED_WEIGHTS
from gradreach.rules.losses import headline, where, whose
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome

UNLIKE = 2.0
"""How many times as frequent, and as heavy, one class must be as another for the two to be unlike."""

ALIKE = 0.8
"""Rank correlation of weights and shares from which the one follow the other."""

SMALL = 0.05
"""Part of the loss under which the rarest class hardly counts, beside a class of the same rank."""


@dataclass(frozen=True, slots=True)
class _Classes:
    """The classes of a loss that occur and count: their numbers, their shares of the targets, and their weights."""

    numbers: tuple[int, ...]
    shares: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def follow(self) -> float:
        """How closely the weights follow the shares, by their ranks."""
        return rank_correlation([weight for _, weight in sorted(zip(self.shares, self.weights, strict=True))])

    @property
    def common(self) -> int:
        """The place of the most frequent class."""
        return max(range(len(self.shares)), key=self.shares.__getitem__)

    @property
    def rare(self) -> int:
        """The place of the least frequent class."""
        return min(range(len(self.shares)), key=self.shares.__getitem__)

    def part(self, place: int) -> float:
        """The part of the loss that a class makes up where all errors are alike."""
        whole = sum(share * weight for share, weight in zip(self.shares, self.weights, strict=True))
        return self.shares[place] * self.weights[place] / whole

    def favours(self) -> bool:
        """Whether the weights favour the frequent classes throughout, and by much."""
        a, b = self.common, self.rare
        unlike = self.shares[a] >= UNLIKE * self.shares[b] and self.weights[a] >= UNLIKE * self.weights[b]
        return unlike and self.follow >= ALIKE and self.part(b) < SMALL


def judge(facts: Facts) -> RuleOutcome:
    """Each comparison with weights of classes that go the same way as their shares."""
    told = [(part, classes) for part in facts.seen.loss_parts if (classes := _classes(part)) is not None]
    if not told:
        return RuleOutcome(why_not="no loss was seen whose classes have weights")
    return RuleOutcome(tuple(_finding(facts, part, classes) for part, classes in told if classes.favours()))


def _classes(part: LossPart) -> _Classes | None:
    """The classes of a comparison whose weights are above 0 and the same in all looks; None of any other."""
    weights = part.last.weights
    if len(part.looks) < MIN_LOOKS or any(look.weights != weights for look in part.looks):
        return None
    shares = _shares(part)
    if len(shares) != len(weights):
        return None
    kept = [at for at, (share, weight) in enumerate(zip(shares, weights, strict=True)) if share > 0 and weight > 0]
    if len(kept) < 2:
        return None
    return _Classes(tuple(kept), tuple(shares[at] for at in kept), tuple(weights[at] for at in kept))


def _shares(part: LossPart) -> tuple[float, ...]:
    """How much of the targets each class is, over all looks; empty where that is not known."""
    if part.last.kind.startswith("binary"):
        ones = known(look.targets.mean for look in part.looks if look.targets is not None)
        return (1 - median(ones), median(ones)) if ones and 0 <= median(ones) <= 1 else ()
    whole = sum(part.counts)
    return tuple(each / whole for each in part.counts) if whole >= FEWEST_LABELS else ()


def _finding(facts: Facts, part: LossPart, classes: _Classes) -> Finding:
    common, rare = classes.common, classes.rare
    often, seldom = classes.numbers[common], classes.numbers[rare]
    because = (
        f"The weights in the {part.last.kind} of {whose(part.last)} favour the frequent classes: class {often} is "
        f"{percent(classes.shares[common])} of the targets and counts {figure(classes.weights[common])}, class "
        f"{seldom} is {percent(classes.shares[rare])} and counts {figure(classes.weights[rare])}. So class {seldom} "
        f"makes up {percent(classes.part(rare))} of the loss, and never to guess it costs next to nothing."
    )
    evidence: Evidence = {
        "common": often, "rare": seldom, "common_share": classes.shares[common], "rare_share": classes.shares[rare],
        "rank_correlation": classes.follow, "rare_part": classes.part(rare), "looks": len(part.looks),
    }  # fmt: skip
    how = f"rank correlation of weights and shares {figure(classes.follow)} ≥ {figure(ALIKE)}"
    remedies = (BALANCED_WEIGHTS.remedy(part.last.kind),)
    return RULE.finding("warning", where(facts, part), evidence, because, remedies, how)


RULE = Rule(
    code="GR608",
    slug="favours-the-frequent",
    title="weights favour the frequent classes",
    severities=("warning",),
    family="loss",
    explain=Explanation(
        cause="Weights of classes are there to make rare ones count. Computed as count over total, in place of total "
        "over count, or handed over in another order than that of the classes, they do the reverse: the frequent "
        "class, which a network learns first in any case, counts most, and the rare one is given up.",
        mathematics=(
            "L = Σ_n w_{y_n} ℓ_n / Σ_n w_{y_n},   part of class c:  n_c w_c / Σ_k n_k w_k",
            "balanced:  w_c ∝ 1 / n_c;   binary:  pos_weight = negatives / positives",
        ),
        thresholds=f"The classes' weights, the same in all looks ({MIN_LOOKS} at least), follow their shares of the "
        f"targets by a rank correlation of {ALIKE:g} or more; the most frequent class is {UNLIKE:g} times as frequent "
        f"and counts {UNLIKE:g} times as much as the rarest, or more; and the rarest makes up less than "
        f"{percent(SMALL)} of the loss. Classes that never occur or that count 0 are left out.",
        remedies=("Weights that fall with the count: free. Its root where classes are very unlike.",),
        silence="Where the rare class is of no interest, or its labels are not to be trusted.",
        references=("King, Zeng (2001): Logistic regression in rare events data",),
    ),
    judge=judge,
    headline=headline,
    urgency=3,
    labels={
        "common": "most frequent class",
        "rare": "rarest class",
        "common_share": "its share",
        "rare_share": "its share",
        "rare_part": "part of the loss",
    },
    zoo=("gr608_counts_as_weights", "gr608_rare_positives"),
)
