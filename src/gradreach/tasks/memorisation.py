"""Noiseless memorisation."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from gradreach.tasks.task import Batch, Task


def memorisation(delay: int = 50, pattern: int = 5, symbols: int = 2) -> Task:
    """A pattern of 5 bits is said again after a silence: sequences differ in nothing else.

    Martens and Sutskever 2011, who name it; Pascanu, Mikolov and Bengio 2013, section 4.1.2; after the problem without
    noise of Hochreiter and Schmidhuber 1997. Their second form, of over 20 bits, is `pattern=10, symbols=5`. The input
    is the pattern, `delay` blanks, a sign, and blanks while the pattern is said, T = delay + 2 pattern; the target is
    a blank until the sign. Trained at every step, as theirs; judged by the share of the pattern's symbols that are
    wrong, which is 1 − 1/symbols where nothing is remembered. Learned at 0.01.
    Raises ValueError for a delay under 0, a pattern under 1 or fewer than 2 symbols.

    >>> import torch, gradreach as gr
    >>> x, y = gr.tasks.memorisation(delay=3).train(1, torch.Generator().manual_seed(1))
    >>> x.tolist()
    [[1, 1, 0, 0, 1, 2, 2, 2, 3, 2, 2, 2, 2]]
    >>> y.tolist()
    [[2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 0, 0, 1]]
    """
    for name, value, least in (("delay", delay, 0), ("pattern", pattern, 1), ("symbols", symbols, 2)):
        if value < least:
            raise ValueError(f"{name}: expected at least {least}, got {value}")
    blank, sign, T = symbols, symbols + 1, delay + 2 * pattern

    def draw(N: int, g: Generator) -> Batch:
        remembered = torch.randint(symbols, (N, pattern), generator=g)
        x, y = torch.full((N, T), blank), torch.full((N, T), blank)
        x[:, :pattern] = y[:, -pattern:] = remembered
        x[:, -pattern] = sign
        return Batch(x, y)

    def wrong(said: Tensor, y: Tensor) -> Tensor:
        return (said.argmax(-1) != y)[y != blank].double().mean()

    return Task(
        f"memorisation, {pattern} of {symbols} symbols, delay {delay}",
        draw,
        draw,
        outputs=symbols + 1,
        alphabet=symbols + 2,
        length=T,
        error=wrong,
        chance=1 - 1 / symbols,
        solved=0.01,
    )
