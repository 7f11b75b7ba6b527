"""The next character of a text."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor

from gradreach.tasks.task import Task, cross_entropy, windows
from gradreach.tasks.text import frequency_nats, manual, read

TRAINED = 0.9
"""The share of the text that trains, from its beginning; the rest is the test."""


def characters(length: int = 100, data: str | Path | None = None) -> Task:
    """Which character of the text comes next? Windows of T characters that begin anywhere.

    `data` is any text file in UTF-8; without it, the help texts that CPython carries (pydoc_data.topics, 0.46 MB of
    English). The first 90 % train, the rest are the test. The loss is in nats, the error in bits a character, as
    published. `chance` is the error of who knows the characters' frequencies in the first part, plus one each, and
    looks at no other character. No level counts as learned.
    Raises ValueError for a length under 1, or a text that is too short for it or not UTF-8; OSError for a file that
    cannot be read.

    >>> import torch, gradreach as gr
    >>> x, y = gr.tasks.characters(length=8).train(2, torch.Generator().manual_seed(0))
    >>> x.shape, bool((x[:, 1:] == y[:, :-1]).all())
    (torch.Size([2, 8]), True)
    """
    if length < 1:
        raise ValueError(f"length: expected at least 1 character, got {length}")
    text = manual() if data is None else read(Path(data))
    number = {character: i for i, character in enumerate(sorted(set(text)))}
    coded = torch.tensor([number[character] for character in text])
    train, test = coded.tensor_split([int(TRAINED * len(coded))])
    if len(test) <= length:
        raise ValueError(
            f"length: expected fewer than {len(test)}, the characters that are kept for the test, got {length}"
        )
    return Task(
        f"characters, T {length}",
        windows(train, length),
        windows(test, length),
        outputs=len(number),
        alphabet=len(number),
        length=length,
        error=bits,
        chance=frequency_nats(train, test, len(number)) / math.log(2),
    )


def bits(said: Tensor, y: Tensor) -> Tensor:
    """`cross_entropy` in bits: the nats over ln 2."""
    return cross_entropy(said, y) / math.log(2)
