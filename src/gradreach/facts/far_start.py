"""Losses that begin far above what a constant guess gets, because weights were drawn too large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gradreach.facts.losses import LossPart
from gradreach.facts.site import Site
from gradreach.facts.statistics import is_finite, is_positive, median
from gradreach.record.seen.loss import LayerGrowth, LossLook

FAR = 3.0
"""How many times what a constant guess gets a loss must begin at; of a squared error the square of it."""

LARGEST = math.sqrt(2.0)
"""What the weights' rms times √fan_in is at most in usual starts: 1/√3 in torch's own, √2 in that of He."""

OVER = 1.25
"""How many times LARGEST weights of one layer must be to be named."""

EXCESS = 2.0
"""How many times as large as usual the layers that are named make the output together."""

ORDINARY = 3.0
"""Size of a signal up to which what came before has not made it large."""

_UNIFORM = {
    "binary cross entropy on logits": math.log(2.0),
    "binary cross entropy": math.log(2.0),
}


@dataclass(frozen=True, slots=True)
class FarStart:
    """A loss that begins at `first`, `times` what the `guess` gets, by what the `layers` do, in their order.

    `steps` are those that were needed to come down to the guess, None where that never happened; `of` are all.
    """

    part: LossPart
    first: float
    guess: float
    layers: tuple[LayerGrowth, ...]
    steps: int | None
    of: int

    @property
    def times(self) -> float:
        """How many times the guess's loss the first one is."""
        return self.first / self.guess


def far_start(site: Site, part: LossPart) -> FarStart | None:
    """Whether one comparison begins far off for this reason; None where not, or where the first step was not seen."""
    seen = part.looks[0]
    if site.need_not_fall or not site.sound_steps or part.steps[0] != site.steps[0].step:
        return None
    guess, first = constant_loss(seen), _first(site, part)
    if not is_positive(guess) or not is_finite(first) or first < guess * _far(seen):
        return None
    layers = _blamed(seen)
    if not layers:
        return None
    of = site.sound_steps[-1].step - site.steps[0].step + 1
    return FarStart(part, first, guess, layers, _down(site, part), of)


def constant_loss(seen: LossLook) -> float | None:
    """What an output gets that is the same for every row: of classes with equal logits, of a regression the mean."""
    if seen.kind == "cross entropy":
        classes = seen.output_shape[1:2] or seen.output_shape
        return math.log(classes[0]) if classes and classes[0] > 1 else None
    return _UNIFORM.get(seen.kind) or (seen.guess if seen.kind in ("squared error", "absolute error") else None)


def _far(seen: LossLook) -> float:
    """How many times the guess's loss is far off; infinite for a regression whose output varies no more than its
    targets do, which lie elsewhere."""
    if seen.kind not in ("squared error", "absolute error"):
        return FAR
    if seen.outputs is None or seen.targets is None or seen.outputs.deviation < FAR * seen.targets.deviation:
        return math.inf
    return FAR**2 if seen.kind == "squared error" else FAR


def _first(site: Site, part: LossPart) -> float | None:
    """The first value, at its mean."""
    value = part.looks[0].value
    return site.of_batch(site.steps[0].loss) if value is None and part.looks[0].is_whole else value


def _blamed(seen: LossLook) -> tuple[LayerGrowth, ...]:
    """The layers drawn too large, from the last one on that a signal of ordinary size goes into.

    Empty where together they make the output little larger than usual.
    """
    begin = max((at for at, each in enumerate(seen.growths) if each.input_rms <= ORDINARY), default=0)
    large = [each for each in seen.growths[begin:] if each.is_drawn and excess(each) >= OVER]
    return tuple(large) if math.prod(map(excess, large)) >= EXCESS else ()


def excess(each: LayerGrowth) -> float:
    """How many times as large as the largest usual ones its weights are."""
    return each.scale / LARGEST


def _down(site: Site, part: LossPart) -> int | None:
    """Steps until the loss is as low as that of a constant guess; None where it never is.

    By every loss where it is this comparison and no more, else by the looks.
    """
    begin = site.steps[0].step
    if part.last.is_whole:
        read = [(step.step, step.loss) for step in site.sound_steps if is_finite(step.loss)]
        values = [loss / site.times for _, loss in read]
        guess = part.guess if part.last.kind.endswith("error") else constant_loss(part.last)
        low = (step for at, (step, _) in enumerate(read) if median(values[max(at - 2, 0) : at + 3]) <= (guess or 0.0))
    else:
        pairs = zip(part.steps, part.looks, strict=True)
        low = (step for step, seen in pairs if _is_low(seen))
    found = next(low, None)
    return None if found is None else found - begin


def _is_low(seen: LossLook) -> bool:
    guess = constant_loss(seen)
    return seen.value is not None and guess is not None and seen.value <= guess


def far_starts(sites: Sequence[Site], parts: Sequence[LossPart]) -> tuple[FarStart, ...]:
    """Every comparison that begins far off."""
    found = (far_start(site, part) for site in sites for part in parts if part.site == site.number)
    return tuple(each for each in found if each is not None)
