"""The highest threshold that keeps a run free of spikes, found from the run's own norms while the run goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from gradreach.remedies.clip.norm_rules import NormRuling
from gradreach.remedies.clip.scalar import Scalar, Truth, chosen, exp, larger, log, smaller, where

FIRST = 20
"""Norms over which the distribution is only learned, as in GR302. Until then a spike is 100 times the record."""

GIANT = math.log(100.0)
SPIKE = math.log(10.0)
RECORD = math.log(3.0)
"""A spike lies 10 times over the usual norm and 3 times over the record, as in GR302. In any stationary order the n-th
norm is the record once in n, whatever the distribution, and it is 3 times the record more seldom still. So a healthy
run is left alone, and nothing need be assumed on the shape of its noise."""

MEMORY = 1000.0
"""Steps over which the record sinks back towards the usual norm; Adam's second moment remembers a norm as long."""

USUAL = 20.0
"""Steps over which the usual norm, the mean of log ‖g‖, is averaged."""

SAFE = math.log(0.02)
"""An update of plain SGD that is as long as the weights is a throw: no gradient tells the loss that far away. From then
on updates are held to 1/50 of the weights, a little over the usual 1e-3 to 1e-2."""

SHORT = math.log(1e-3)
"""The hold sinks no further, since shorter updates than the usual ones train nothing in reasonable time."""

BLOCK = 20.0
"""Steps after which a hold is judged."""

STEP = math.log(2.0)
SETTLED = STEP / 4
"""The part by which the norm must fall over a block for the clipped steps to be going downhill."""

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
    """A bound on log(‖update‖ / ‖weights‖), where the next one starts, and the block of steps by which it is judged.

    A `size` of ∞ means that nothing is held. The block has `steps` so far, of which `clipped` were clipped; `sum` adds
    up their log norms, and `before` is the mean of the block before.
    """

    size: Scalar = math.inf
    start: Scalar = SAFE
    steps: Scalar = 0.0
    clipped: Scalar = 0.0
    sum: Scalar = 0.0
    before: Scalar = math.inf


class _NormHistory(NamedTuple):
    """How many norms there were, the logs of the usual one and of the record, spikes in a row, and the hold."""

    seen: Scalar = 0.0
    usual: Scalar = 0.0
    record: Scalar = 0.0
    in_a_row: Scalar = 0.0
    hold: _Hold = _Hold()


@dataclass(frozen=True, slots=True)
class Auto:
    """A ceiling over the calm distribution and, where plain SGD would be thrown, a hold that the run itself adjusts.

    The ceiling is max(10 · usual norm, 3 · record). What exceeds it is cut to it, and counts as it in the history. The
    hold is a share of the norm whose update is as long as the weights. It is halved while clipped steps do not bring
    the norm down, and doubled while the norm stays under it.

    Under Adam, which divides by the norm it remembers, no single step is a throw, and Auto seldom acts. Where norms
    start enormous and sink slowly, Adam's second moment stays too large for long. A low fixed threshold from the first
    step on, which clips nearly every step, can then learn much faster than Auto.
    """

    def start(self, device: torch.device) -> _NormHistory:  # noqa: ARG002
        return _NormHistory()

    def judge(self, state: _NormHistory, norm: Scalar, longest: Scalar) -> NormRuling:
        x, far = log(norm), log(longest)
        ceiling = _ceiling(state)
        fresh = (x > far) & (state.hold.size > state.hold.start + STEP)  # more than what it was last begun with
        hold = chosen(fresh, _begun(state.hold), state.hold)
        threshold = smaller(ceiling, far + hold.size)
        hold, reason = _adjusted(hold, x, x > threshold)
        reason = where(fresh, THROWN, where(x > ceiling, SPIKED, reason))
        return NormRuling(exp(threshold), _remembered(state, x, ceiling, hold), reason)


def _ceiling(state: _NormHistory) -> Scalar:
    learnt = larger(state.usual + SPIKE, state.record + RECORD)
    return where(state.seen < FIRST, where(state.seen < 1, math.inf, state.record + GIANT), learnt)


def _begun(hold: _Hold) -> _Hold:
    """A hold begins anew at its start, and the next one at half of it: what threw once must not do so for ever."""
    return _Hold(size=hold.start, start=larger(hold.start - STEP, SHORT))


def _adjusted(hold: _Hold, x: Scalar, clipped: Truth) -> tuple[_Hold, Scalar]:
    """The hold after this step, and why it moved; it is judged at the end of a block."""
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


def _remembered(state: _NormHistory, x: Scalar, ceiling: Scalar, hold: _Hold) -> _NormHistory:
    """The history after this norm.

    A norm over the ceiling counts as the ceiling: close to it, it is the distribution's own tail. A single norm ten
    times over the ceiling is no part of the distribution and sets no record, but a second in a row does, since the
    norm has then risen.
    """
    in_a_row = where(x > ceiling, state.in_a_row + 1.0, 0.0)
    belongs = (in_a_row != 1.0) | (x < ceiling + SPIKE)
    level = smaller(x, ceiling)
    usual = state.usual + (level - state.usual) / smaller(state.seen + 1.0, USUAL)
    sunk = state.record - (state.record - usual) / MEMORY
    record = where((state.seen < 1) | (level > sunk) & belongs, level, sunk)
    return _NormHistory(state.seen + 1.0, usual, record, in_a_row, hold)
