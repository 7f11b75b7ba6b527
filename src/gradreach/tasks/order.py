"""Temporal order."""

from __future__ import annotations

import torch
from torch import Generator

from gradreach.tasks.task import Batch, Task

BEGINS = {2: (0.1, 0.5), 3: (0.1, 0.3, 0.6)}
"""Where the stretches begin in which the signs come, as shares of T; each is T/10 long."""

NOISE = 4


def order(length: int = 100, signs: int = 2) -> Task:
    """In a stream of noise 2 (or 3) signs come, each an A or a B: which, and in which order, is said at the end.

    Hochreiter and Schmidhuber 1997, tasks 6a and 6b, with the places that Pascanu, Mikolov and Bengio 2013 gave them
    (their published code): at random in T/10 … 2T/10 and 5T/10 … 6T/10; three signs at T/10, 3T/10 and 6T/10. Classes:
    the signs as binary digits, the last counts most; 3/4 (7/8) wrong by chance, learned at 1 % wrong.
    Raises ValueError for fewer than 10 steps or other numbers of signs.

    >>> import torch, gradreach as gr
    >>> x, y = gr.tasks.order(length=10).train(2, torch.Generator().manual_seed(0))
    >>> x.tolist(), y.tolist()  # A 0, B 1, the noise 2 … 5
    ([[2, 0, 3, 2, 5, 1, 5, 5, 3, 5], [3, 1, 2, 5, 4, 0, 2, 2, 4, 3]], [2, 1])
    """
    if length < 10:
        raise ValueError(f"length: expected at least 10 steps, of which a tenth may hold a sign, got {length}")
    if signs not in BEGINS:
        raise ValueError(f"signs: expected 2 or 3, got {signs}")
    classes = 2**signs

    def draw(N: int, g: Generator) -> Batch:
        x = torch.randint(2, 2 + NOISE, (N, length), generator=g)
        drawn = torch.randint(2, (N, signs), generator=g)
        for i, begin in enumerate(BEGINS[signs]):
            first = round(begin * length)
            place = torch.randint(first, first + length // 10, (N, 1), generator=g)
            x.scatter_(1, place, drawn[:, i : i + 1])
        return Batch(x, (drawn << torch.arange(signs)).sum(1))

    return Task(
        f"temporal order of {signs}, T {length}",
        draw,
        draw,
        outputs=classes,
        alphabet=2 + NOISE,
        length=length,
        where="last step",
        chance=1 - 1 / classes,
        solved=0.01,
    )
