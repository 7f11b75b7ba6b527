"""Copy memory."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from gradreach.tasks.task import Batch, Task, share_wrong

KINDS = 8
"""Symbols that are to be remembered; the blank and the sign come after them."""


def copying(delay: int = 100, symbols: int = 10) -> Task:
    """Symbols of 8 kinds, then blanks; after `delay` steps a sign comes, and they are said again in their order.

    Hochreiter and Schmidhuber 1997, in the form of Arjovsky, Shah and Bengio 2016: T = delay + 2 · symbols, and the
    blank is to be said until the sign. The loss is over all steps, so that who knows only when to speak pays
    symbols · ln 8 / T. The error is the share of wrong ones among the symbols said at the end, 7/8 by chance, learned
    at 0.05. Every symbol has to be kept for delay + symbols steps.
    Raises ValueError for less than one step or symbol.

    >>> import torch, gradreach as gr
    >>> x, y = gr.tasks.copying(delay=3, symbols=2).train(1, torch.Generator().manual_seed(0))
    >>> x.tolist(), y.tolist()
    ([[4, 7, 8, 8, 9, 8, 8]], [[8, 8, 8, 8, 8, 4, 7]])
    """
    if delay < 1 or symbols < 1:
        raise ValueError(
            f"delay, symbols: expected at least 1 step and 1 symbol, got {delay} and {symbols}; the sign is a step"
        )
    blank, sign = KINDS, KINDS + 1

    def draw(N: int, g: Generator) -> Batch:
        first = torch.randint(KINDS, (N, symbols), generator=g)
        x = torch.full((N, delay + 2 * symbols), blank)
        y = x.clone()
        x[:, :symbols] = y[:, -symbols:] = first
        x[:, symbols + delay - 1] = sign
        return Batch(x, y)

    def error(said: Tensor, y: Tensor) -> Tensor:
        return share_wrong(said[:, -symbols:], y[:, -symbols:])

    return Task(
        f"copying, delay {delay}",
        draw,
        draw,
        outputs=KINDS + 1,
        alphabet=KINDS + 2,
        length=delay + 2 * symbols,
        error=error,
        chance=1 - 1 / KINDS,
        solved=0.05,
    )
