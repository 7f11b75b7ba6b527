"""Echo: what came some steps ago is to be said at every step."""

from __future__ import annotations

import torch
from torch import Generator

from gradreach.tasks.task import UNSCORED, Batch, Task


def echo(lag: int = 10, length: int = 100, symbols: int = 2) -> Task:
    """The symbol of n steps ago is said at every step: one lag matters, and nothing else does.

    Symbols are drawn evenly and each on its own, so that any answer made without x_{t−n} is wrong with probability
    exactly 1 − 1/symbols. Scored from step n on. Learned at an error of 0.05.
    Raises ValueError for a lag under 1, a length that leaves no step to be scored, fewer than 2 symbols.

    >>> import torch, gradreach as gr
    >>> batch = gr.tasks.echo(lag=2, length=5).train(1, torch.Generator().manual_seed(0))
    >>> batch.x[0].tolist(), batch.y[0].tolist()
    ([0, 1, 1, 0, 1], [-100, -100, 0, 1, 1])
    """
    if lag < 1:
        raise ValueError(f"lag: expected at least 1 step, got {lag}")
    if length <= lag:
        raise ValueError(f"length: expected more than the lag, {lag} steps, got {length}: nothing would be said")
    if symbols < 2:
        raise ValueError(f"symbols: expected at least 2, got {symbols}: there would be nothing to learn")

    def draw(N: int, g: Generator) -> Batch:
        x = torch.randint(symbols, (N, length), generator=g)
        y = torch.full_like(x, UNSCORED)
        y[:, lag:] = x[:, :-lag]
        return Batch(x, y)

    return Task(
        f"echo, lag {lag}",
        draw,
        draw,
        outputs=symbols,
        alphabet=symbols,
        length=length,
        chance=1 - 1 / symbols,
        solved=0.05,
    )
