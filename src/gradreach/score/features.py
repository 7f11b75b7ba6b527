"""What the test looks at in an input: a few numbers a step, from token ids or real values, and their products."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

PAIRS = 128
"""How many of the commonest pairs of token ids are told apart."""

SQUARED = 4
"""How many projections of a real input are multiplied, each with each."""


def embedded(inputs: Sequence[Tensor], width: int, products: bool, generator: torch.Generator) -> list[Tensor]:
    """Features of every step, (N, T, d) float64 with mean 0 and deviation 1 over all steps of all batches.

    Each token id gets random signs in `width` coordinates; real inputs of more than `width` coordinates are projected.
    With `products` there are also those of the coordinates of one step, and of a step with the one before it, so that a
    marker times a value or the order of two symbols is seen.
    """
    if inputs[0].is_floating_point():
        plain = _standard([_flat(x) for x in inputs])
        plain = _standard(narrowed(plain, width, generator))
        paired = _products(narrowed(plain, SQUARED, generator)) if products else []
    else:
        ids = torch.cat([x.reshape(-1) for x in inputs]).unique()
        first, second, third = (_signs(len(ids), width, generator) for _ in range(3))
        places = [torch.searchsorted(ids, x.contiguous()) for x in inputs]
        plain = [first[place] for place in places]
        late, early = (_centred([signs[place] for place in places]) for signs in (second, third))
        paired = [x * _earlier(y) for x, y in zip(late, early, strict=True)] if products else []
    both = [torch.cat(pair, -1) for pair in zip(plain, paired, strict=True)] if paired else plain
    return _standard(both)


def one_hot(inputs: Sequence[Tensor], most: int) -> list[Tensor]:
    """Indicators of each of the `most` commonest token ids, (N, T, d) float64, less their mean."""
    ids, counts = torch.cat([x.reshape(-1) for x in inputs]).unique(return_counts=True)
    common = ids[counts.argsort(descending=True)[: min(most, len(ids) - 1)]]
    return _standard([(x.unsqueeze(-1) == common).double() for x in inputs])


def pairs_of(inputs: Sequence[Tensor], most: int) -> list[Tensor]:
    """Indicators of each of the `most` commonest pairs of a token id and the one before it, (N, T, d)."""
    ids = torch.cat([x.reshape(-1) for x in inputs]).unique()
    places = [torch.searchsorted(ids, x.contiguous()) for x in inputs]
    return one_hot([place * len(ids) + _earlier(place) for place in places], most)


def whole(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Real inputs in all their coordinates, (N, T, f) float64 with mean 0 and deviation 1."""
    return _standard([_flat(x) for x in inputs])


def steps_of(batches: Sequence[Tensor]) -> Tensor:
    """All steps of all sequences of all batches (N, T, d), one below the other."""
    return torch.cat([x.reshape(-1, x.shape[-1]) for x in batches])


def _flat(x: Tensor) -> Tensor:
    return x.double().reshape(*x.shape[:2], -1)


def narrowed(batches: Sequence[Tensor], width: int, generator: torch.Generator) -> list[Tensor]:
    """At most `width` coordinates; where there are more, a random projection that keeps squared lengths on average."""
    wide = batches[0].shape[-1]
    if wide <= width:
        return list(batches)
    matrix = torch.randn(wide, width, generator=generator, dtype=torch.float64) / math.sqrt(width)
    return [x @ matrix for x in batches]


def _products(batches: Sequence[Tensor]) -> list[Tensor]:
    d = batches[0].shape[-1]
    rows, columns = torch.triu_indices(d, d)
    return [torch.cat([x[..., rows] * x[..., columns], x * _earlier(x)], -1) for x in batches]


def _earlier(x: Tensor) -> Tensor:
    """The step before each, zero before the first."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], 1)


def _signs(rows: int, width: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (rows, width), generator=generator).double() * 2 - 1


def _centred(batches: Sequence[Tensor]) -> list[Tensor]:
    """Mean 0 over all batches: a product of such factors says nothing of one factor alone, nor of an older step."""
    mean = steps_of(batches).mean(0)
    return [x - mean for x in batches]


def _standard(batches: Sequence[Tensor]) -> list[Tensor]:
    """Mean 0 and deviation 1 over all batches; coordinates that never change are left out."""
    rows = steps_of(batches)
    mean, deviation = rows.mean(0), rows.std(0, correction=0)
    alive = deviation > 1e-8 * (1.0 + mean.abs())
    return [(x - mean)[..., alive] / deviation[alive] for x in batches]
