"""The adding problem."""

from __future__ import annotations

import torch
from torch import Generator
from torch.nn import functional as F

from gradreach.tasks.task import Batch, Task


def adding(length: int = 100) -> Task:
    """Two of T numbers in [0, 1] are marked, one in either half; said at the end is their sum.

    Hochreiter and Schmidhuber 1997, with the marks spread as in Le, Jaitly and Hinton 2015. Saying 1 whatever comes
    costs the variance of the sum of two uniform numbers, 1/6. Learned at 0.01, about a sixteenth of it.
    Raises ValueError for a length under 2.

    >>> import torch, gradreach as gr
    >>> batch = gr.tasks.adding(length=10).train(4, torch.Generator().manual_seed(0))
    >>> batch.x.shape, batch.y.shape
    (torch.Size([4, 10, 2]), torch.Size([4, 1]))
    """
    if length < 2:
        raise ValueError(f"length: expected at least 2 steps, for one mark in either half, got {length}")

    def draw(N: int, g: Generator) -> Batch:
        values, marks = torch.rand((N, length), generator=g), torch.zeros(N, length)
        for begin, end in ((0, length // 2), (length // 2, length)):
            marks.scatter_(1, torch.randint(begin, end, (N, 1), generator=g), 1.0)
        return Batch(torch.stack([values, marks], -1), (values * marks).sum(1, keepdim=True))

    return Task(
        f"adding, T {length}",
        draw,
        draw,
        outputs=1,
        width=2,
        length=length,
        where="last step",
        loss=F.mse_loss,
        error=F.mse_loss,
        chance=1 / 6,
        solved=0.01,
    )
