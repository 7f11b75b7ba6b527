"""Whether the losses of two runs measure the same thing: a loss on other targets is lower or higher, not better."""

from __future__ import annotations

from gradreach.facts.facts import Facts
from gradreach.facts.losses import LossPart
from gradreach.facts.wording import figure, percent

SCALE = 2.0
"""Times by which the loss of a constant guess must differ: its own noise over a few batches stays under that."""


def other_loss(a: Facts, b: Facts) -> str:
    """Why the two losses cannot be held against each other, in a clause; empty where nothing speaks against it."""
    one, other = _whole(a), _whole(b)
    if one is None or other is None:
        return ""
    if one.last.kind != other.last.kind:
        return f"A is trained by {one.last.kind}, B by {other.last.kind}"
    x, y = one.guess, other.guess
    if not x or not y or x < 0 or y < 0 or max(x, y) < SCALE * min(x, y):
        return ""
    guesses = f"the targets differ in scale, a constant guess gets {figure(x)} in A and {figure(y)} in B"
    parts = [_part(facts, guess) for facts, guess in ((a, x), (b, y))]
    return f"{guesses}; the loss came to {parts[0]} and {parts[1]} of that" if all(parts) else guesses


def _whole(facts: Facts) -> LossPart | None:
    """The comparison that is the whole loss, where one line alone calls backward and its loss is nothing else."""
    whole = [part for part in facts.seen.loss_parts if part.last.is_whole]
    return whole[0] if len(facts.sites) == 1 and len(whole) == 1 else None


def _part(facts: Facts, guess: float) -> str:
    last = facts.sites[0].of_batch(facts.sites[0].learning.last)
    return percent(last / guess) if last is not None else ""
