"""A recurrence that is linear in its state, s_t = a_t ∘ s_{t−1} + b_t, over all steps by few large operations.

The steps are cut into blocks, and one operation takes the same step of all of them. Every block first runs from 0,
which gives its last state from there and the product of its a; these make a recurrence of the same form over the
blocks, whose states are what the blocks start from; then every block runs again, from its own start (Blelloch 1990,
"Prefix sums and their applications", section 1.4). Nothing is divided by a product and no logarithm is taken, so that a
may be 0 and of either sign. With blocks of a fixed length the depth is O(log T).
"""

from __future__ import annotations

import torch
from jaxtyping import Inexact
from torch import Tensor

_SHORTEST = 16
"""Steps of a block at least: fewer would make more levels, and more operations, than they save."""
_TOGETHER = 2**16
"""Numbers that an operation works on at best on a CPU: more leave the cache, fewer cost more in calls."""
_FEWEST = 4
"""Blocks at least: under these the second run of the blocks costs more than it saves."""


def accumulate_(a: Inexact[Tensor, T * n], states: Inexact[Tensor, T1 * n], *, reverse: bool = False) -> None:
    """Compute states[t + 1] += a[t] ∘ states[t] for t = 0, 1, … in place; b_t stands in states[t + 1] and s_0 first.

    In `reverse` it is the adjoint's recurrence, states[t] += a[t] ∘ states[t + 1] from the last step down. The result
    is the plain loop's up to rounding, and up to underflow of the product of a over a block.
    """
    before, after = (states[1:], states[:-1]) if reverse else (states[:-1], states[1:])
    T, count = len(a), _blocks(a)
    if count >= _FEWEST:
        length = T // count
        left = T % length
        blocks, rest = (slice(left, T), slice(left)) if reverse else (slice(T - left), slice(T - left, T))
        size = (T // length, length)
        start = before[blocks][-1 if reverse else 0]
        if _in_blocks(a[blocks].unflatten(0, size), after[blocks].unflatten(0, size), start, reverse):
            a, before, after = a[rest], before[rest], after[rest]
    for decay, was, now in _in_order(reverse, a.unbind(0), before.unbind(0), after.unbind(0)):
        now.addcmul_(decay, was)


def _blocks(a: Tensor) -> int:
    """How many blocks to cut the steps into."""
    most = len(a) // _SHORTEST
    return most if a.device.type != "cpu" else min(most, _TOGETHER * len(a) // max(a.numel(), 1))


def _in_blocks(a: Inexact[Tensor, "N L *n"], states: Inexact[Tensor, "N L *n"], start: Tensor, reverse: bool) -> bool:
    """Run all blocks from the state before the first of them; False, with nothing changed, where a product of a
    overflows, which the state itself may not."""
    steps = _in_order(reverse, a.unbind(1), states.unbind(1))
    product, last = (first.clone() for first in steps[0])
    for decay, made in steps[1:]:
        torch.addcmul(made, decay, last, out=last)
        product.mul_(decay)
    if bool(product.isinf().any()):
        return False
    ends = [last, start.unsqueeze(0)] if reverse else [start.unsqueeze(0), last]
    starts = torch.cat(ends)
    accumulate_(product, starts, reverse=reverse)
    state = starts[1:] if reverse else starts[:-1]
    for decay, made in steps:
        state = made.addcmul_(decay, state)
    return True


def _in_order(reverse: bool, *parts: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    steps = list(zip(*parts, strict=True))
    return steps[::-1] if reverse else steps
