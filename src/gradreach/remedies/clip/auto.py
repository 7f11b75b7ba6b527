"""The highest threshold that keeps a run free of spikes, found from the run's own norms while it goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from gradreach.remedies.clip.scalar import Scalar, Truth, exp, larger, log, smaller, where
from gradreach.remedies.clip.threshold import Judged

FIRST = 20
"""Norms over which the distribution is only learned, as in GR302: till then a spike is 100 times the record."""

GIANT = math.log(100.0)
SPIKE = math.log(10.0)
RECORD = math.log(3.0)
"""A spike lies 10 times over the usual norm and 3 times over the record, as in GR302. In any stationary order the n-th
norm is the record once in n, whatever the distribution, and 3 times the record more seldom still: so a healthy run is
let alone without a word on the shape of its noise."""

MEMORY = 1000.0
"""Steps over which the record sinks back towards the usual norm: as long as Adam's second moment remembers a norm."""

USUAL = 20.0
"""Steps over which the usual norm, the mean of log ‖g‖, is averaged."""

SAFE = math.log(0.02)
"""An update of plain SGD as long as the weights is a throw: no gradient tells the loss that far away. From then on
updates are held to 1/50 of the weights, a little over the usual 1e-3 to 1e-2."""

SHORT = math.log(1e-3)
"""The hold sinks no further: shorter updates than the usual ones train nothing in reasonable time."""

BLOCK = 20.0
"""Steps after which a hold is judged."""

STEP = math.log(2.0)
SETTLED = STEP / 4
"""Part by which the norm must fall over a block for the clipped steps to be going downhill."""

REASONS = (
    "",
    "a spike: 10 times the usual norm and 3 times the record",
    "a throw: the update would have been as long as the weights; from now on held to a small part of them",
    "lowered: clipped for a whole block while the norm did not fall",
    "raised: the norm stayed under the threshold for a whole block",
    "free again: held no more",
)
SPIKED, THROWN, LOWERED, RAISED, FREED = (float(number) for number in range(1, len(REASONS)))


class _Hold(NamedTuple):
    """The hold (∞: none) and where the next one starts, as log(‖update‖ / ‖weights‖); the block that judges it."""

    size: Scalar = math.inf
    start: Scalar = SAFE
    steps: Scalar = 0.0
    clipped: Scalar = 0.0
    sum: Scalar = 0.0
    before: Scalar = math.inf


class _History(NamedTuple):
    """Norms seen, log of the usual one and of the record, spikes in a row; then a hold's fields, to keep it flat."""

    seen: Scalar = 0.0
    usual: Scalar = 0.0
    record: Scalar = 0.0
    in_a_row: Scalar = 0.0
    hold: Scalar = math.inf
    start: Scalar = SAFE
    steps: Scalar = 0.0
    clipped: Scalar = 0.0
    sum: Scalar = 0.0
    before: Scalar = math.inf


@dataclass(frozen=True, slots=True)
class Auto:
    """The ceiling over the calm distribution; where plain SGD would be thrown, a hold that the run itself adjusts.

    The ceiling is max(10 · usual norm, 3 · record); what exceeds it is cut to it, and counts as it in the history. The
    hold is a share of the norm whose update is as long as the weights: halved while clipped steps do not bring the norm
    down, doubled while the norm stays under it.

    Under Adam, which divides by the norm it remembers, no single step is a throw and Auto seldom acts. Where norms
    start enormous and sink slowly, its second moment stays too large for long; a low fixed threshold from the first
    step on, which clips nearly every step, can then learn much faster than Auto.
    """

    def start(self, device: torch.device) -> _History:  # noqa: ARG002
        return _History()

    def judge(self, state: _History, norm: Scalar, longest: Scalar) -> Judged:
        x, far = log(norm), log(longest)
        ceiling = _ceiling(state)
        hold = _Hold(*state[4:])
        fresh = (x > far) & (hold.size > hold.start + STEP)  # more than what it was last begun with
        hold = _thrown(hold, fresh)
        threshold = smaller(ceiling, far + hold.size)
        hold, reason = _adjusted(hold, x, x > threshold)
        reason = where(fresh, THROWN, where(x > ceiling, SPIKED, reason))
        return Judged(exp(threshold), _remembered(state, x, ceiling, hold), reason)


def _ceiling(state: _History) -> Scalar:
    learnt = larger(state.usual + SPIKE, state.record + RECORD)
    return where(state.seen < FIRST, where(state.seen < 1, math.inf, state.record + GIANT), learnt)


def _thrown(hold: _Hold, fresh: Truth) -> _Hold:
    """A hold begins anew at its start, and the next one at half of it: what threw once must not do so for ever."""
    begun = hold._replace(
        size=hold.start, start=larger(hold.start - STEP, SHORT), steps=0.0, clipped=0.0, sum=0.0, before=math.inf
    )
    return _Hold(*(where(fresh, new, old) for new, old in zip(begun, hold, strict=True)))


def _adjusted(hold: _Hold, x: Scalar, clipped: Truth) -> tuple[_Hold, Scalar]:
    """The hold after this step, and why it moved: judged at the end of a block."""
    steps, count, total = hold.steps + 1.0, hold.clipped + where(clipped, 1.0, 0.0), hold.sum + x
    ended, level = steps >= BLOCK, total / steps
    held = ended & (hold.size < math.inf)
    lowered = held & (count > BLOCK / 2) & (level > hold.before - SETTLED) & (hold.size > SHORT)
    raised = held & (count < 1.0)
    freed = raised & (hold.size + STEP >= 0.0)
    size = where(lowered, larger(hold.size - STEP, SHORT), where(raised, hold.size + STEP, hold.size))
    reason = where(lowered, LOWERED, where(freed, FREED, where(raised, RAISED, 0.0)))
    return hold._replace(
        size=where(freed, math.inf, size),
        steps=where(ended, 0.0, steps),
        clipped=where(ended, 0.0, count),
        sum=where(ended, 0.0, total),
        before=where(ended, level, hold.before),
    ), reason


def _remembered(state: _History, x: Scalar, ceiling: Scalar, hold: _Hold) -> _History:
    """A norm over the ceiling counts as the ceiling: next to it, it is the distribution's own tail; a single one ten
    times over is no part of the distribution and sets no record, but a second in a row does: the norm has risen."""
    in_a_row = where(x > ceiling, state.in_a_row + 1.0, 0.0)
    belongs = (in_a_row != 1.0) | (x < ceiling + SPIKE)
    level = smaller(x, ceiling)
    usual = state.usual + (level - state.usual) / smaller(state.seen + 1.0, USUAL)
    sunk = state.record - (state.record - usual) / MEMORY
    record = where((state.seen < 1) | (level > sunk) & belongs, level, sunk)
    return _History(state.seen + 1.0, usual, record, in_a_row, *hold)
