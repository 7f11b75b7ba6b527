"""Real digits for a deep stack: 64 numbers in, one of ten classes out, nothing recurrent."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from gradreach.tasks.task import Batch, Draw, Task

HELD_OUT = 360
"""Of the 1797 digits, a fifth, kept for the test."""


class Digits(NamedTuple):
    """Both parts: pictures (N, 64) of 8 × 8 grey values in [0, 1], row by row, and classes (N,)."""

    train: Batch
    test: Batch


@cache
def digits_data() -> Digits:
    """scikit-learn's digits (UCI, Alpaydin and Kaynak 1998), always split in the same way.

    Raises ModuleNotFoundError where scikit-learn is missing.
    """
    try:
        from sklearn.datasets import load_digits  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            'data: expected scikit-learn, which holds the digits; python -m pip install "gradreach[experiments]"'
        ) from missing
    pictures, classes = load_digits(return_X_y=True)
    x = torch.as_tensor(pictures, dtype=torch.float32) / 16
    y = torch.as_tensor(classes, dtype=torch.int64)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    test, train = order[:HELD_OUT], order[HELD_OUT:]
    return Digits(Batch(x[train], y[train]), Batch(x[test], y[test]))


def deep() -> Task:
    """Ten classes of handwritten digits, 8 × 8 grey values as one vector: for stacks of many layers.

    Chance is the error of the best answer that is the same for every picture. Learned at 0.1. The test is on pictures
    that no training has seen.

    >>> import torch
    >>> batch = deep().train(4, torch.Generator().manual_seed(0))
    >>> batch.x.shape, batch.y.shape
    (torch.Size([4, 64]), torch.Size([4]))
    """
    train, test = digits_data()
    most = int(train.y.bincount().argmax())
    return Task(
        "deep",
        drawn(train),
        drawn(test),
        outputs=10,
        width=64,
        chance=float((test.y != most).double().mean()),
        solved=0.1,
    )


def drawn(kept: Batch) -> Draw:
    """N of the samples kept, each at most once; all of them where N is more."""

    def draw(N: int, g: Generator) -> Batch:
        chosen: Tensor = torch.randperm(len(kept.y), generator=g)[:N]
        return Batch(kept.x[chosen], kept.y[chosen])

    return draw
