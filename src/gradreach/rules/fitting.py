"""Which remedies fit a run: none that the script has in place already, and none that the evidence speaks against.

A rule names what is done about its fault as such; `fitting` leaves what suits this run. It looks at measured figures
first (the size of the input, of the weights, of the updates), for these tell of what is in place however it was spelt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from gradreach.facts.depth import DEPTH_DECADES, in_order, update_ratio
from gradreach.facts.facts import Facts
from gradreach.facts.input_size import RAW
from gradreach.facts.statistics import is_finite, is_positive, known
from gradreach.facts.time import FAR_GROWTH
from gradreach.record.schema import Finding
from gradreach.record.seen.depth import DepthLook
from gradreach.record.seen.recurrence import TimeLook
from gradreach.remedies.advice.find_out import FIND_OUT
from gradreach.rules.gr204_dead_units import DEAD
from gradreach.rules.gr305_update_size import REPLACED, USUAL

GROWTH = frozenset({"GR102", "GR202", "GR304"})
"""The rules on what grows: beside these no longer step is advised."""

LARGE_INPUT = 3.0
"""Rms of an input from which scaling it is worth the line: weights start for inputs of size 1."""

SCALED_FROM = {"GR203": LARGE_INPUT, "GR204": LARGE_INPUT, "GR304": RAW, "GR305": RAW}
"""The size of an input from which each rule's finding may come from it; other rules name it on grounds of their own."""

WIDE = 2.0
"""‖W_hh‖₂ at the start from which the recurrent sum is too large by itself; a default start has about 1.15."""

ORTHOGONAL = 0.02
"""How far ‖W_hh‖₂ and its spectral radius may both lie from 1 for W_hh to count as orthogonal, or as the identity."""

ENOUGH = 0.05
"""What the activation's slopes alone must leave of the gradient at a lag for an orthogonal W_hh to bring it from there:
five times the horizon's limit, for training makes the slopes smaller."""

KEPT_SEQUENCES = 512
"""Sequences that the question to the data keeps at most: where it has them, more looks bring no more."""

ODD = (0.1, 2.0)
"""‖w‖ / √units, biases included, at which a layer did not start as it should: torch's own start has 0.6 to 0.8, that of
He √2."""

GAINS = {"tanh": 5 / 3, "sigmoid": 4.0}
"""‖W‖ / √units of a right start before an activation: the gain that `initial-scale` gives."""


@dataclass(frozen=True)
class Case:
    """One finding of a run, beside the codes of all."""

    facts: Facts
    finding: Finding
    codes: frozenset[str]

    @cached_property
    def module(self) -> str:
        return str(self.finding.where.get("module", ""))

    @cached_property
    def input_size(self) -> float | None:
        """The rms of what the model takes in, where its first layer tells; the largest where no module is named."""
        sizes = self.facts.seen.input_sizes
        return sizes.get(self.facts.seen.root_of(self.module)) if self.module else max(sizes.values(), default=None)

    @cached_property
    def is_lost(self) -> bool:
        """Whether the data are so small that beside a bias nothing is left of them: then only their size is wrong."""
        lost = self.facts.seen.lost_data
        return self.facts.seen.root_of(self.module) in lost if self.module else bool(lost)

    @cached_property
    def first_look(self) -> TimeLook | None:
        """The first look at the recurrent layer and direction that the finding names."""
        where = self.finding.where
        for key, looks in self.facts.seen.layers_with_break.items():
            names = {"module": key.module, "layer": key.layer, "direction": key.direction}
            if looks and all(where.get(name, value) == value for name, value in names.items()):
                return looks[0]
        return None

    @cached_property
    def depth(self) -> tuple[DepthLook, ...]:
        """The modules of the finding's root at the first look at it, in execution order."""
        root = self.facts.seen.root_of(self.module)
        looks = (
            [d for d in in_order(look) if self.facts.seen.root_of(d.module) == root] for look in self.facts.record.looks
        )
        return tuple(next((seen for seen in looks if seen), ()))

    @cached_property
    def start(self) -> float | None:
        """‖w‖ / √units, at the first look, of the layer whose sums enter the module that the finding names."""
        order = next((each.order for each in self.depth if each.module == self.module), -1)
        fed = [each for each in self.depth if each.parameters and each.order <= order]
        if not fed or not fed[-1].units or not is_finite(fed[-1].weight_norm):
            return None
        return float(fed[-1].weight_norm / fed[-1].units ** 0.5)

    @cached_property
    def dead_at_first(self) -> bool:
        """Whether the units were dead before the first step, so that none has pushed them there."""
        first = next((each.dead for each in self.depth if each.module == self.module), None)
        return bool(is_finite(first) and first >= self.facts.thresholds[DEAD])

    @cached_property
    def odd_start(self) -> bool:
        """Whether units were dead at first because their weights and biases started far too small or too large."""
        return self.dead_at_first and self.start is not None and not ODD[0] < self.start < ODD[1]

    @cached_property
    def grows(self) -> bool:
        """Whether a norm, or the gradient on its way back through depth or time, grows by itself."""
        facts = self.facts
        if self.codes & GROWTH or facts.broke_by_growth or facts.blow_up is not None:
            return True
        deep = (
            trend.decades <= -facts.thresholds[DEPTH_DECADES] for each in facts.seen.trends.values() for trend in each
        )
        far = (looks[-1].reach[-1] for looks in facts.seen.layers.values() if looks and looks[-1].reach)
        return any(deep) or any(is_finite(r) and r >= facts.thresholds[FAR_GROWTH] for r in far)

    @cached_property
    def clips(self) -> bool:
        """Whether the script clips by norm where the finding is."""
        name = self.finding.where.get("site")
        sites = [site for site in self.facts.sites if name in (None, "", site.name)]
        return any(step.clip == "norm" for site in sites for step in site.steps)

    @property
    def watched_whole(self) -> bool:
        """Whether every step was looked at."""
        overhead = self.facts.record.overhead
        return overhead is not None and overhead.every == 1

    def evidence(self, key: str) -> float | None:
        """A figure of the finding's evidence; None where it has none."""
        value = self.finding.evidence.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def fitting(facts: Facts, found: Iterable[Finding]) -> Sequence[Finding]:
    """The findings, each with those of its remedies that fit the run."""
    findings = tuple(found)
    codes = frozenset(finding.code for finding in findings)
    return [_fitting(Case(facts, finding, codes)) for finding in findings]


