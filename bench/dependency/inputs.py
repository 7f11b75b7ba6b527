"""Kinds of input: batches of N independent sequences of T steps, tokens (N, T) or real (N, T, f), from a generator."""

from __future__ import annotations

import importlib.util
import pydoc_data.topics
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Generator, Tensor

TOKENS = 8
LETTERS = 32
STAYS = 0.8
"""Share of the steps at which the sticky chain keeps its token; on the others it draws anew."""

PIXELS = 64


@dataclass(frozen=True)
class Kind:
    """One kind of input: the size of its alphabet, None where it is real, and how N sequences of T steps are drawn."""

    name: str
    alphabet: int | None
    draw: Callable[[int, int, Generator], Tensor]


def iid_tokens(N: int, T: int, g: Generator) -> Tensor:
    return torch.randint(TOKENS, (N, T), generator=g)


def sticky_tokens(N: int, T: int, g: Generator) -> Tensor:
    """A Markov chain: x_t = x_{t−1} with chance `STAYS`, else any token."""
    fresh = torch.randint(TOKENS, (N, T), generator=g)
    new = torch.rand((N, T), generator=g) >= STAYS
    new[:, 0] = True
    since = torch.where(new, torch.arange(T), 0).cummax(1).values
    return fresh.gather(1, since)


def autoregressive(phi: float) -> Callable[[int, int, Generator], Tensor]:
    """x_t = φ x_{t−1} + √(1 − φ²) ε_t, stationary from the first step, of variance 1."""

    def draw(N: int, T: int, g: Generator) -> Tensor:
        x = torch.randn((T, N), generator=g)
        x[1:] *= (1 - phi**2) ** 0.5
        for t in range(1, T):
            x[t] += phi * x[t - 1]
        return x.T.unsqueeze(-1).contiguous()

    return draw


@cache
def letters() -> Tensor:
    """The help texts that come with CPython as letters: the `LETTERS` − 1 most common ones, and one for all others."""
    text = "".join(each for _, each in sorted(pydoc_data.topics.topics.items()))
    known = {c: i for i, (c, _) in enumerate(Counter(text).most_common(LETTERS - 1))}
    return torch.tensor([known.get(c, LETTERS - 1) for c in text])


def text(N: int, T: int, g: Generator) -> Tensor:
    """Windows of the text that begin anywhere."""
    begins = torch.randint(len(letters()) - T, (N, 1), generator=g)
    return letters()[begins + torch.arange(T)]


@cache
def images() -> Tensor:
    from sklearn.datasets import load_digits

    return torch.from_numpy(load_digits().data).float() / 8 - 1


def digits(N: int, T: int, g: Generator) -> Tensor:
    """Handwritten digits, 8 × 8 pixels row by row; longer sequences are several digits, one after the other."""
    count = -(-T // PIXELS)
    which = torch.randint(len(images()), (N, count), generator=g)
    return images()[which].reshape(N, -1)[:, :T].unsqueeze(-1)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("iid tokens", TOKENS, iid_tokens),
        Kind("sticky tokens", TOKENS, sticky_tokens),
        Kind("AR(1) 0.5", None, autoregressive(0.5)),
        Kind("AR(1) 0.9", None, autoregressive(0.9)),
        Kind("AR(1) 0.99", None, autoregressive(0.99)),
        Kind("text", LETTERS, text),
        Kind("digits", None, digits),
    )
}


def missing() -> dict[str, str]:
    """The kinds that cannot be drawn here, and why."""
    if importlib.util.find_spec("sklearn") is None:
        return {"digits": "scikit-learn is not installed: python -m pip install scikit-learn"}
    return {}
