"""Targets: what has to be said at which step, and the tasks made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from inputs import KINDS, TOKENS, Kind
from torch import Generator, Tensor

Where = Literal["every step", "last step"]
Near = Literal["noise", "near", "near product"]

CLASSES = 8
KEPT = 0.8
"""Share of the steps at which a class follows from the inputs; on the others it is any class."""


class Batch(NamedTuple):
    """Inputs (N, T) or (N, T, f), targets (N, T) or (N, T, 1), and the steps (N, T) that carry a loss."""

    x: Tensor
    y: Tensor
    scored: Tensor


@dataclass(frozen=True)
class Task:
    """How a batch of N sequences is drawn; `alphabet` of tokens or `width` of real inputs, `classes` or a real target.

    `learned` is the loss under which the task counts as learned.
    """

    name: str
    draw: Callable[[int, Generator], Batch]
    alphabet: int | None = None
    width: int = 1
    classes: int | None = None
    learned: float = 0.0


def scored(N: int, T: int, where: Where) -> Tensor:
    mask = torch.ones((N, T), dtype=torch.bool)
    if where == "last step":
        mask[:, :-1] = False
    return mask


def back(x: Tensor, n: int) -> Tensor:
    """x_{t−n} at every t; before the beginning, x_0."""
    return x if n == 0 else torch.cat([x[:, :1].expand(-1, n, *x.shape[2:]), x[:, :-n]], 1) if n < x.shape[1] else x


def some_class(N: int, T: int, g: Generator) -> Tensor:
    return torch.randint(CLASSES, (N, T), generator=g)


def independent(kind: Kind, target: Near, where: Where, T: int) -> Task:
    """Nothing to learn beyond lag 1: pure noise, a sum of functions of x_t and x_{t−1}, or a product of both."""

    def of_tokens(N: int, g: Generator) -> Batch:
        x, y = kind.draw(N, T, g), some_class(N, T, g)
        chance = torch.rand((N, T), generator=g)
        if target == "near":
            y = torch.where(chance < 0.5, x % CLASSES, torch.where(chance < 0.75, back(x, 1) % CLASSES, y))
        elif target == "near product":
            y = torch.where(chance < KEPT, (x + back(x, 1)) % CLASSES, y)
        return Batch(x, y, scored(N, T, where))

    def of_reals(N: int, g: Generator) -> Batch:
        x = kind.draw(N, T, g)
        y = torch.randn((N, T, 1), generator=g)
        if target == "near":
            y = y + x - 0.5 * back(x, 1)
        elif target == "near product":
            y = y + x * back(x, 1)
        return Batch(x, y, scored(N, T, where))

    name = f"{target}, {where}, {kind.name}"
    if kind.alphabet is None:
        return Task(name, of_reals)
    return Task(name, of_tokens, kind.alphabet, classes=CLASSES)


def planted(kind: Kind, lag: int, strength: float, T: int) -> Task:
    """x_{t−lag} explains a share `strength` of the target's variance at every step t ≥ lag; earlier steps are noise.

    A real target is √strength x_{t−lag} + √(1 − strength) ε; a class is that token's with chance √strength, else any.
    """

    def draw(N: int, g: Generator) -> Batch:
        x = kind.draw(N, T, g)
        far = back(x, lag)
        if kind.alphabet is None:
            noise = torch.randn((N, T, 1), generator=g)
            y = strength**0.5 * far + (1 - strength) ** 0.5 * noise
            y[:, :lag] = noise[:, :lag]
        else:
            noise = some_class(N, T, g)
            y = torch.where(torch.rand((N, T), generator=g) < strength**0.5, far % CLASSES, noise)
            y[:, :lag] = noise[:, :lag]
        return Batch(x, y, scored(N, T, "every step"))

    classes = None if kind.alphabet is None else CLASSES
    return Task(f"lag {lag}", draw, kind.alphabet, classes=classes)


def adding(T: int) -> Task:
    """The sum of two marked numbers, one in either half (Hochreiter and Schmidhuber, 1997); said at the end."""

    def draw(N: int, g: Generator) -> Batch:
        values = torch.rand((N, T), generator=g)
        marks = torch.zeros(N, T)
        for begin, end in ((0, T // 2), (T // 2, T)):
            marks.scatter_(1, torch.randint(begin, end, (N, 1), generator=g), 1.0)
        y = (values * marks).sum(1, keepdim=True).expand(N, T).unsqueeze(-1)
        return Batch(torch.stack([values, marks], -1), y, scored(N, T, "last step"))

    return Task(f"adding, T {T}", draw, width=2, learned=0.02)


def copying(delay: int, length: int = 5) -> Task:
    """Repeat `length` symbols after a delay (Hochreiter and Schmidhuber, 1997): blanks until the sign, then symbols."""

    def draw(N: int, g: Generator) -> Batch:
        symbols = torch.randint(TOKENS, (N, length), generator=g)
        blank = torch.full((N, delay), TOKENS)
        x = torch.cat([symbols, blank, torch.full((N, 1), TOKENS + 1), blank[:, :1].expand(N, length - 1)], 1)
        y = torch.cat([blank[:, :1].expand(N, delay + length), symbols], 1)
        return Batch(x, y, scored(N, x.shape[1], "every step"))

    return Task(f"copy, delay {delay}", draw, TOKENS + 2, classes=TOKENS + 1, learned=0.02)


def order(T: int) -> Task:
    """Which of two signs came at T/10…T/5, which at T/2…3T/5 (Hochreiter and Schmidhuber, 1997); said at the end."""

    def draw(N: int, g: Generator) -> Batch:
        x = torch.randint(2, 6, (N, T), generator=g)
        signs = torch.randint(2, (N, 2), generator=g)
        for i, (begin, end) in enumerate(((T // 10, T // 5), (T // 2, 3 * T // 5))):
            x.scatter_(1, torch.randint(begin, end, (N, 1), generator=g), signs[:, i : i + 1])
        y = (2 * signs[:, :1] + signs[:, 1:]).expand(N, T)
        return Batch(x, y, scored(N, T, "last step"))

    return Task(f"temporal order, T {T}", draw, 6, classes=4, learned=0.1)


def agreement(phrases: int) -> Task:
    """Does the verb's subject stand in the plural? (Linzen, Dupoux, Goldberg, 2016), asked where the verb would come.

    "the key to the cabinets near the door … is": a subject, `phrases` or up to a quarter fewer prepositional phrases,
    each with a noun of either number (attractors), and nothing that repeats the subject's number.
    """
    pad, the, adjective, noun, preposition = 0, 1, 2, 6, 14
    alphabet, T = 18, 2 + 4 * phrases

    def draw(N: int, g: Generator) -> Batch:
        plural = torch.randint(2, (N, 1 + phrases), generator=g)
        nouns = noun + 2 * torch.randint(4, (N, 1 + phrases), generator=g) + plural
        phrase = torch.stack(
            [
                preposition + torch.randint(4, (N, phrases), generator=g),
                torch.full((N, phrases), the),
                adjective + torch.randint(4, (N, phrases), generator=g),
                nouns[:, 1:],
            ],
            -1,
        )
        x = torch.cat([torch.full((N, 1), the), nouns[:, :1], phrase.reshape(N, -1)], 1)
        end = 1 + 4 * torch.randint(phrases - phrases // 4, phrases + 1, (N, 1), generator=g)
        x = torch.where(torch.arange(T) <= end, x, pad)
        return Batch(x, plural[:, :1].expand(N, T), torch.arange(T) == end)

    return Task(f"agreement, {phrases} phrases", draw, alphabet, classes=2, learned=0.1)


def near_sum(kind: str, T: int) -> Task:
    """(x_t + x_{t−1} + x_{t−2}) mod 8 at every step: hard, and short."""

    def draw(N: int, g: Generator) -> Batch:
        x = KINDS[kind].draw(N, T, g)
        return Batch(x, (x + back(x, 1) + back(x, 2)) % CLASSES, scored(N, T, "every step"))

    return Task(f"sum of three mod 8, {kind}", draw, KINDS[kind].alphabet, classes=CLASSES, learned=0.1)


def short(kind: str, T: int) -> Task:
    """x_{t−2} at every step."""

    def draw(N: int, g: Generator) -> Batch:
        x = KINDS[kind].draw(N, T, g)
        return Batch(x, back(x, 2), scored(N, T, "every step"))

    return Task(f"two steps back, {kind}", draw, KINDS[kind].alphabet, classes=TOKENS, learned=0.1)