def _fitting(case: Case) -> Finding:
    named = case.finding.remedies
    remedies = tuple(each for each in named if not UNFIT.get(each.id, _never)(case))
    if named and not remedies:
        remedies = (FIND_OUT.remedy(case.facts.record.run.script, case.finding.code, _seen_enough(case)),)
    return case.finding if remedies == named else replace(case.finding, remedies=remedies)


def _never(_: Case) -> bool:
    return False


def _orthogonal(case: Case) -> bool:
    """In place already, held by a parametrization, or not what the sums, the overflow or the lag ask for."""
    seen, code = case.first_look, case.finding.code
    if any(d.module.startswith(f"{case.module}.parametrizations") for d in case.depth):
        return True
    norm = seen.lambda_ if seen is not None else None
    if seen is None or not is_finite(norm):
        return code in ("GR103", "GR301")
    if abs(norm - 1.0) <= ORTHOGONAL and is_finite(seen.rho) and abs(seen.rho - 1.0) <= ORTHOGONAL:
        return True
    lag, slope = case.evidence("lag"), seen.gamma_mean
    if code in ("GR104", "GR402") and lag is not None and is_positive(slope):
        return lag * math.log(slope) < math.log(ENOUGH)
    return (code == "GR103" and norm < WIDE) or (code == "GR301" and norm <= 1.0)


def _scale_input(case: Case) -> bool:
    """The input has the right size, or is not what the layer takes in, or W_hh alone is too large."""
    if case.is_lost:
        return False
    if case.finding.code == "GR103":
        norm = case.first_look.lambda_ if case.first_look is not None else None
        return bool(is_finite(norm) and norm >= WIDE)
    return (case.input_size or 0.0) < SCALED_FROM.get(case.finding.code, 0.0)


def _initial_scale(case: Case) -> bool:
    """The weights before a saturated activation started no larger than they would be set to."""
    if case.finding.code != "GR203" or case.start is None:
        return False
    return case.start <= 1.2 * GAINS.get(str(case.finding.evidence.get("activation")), 1.0)


def _layer_norm(case: Case) -> bool:
    """There is normalisation already; or logistic layers, whose slope of a quarter outdoes it, or a raw input, whose
    largest feature is all that it would leave."""
    logistic = case.finding.code == "GR201" and any(d.activation == "sigmoid" for d in case.depth)
    raw = case.finding.code == "GR203" and not _scale_input(case)
    return logistic or raw or any("Norm" in d.kind for d in case.depth)


def _seen_enough(case: Case) -> bool:
    """Every step was looked at, or so many sequences were asked as are kept."""
    return case.watched_whole or (case.evidence("sequences") or 0.0) >= KEPT_SEQUENCES


def _raise_rate(case: Case) -> bool:
    """Something grows, or the gradient does not arrive, or the updates have the usual size already."""
    if case.grows or "GR201" in case.codes:
        return True
    size = update_ratio(case.facts.seen.looks)
    return case.finding.code == "GR403" and size is not None and size >= USUAL


def _leaky(case: Case) -> bool:
    """The start of the layer is what is wrong; or steps are so large that with a slope everywhere they would grow."""
    ratios = known(each.update_ratio for look in case.facts.seen.looks for each in look.depth)
    return _raw(case) or case.odd_start or max(ratios, default=0.0) >= REPLACED


def _learning_rate(case: Case) -> bool:
    """No step has pushed the units below zero, or the input's size did, which a lower rate does not change."""
    return _raw(case) or case.dead_at_first


def _raw(case: Case) -> bool:
    return case.is_lost or (case.input_size or 0.0) >= RAW


UNFIT: Mapping[str, Callable[[Case], bool]] = {
    "clip": lambda case: case.clips or _raw(case),
    "fresh-start": lambda case: not case.odd_start,
    "initial-scale": _initial_scale,
    "layer-norm": _layer_norm,
    "leaky": _leaky,
    "learning-rate": _learning_rate,
    "look-more-often": _seen_enough,
    "lower-rate": _raw,
    "orthogonal": _orthogonal,
    "raise-rate": _raise_rate,
    "raise-threshold": lambda case: case.grows,
    "residual": lambda case: case.finding.evidence.get("skip_connections") is True,
    "scale-input": _scale_input,
    "skip-step": lambda case: case.facts.record.guarded is not None,
}
"""When a remedy does not fit, by its id; the others fit wherever a rule names them."""
