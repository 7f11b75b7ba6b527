"""Polyphonic music, notes by the step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from gradreach.tasks.task import UNSCORED, Batch, Draw, Task

NOTES = 88
"""The keys of a piano; the lowest, A0, is 0."""

SCALE = (0, 2, 4, 5, 7, 9, 11)
MIDDLE = 39
"""Middle C."""

FOLLOWS = ((0, 1, 2, 3, 4, 5, 6), (4, 6), (3, 5), (0, 1, 4), (0, 5), (1, 3), (0,))
"""By degree of the scale: the chords that may come after the one that stands on it, all as likely."""

PIECES, LONGEST = (200, 50), 64
"""Composed pieces that train and that test; the steps of the longest, the shortest has half of them."""


def music(length: int = 128, data: str | Path | None = None) -> Task:
    """Which notes sound next? Chords of the 88 keys, at most T steps of each piece.

    `data` is a .mat file that holds traindata and testdata, cells of binary (T, 88), the form in which the sets of
    Boulanger-Lewandowski, Bengio and Vincent 2012 (JSB chorales, Nottingham, …) are handed round; T = 128 takes in
    every chorale as a whole. Without it a small Markov chain composes: chords of one major key a piece, each held for
    two steps; a stand-in, no music. Loss and error are the negative log likelihood of a step's notes in nats, summed
    over notes, a mean over steps; the first step of a window is not asked for. Shorter pieces are padded, and the
    padding is not scored. `chance` is the error of who knows how often each note sounds in training, and nothing else.
    No level counts as learned.
    Raises ValueError for a length under 1 or a file that holds something else, OSError for one that cannot be read,
    ModuleNotFoundError where scipy is needed and missing.

    >>> import torch, gradreach as gr
    >>> x, y = gr.tasks.music(length=20).train(3, torch.Generator().manual_seed(0))
    >>> x.shape, y.shape, float(x[0, 0].sum())                   # a bass and a chord of three
    (torch.Size([3, 20, 88]), torch.Size([3, 20, 88]), 4.0)
    """
    if length < 1:
        raise ValueError(f"length: expected at least 1 step, got {length}")
    train, test = composed() if data is None else _read(Path(data))
    heard = torch.cat(train).double()
    often = (heard.sum(0) + 1) / (len(heard) + 2)
    asked = torch.cat([piece[1:] for piece in test]).double()
    return Task(
        f"music, T up to {length}",
        _windows(train, length),
        _windows(test, length),
        outputs=NOTES,
        width=NOTES,
        length=min(length, max(map(len, train)) - 1),
        loss=surprise,
        error=surprise,
        chance=float(surprise(often.logit().expand_as(asked), asked)),
    )


def surprise(said: Tensor, y: Tensor) -> Tensor:
    """−log p of a step's notes in nats, a mean over the scored steps: logits (…, 88), notes (…, 88)."""
    scored = y[..., 0] != UNSCORED
    return F.binary_cross_entropy_with_logits(said[scored], y[scored], reduction="sum") / scored.sum()


def composed() -> tuple[list[Tensor], list[Tensor]]:
    """The pieces of the Markov chain that train, and those that test: always the same."""
    g = torch.Generator().manual_seed(0)
    train, test = ([_piece(g) for _ in range(n)] for n in PIECES)
    return train, test


def _piece(g: Generator) -> Tensor:
    def any_of(choices: Sequence[int]) -> int:
        return choices[int(torch.randint(len(choices), (), generator=g))]

    key, T = any_of(range(12)), any_of(range(LONGEST // 2, LONGEST + 1, 2))
    roll, degree = torch.zeros((T, NOTES), dtype=torch.uint8), 0
    for t in range(0, T, 2):
        tones = [key + SCALE[(degree + third) % 7] for third in (0, 2, 4)]
        roll[t : t + 2, [MIDDLE - 24 + tones[0], *(MIDDLE + tone for tone in tones)]] = 1
        degree = any_of(FOLLOWS[degree])
    return roll


def _windows(pieces: Sequence[Tensor], length: int) -> Draw:
    notes, sizes = torch.cat(list(pieces)), torch.tensor([len(piece) for piece in pieces])
    first = sizes.cumsum(0) - sizes

    def draw(N: int, g: Generator) -> Batch:
        which = torch.randint(len(sizes), (N,), generator=g)
        span = (sizes[which] - 1).clamp(max=length)
        late = (torch.rand(N, generator=g) * (sizes[which] - span)).long()
        t = torch.arange(int(span.max()))
        inside = (t < span[:, None])[..., None]
        at = (first[which] + late)[:, None] + t.minimum(span[:, None] - 1)
        return Batch(notes[at] * inside.float(), torch.where(inside, notes[at + 1].float(), float(UNSCORED)))

    return draw


def _read(path: Path) -> tuple[list[Tensor], list[Tensor]]:
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            'data: scipy, which reads .mat files, is missing: python -m pip install "gradreach[experiments]"'
        ) from missing
    try:
        held = loadmat(str(path), appendmat=False)
        train, test = ([_notes(piece) for piece in held[name].flat] for name in ("traindata", "testdata"))
    except (ValueError, KeyError, TypeError, NotImplementedError) as broken:
        raise ValueError(
            f"data: expected a .mat file with traindata and testdata, cells of 0 and 1, (T, {NOTES}), got {path}"
        ) from broken
    return train, test


def _notes(piece: np.ndarray) -> Tensor:
    if piece.ndim != 2 or piece.shape[1] != NOTES or len(piece) < 2 or not np.isin(piece, (0, 1)).all():
        raise ValueError(f"no piece: {piece.shape}")
    return torch.from_numpy(piece.astype(np.uint8))
