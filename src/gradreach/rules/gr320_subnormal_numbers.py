"""GR320: the gradient, or what an optimizer keeps of it, ends in subnormal numbers that make the step slow."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.statistics import median
from gradreach.facts.subnormals import FlushGain, places_of
from gradreach.facts.wording import count, figure, percent
from gradreach.record.schema import Finding
from gradreach.record.seen.subnormal import SubnormalPlace
from gradreach.remedies.advice.flush_subnormals import FLUSH_SUBNORMALS
from gradreach.rules.losses import headline
from gradreach.rules.rule import Evidence, Explanation, Rule, RuleOutcome, Where

LEAST_GAIN = 1.2
"""How many times as fast a step must surely be without them for a finding."""

_WORK = {
    "adjoint": "The layer's forward and backward pass",
    "gradient": "The product that takes it to the layer's input",
    "state": "The arithmetic of an update on it",
}


def judge(facts: Facts) -> RuleOutcome:
    """Of each line that calls backward the place at which most is to be gained."""
    looks = facts.seen.looks
    told = [look.subnormals.arithmetic for look in looks if look.subnormals is not None]
    if not told:
        return RuleOutcome(why_not="no look saw a parameter on a CPU")
    if told[-1] == "cannot flush":
        return RuleOutcome(why_not="this machine has no mode in which they are 0")
    if told[-1] != "kept":
        return RuleOutcome()
    places = [place for look in looks for place in places_of(look) if place.part in _WORK]
    if places and not facts.flush_gains:
        return RuleOutcome(why_not="there are subnormal numbers, and what they cost a step was not measured")
    best: dict[int, FlushGain] = {}
    for gain in facts.flush_gains:
        if (
            gain.place.part in _WORK
            and gain.low >= LEAST_GAIN
            and (gain.site not in best or gain.low > best[gain.site].low)
        ):
            best[gain.site] = gain
    return RuleOutcome(tuple(_finding(facts, gain) for gain in best.values()))


def _finding(facts: Facts, gain: FlushGain) -> Finding:
    place, seconds = gain.place, gain.seconds
    kept, flushed = median(place.kept), median(place.flushed)
    because = (
        f"Without the subnormal numbers in {_whose(place)} a step would be {figure(gain.factor)} times as fast "
        f"({figure(gain.low)} to {figure(gain.high)} by the turns{'' if place.whole else ', an estimate'}): this CPU "
        f"computes slowly with them. {percent(place.share)} of its entries are subnormal, not 0 and smaller than any "
        f"normal number. {_WORK[place.part]} took {figure(kept)} s with them and {figure(flushed)} s with 0 in their "
        f"place, at the median of {count(len(place.kept), 'turn')}{_times(place)}; a step takes {figure(seconds)} s."
    )
    if place.part == "adjoint":
        because += " The gradient vanishes on its way back; `gradreach explain GR101` has what keeps it from that."
    evidence: Evidence = {
        "share": place.share, "seconds_kept": kept, "seconds_flushed": flushed, "times_a_step": place.times,
        "seconds_of_step": seconds, "speedup": gain.factor, "speedup_low": gain.low, "speedup_high": gain.high,
        "turns": len(place.kept), "measured": place.whole and place.times == 1.0,
    }  # fmt: skip
    what: Where = {"parameter": place.name} if place.part == "state" else {"module": place.name}
    where: Where = {**what, "kind": place.kind, "site": facts.site_name(gain.site)}
    how = f"seconds / (seconds − saved), by turns: {figure(gain.low)} ≥ {figure(LEAST_GAIN)}"
    return RULE.finding("warning", where, evidence, because, (FLUSH_SUBNORMALS.remedy(),), how)


def _whose(place: SubnormalPlace) -> str:
    if place.part == "state":
        return f"the state {place.kind} of `{place.name}`"
    return (
        f"the adjoint of `{place.name}`" if place.part == "adjoint" else f"the gradient at the output of `{place.name}`"
    )


def _times(place: SubnormalPlace) -> str:
    """How much of the step's work was timed, where that is not all of it."""
    if place.times == 1.0:
        return ""
    rows = f", on one row in {figure(place.times)}"
    return rows if place.whole else f", of which a step does {figure(place.times)} times as much"


RULE = Rule(
    code="GR320",
    slug="subnormal-numbers",
    title="subnormal numbers make the step slow",
    severities=("warning",),
    family="step",
    explain=Explanation(
        cause="A gradient that vanishes does not become 0 at once: on its way it goes through the subnormal numbers, "
        "below 1.2e-38 in float32, which many CPUs compute with tens of times slower than with others. So do running "
        "means of an optimizer for weights that get no gradient any more. Such a training gets slower and slower, with "
        "the same losses as ever.",
        mathematics=(
            "subnormal: 0 < |x| < finfo.tiny = 2^−126 in float32 and bfloat16, 2^−1022 in float64",
            "gain = s / (s − (kept − flushed) · times), s the seconds of a step; by each turn",
        ),
        thresholds="Where 1 % or more of the entries of an adjoint δ, of the gradient at a linear layer's output or of "
        "an optimizer's state are subnormal, a look times the work there, with subnormal numbers and with 0 in their "
        "place, in nine turns, twice in a run at most. For a recurrent layer that is its own forward and backward "
        "pass, on some rows where all would take too long; elsewhere one product or one update's arithmetic, from "
        f"which the gain is estimated. It speaks where a step would be at least {LEAST_GAIN:g} times as fast, at the "
        "lower end of an interval for the median over the turns. Many CPUs lose nothing: a short product of nothing "
        "but subnormal numbers is timed before, and where it is as fast with them, nothing is asked.",
        remedies=(
            "torch.set_flush_denormal(True) at the top of the script: free; numbers below 1.2e-38 in size become 0, in "
            "Python's own floats and in numpy below 2.2e-308 too. Each thread has a mode of its own, so it must stand "
            "before torch computes anything.",
            "gradreach run --flush-subnormals: the same for one run, without a change to the script.",
            "A shorter window, by gr.tbptt or shorter chunks: steps too far back for any gradient are not computed; "
            "what is to be learned there stays out of reach.",
            "What keeps the gradient from vanishing, as GR101 names it: costs another start of the weights or another "
            "cell, and helps the learning too where something is to be learned so far back.",
        ),
        silence="Where the training is fast enough as it is: no result is wrong.",
        references=(
            "Goldberg (1991): What every computer scientist should know about floating-point arithmetic",
            "Dooley and Kale (2006): Quantifying the interference caused by subnormal floating-point values",
        ),
    ),
    judge=judge,
    headline=headline,
    labels={
        "share": "share of subnormal entries",
        "seconds_kept": "seconds with subnormal numbers",
        "seconds_flushed": "seconds with 0 in their place",
        "times_a_step": "times as much in a step",
        "seconds_of_step": "seconds of a step",
        "speedup": "times as fast",
        "speedup_low": "times as fast, at least",
        "speedup_high": "times as fast, at most",
        "measured": "measured as a whole",
    },
)
