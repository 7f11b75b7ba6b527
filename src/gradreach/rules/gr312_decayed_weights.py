"""GR312: the optimizer's weight decay, and not the gradient of the loss, decides what the weights become."""

from __future__ import annotations

from gradreach.facts.decay import FALLEN, Decayed
from gradreach.facts.facts import Facts
from gradreach.facts.site import Site
from gradreach.facts.time import MIN_LOOKS
from gradreach.facts.wording import figure, percent, shortened
from gradreach.record.schema import Finding
from gradreach.remedies.advice.less_decay import LESS_DECAY
from gradreach.rules.harm import harm
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where


def judge(facts: Facts) -> RuleOutcome:
    """Each line whose weights the decay has taken away, and whose loss shows that nothing is learned."""
    told = [look.site for look in facts.seen.looks if look.stepped is not None and look.stepped.decays]
    if max(map(told.count, told), default=0) <= MIN_LOOKS:
        return RuleOutcome(why_not=f"no optimizer with weight decay was heard at {MIN_LOOKS + 1} looks")
    found = ((site, facts.updates[site.number].decayed) for site in facts.sites)
    shown = ((site, each, harm(facts, site)) for site, each in found if each is not None)
    return RuleOutcome(tuple(_finding(facts, site, each, clause) for site, each, clause in shown if clause))


def _finding(facts: Facts, site: Site, found: Decayed, shown: str) -> Finding:
    before, after = found.before, found.after
    root = facts.seen.root_of(before.name)
    pulls = f"it pulls at the weights {figure(found.pull)} times as hard as the gradient of the loss"
    if before.is_decoupled:
        pulls = f"it moves the weights {figure(found.pull)} times as far as the rest of the step"
    because = (
        f"a weight decay of {figure(before.weight_decay)} draws the weights of `{shortened(root, 40)}` to 0: {pulls}, "
        f"and {shown}. By step {found.last_step:,} {found.gone} of {found.of} weight matrices were down to "
        f"{percent(FALLEN)} of what they were or less, `{shortened(before.name, 60)}` from {figure(before.weights)} to "
        f"{figure(after.weights)}: next to nothing is left of what they held."
    )
    evidence: Evidence = {
        "weight_decay": before.weight_decay, "pull": found.pull, "gone": found.gone, "matrices": found.of,
        "weight_norm_first": before.weights, "weight_norm_last": after.weights, "from_step": found.first_step,
    }  # fmt: skip
    what = "‖η λ w‖ / ‖Δw + η λ w‖" if before.is_decoupled else "‖λ w‖ / ‖g‖"
    how = f"{what} = {figure(found.pull)} ≥ 1; ‖w‖: {figure(after.weights)} ≤ {FALLEN:g} · {figure(before.weights)}"
    where: Where = {"module": root, "site": site.name}
    remedy = LESS_DECAY.remedy(before.weight_decay, before.is_decoupled)
    return RULE.finding("error", where, evidence, because, (remedy,), how)


def _headline(_: Facts, finding: Finding) -> str:
    first = finding.because.split(". By step ", 1)[0]
    return f"{first[:1].upper()}{first[1:]}."


RULE = Rule(
    code="GR312",
    slug="decayed-weights",
    title="weights that decay away",
    severities=("error",),
    family="step",
    explain=Explanation(
        cause="Weight decay takes a part of each weight at every step, whatever the data say. It is meant to be weak "
        "beside the gradient. Where it is the stronger one from the start, the weights go to 0 before anything is "
        "learned, the layers pass nothing on, and with that the gradient is gone as well. A decay that suits AdamW may "
        "be a thousand times too much for SGD and for Adam, which add it to the gradient.",
        mathematics=(
            "SGD, Adam:   g ← ∂L/∂w + λ w;   w goes to 0 where ‖λ w‖ > ‖∂L/∂w‖ all the way",
            "AdamW:   w ← (1 − η λ) w + u;   of the start (1 − η λ)^k is left after k steps, and |w| ≤ 1/λ where "
            "|u| ≤ η",
        ),
        thresholds="On matrices, without biases and the scales of norms: while they have half of their first norms "
        "(the median of them), the decay outweighs the gradient, all norms taken together, in the median of the looks; "
        f"at the last look half of them or more have at most {percent(FALLEN)} of their first norm; and the loss does "
        "not fall, or is that of a constant guess, or rests with an output that is the same for every row. "
        f"{MIN_LOOKS + 1} looks at least. Where the gradient alone is small "
        "the decay outweighs it late, and at a balance of both the weights stay: that is ordinary. What weights of "
        "nearly 0 do, to units, gradients and the size of updates, is then not told as a fault of its own. Known are "
        "torch's optimizers and what is made of them.",
        remedies=(
            "A weight decay of 1e-4 for SGD and Adam, of 1e-2 for AdamW: free.",
            "None at all, and see what the loss does: free.",
        ),
        silence="Where weights are meant to go to 0.",
        references=(
            "Krogh and Hertz (1991): A simple weight decay can improve generalization",
            "Loshchilov and Hutter (2019): Decoupled weight decay regularization",
        ),
    ),
    judge=judge,
    headline=_headline,
    urgency=0,
    effects=("GR101", "GR201", "GR204", "GR305", "GR307", "GR310", "GR402", "GR403"),
    labels={"pull": "decay ÷ gradient", "weight_norm_first": "‖w‖ at first", "weight_norm_last": "‖w‖ at last"},
    zoo=("gr312_strong_decay", "gr312_strong_decoupled_decay"),
)
