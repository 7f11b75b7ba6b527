"""Which sequences are cut from one stretch of data: the same one seen again, windows that overlap, or one cycle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_FACTOR = -7046029254386353131
"""An odd number with no pattern in its bits (splitmix64's own): the base of the hashes, modulo 2⁶⁴."""

_INVERSE = pow(_FACTOR, -1, 1 << 64)
_INVERSE -= (_INVERSE >> 63) << 64
"""1 / w modulo 2⁶⁴."""

REPEATS = 0.5
"""Data with so small a part of distinct positions, or less, go round in cycles."""


@dataclass(frozen=True)
class Stretches:
    """For each sequence of each batch the stretch (N,) that it is cut from, and where in it (N,) it begins."""

    number: list[Tensor]
    begin: list[Tensor]

    def parts(self, length: int) -> list[Tensor]:
        """The stretches cut in parts of `length` steps: a number (N,) for each sequence, by where it begins."""
        cut = [(number << 32) + begin // length for number, begin in zip(self.number, self.begin, strict=True)]
        whole = torch.cat(cut).unique(return_inverse=True)[1]
        return list(whole.split([len(each) for each in cut]))


def stretches(inputs: Sequence[Tensor], groups: Sequence[Tensor]) -> Stretches:
    """Join the sequences that share a run of steps, ids (N, T) or real (N, T, f), or a number in `groups`.

    A run is half as long as the longest sequence, and must be more surprising than any that independent sequences
    share by chance. Sequences that are joined by chance all the same cost power, not the level.
    """
    codes = [_codes(x) for x in inputs]
    links = _shared(codes, max(2, max(x.shape[1] for x in codes) // 2))
    sizes = [len(x) for x in codes]
    same = torch.cat(list(groups)).unique(return_inverse=True)[1]
    joined = _Joined(sum(sizes))
    first: dict[int, int] = {}
    for sequence, group in enumerate(same.tolist()):
        joined.join(sequence, first.setdefault(group, sequence), 0)
    for later, earlier, offset in links.tolist():
        joined.join(later, earlier, offset)
    number, begin = joined.places()
    return Stretches(list(number.split(sizes)), list(begin.split(sizes)))


class _Joined:
    """A forest of sequences, each with its begin relative to its parent."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))
        self._offset = [0] * count

    def _root(self, node: int) -> tuple[int, int]:
        path, total = [], 0
        while self._parent[node] != node:
            path.append(node)
            node = self._parent[node]
        for each in reversed(path):
            total += self._offset[each]
            self._parent[each], self._offset[each] = node, total
        return node, total

    def join(self, later: int, earlier: int, offset: int) -> None:
        """`later` begins `offset` steps after `earlier`; what was joined before stays as it was."""
        (root, at), (other, place) = self._root(later), self._root(earlier)
        if root != other:
            self._parent[root], self._offset[root] = other, place + offset - at

    def places(self) -> tuple[Tensor, Tensor]:
        """The stretch of every sequence, numbered from 0, and where in it it begins, from 0 on."""
        roots, begins = (torch.tensor(each) for each in zip(*map(self._root, range(len(self._parent))), strict=True))
        number = roots.unique(return_inverse=True)[1]
        least = torch.zeros(int(number.max()) + 1, dtype=torch.long).scatter_reduce(0, number, begins, "amin")
        return number, begins - least[number]


def _codes(x: Tensor) -> Tensor:
    """One integer (N, T) for each step's content."""
    if not x.is_floating_point():
        return x.long()
    bits = x.float().flatten(2).view(torch.int32).long()
    return _mixed(bits @ _powers(bits.shape[-1], _FACTOR))


def _mixed(codes: Tensor) -> Tensor:
    return (codes ^ (codes >> 29)) * _FACTOR


def _powers(n: int, factor: int) -> Tensor:
    """1, w, w², …, modulo 2⁶⁴."""
    return torch.cat([torch.ones(1, dtype=torch.long), torch.full((n - 1,), factor)]).cumprod(0)


def _runs(codes: Tensor, n: int) -> Tensor:
    """A hash (N, T − n + 1) of each run of n steps, Σ_j c_{s+j} w^j: from sums up to each step, times w^{−s}."""
    T = codes.shape[1]
    sums = (_mixed(codes) * _powers(T, _FACTOR)).cumsum(1)
    before = torch.nn.functional.pad(sums, (1, 0))[:, : T - n + 1]
    return (sums[:, n - 1 :] - before) * _powers(T - n + 1, _INVERSE)


def _surprise(codes: Sequence[Tensor], n: int) -> list[Tensor]:
    """Σ −log p (N, T − n + 1) over the steps of each run that differ from the step before.

    p is the share of the sequences that hold the same at the same step: what all have in common, as a template or the
    blanks between, is no surprise, and neither is what stays.
    """
    at = torch.cat([(_mixed(x) + torch.arange(x.shape[1])).flatten() for x in codes])
    which, counts = at.unique(return_inverse=True, return_counts=True)[1:]
    counts_at = counts[which].double().split([x.numel() for x in codes])
    T = max(x.shape[1] for x in codes)
    sequences = torch.stack([(torch.arange(T) < x.shape[1]).double() * len(x) for x in codes]).sum(0)
    surprises = []
    for x, same in zip(codes, counts_at, strict=True):
        rarity = (sequences[: x.shape[1]] / same.reshape(x.shape)).log()
        rarity[:, 1:] *= x[:, 1:] != x[:, :-1]
        sums = torch.nn.functional.pad(rarity.cumsum(1), (1, 0))
        surprises.append(sums[:, n:] - sums[:, : x.shape[1] - n + 1])
    return surprises


def _shared(codes: Sequence[Tensor], n: int) -> Tensor:
    """(later, earlier, how many steps after it the later begins) for sequences that share a run."""
    rows, base = [], 0
    long = [x for x in codes if x.shape[1] >= n]
    surprise = iter(_surprise(long, n))
    needed = 2.0 * math.log(sum(x.numel() for x in codes))
    for x in codes:
        if x.shape[1] >= n:
            hashes = _runs(x, n)
            sequence, step = (next(surprise) > needed).nonzero(as_tuple=True)
            rows.append(torch.stack([hashes[sequence, step], sequence + base, step]))
        base += len(x)
    if not rows:
        return torch.zeros(0, 3, dtype=torch.long)
    hashes, sequence, step = torch.cat(rows, 1)
    run = hashes.unique(return_inverse=True)[1]
    order = torch.arange(len(run))
    first = torch.full((int(run.max()) + 1 if len(run) else 0,), len(run)).scatter_reduce(0, run, order, "amin")[run]
    repeats = sequence[first] != sequence
    links = torch.stack([sequence, sequence[first], step[first] - step], 1)[repeats]
    pairs = (links[:, 0] << 32) + links[:, 1]
    kept = torch.unique(pairs, return_inverse=True)[1]
    which = torch.full((int(kept.max()) + 1 if len(kept) else 0,), len(kept))
    return links[which.scatter_reduce(0, kept, torch.arange(len(kept)), "amin")]


def goes_round(inputs: Sequence[Tensor]) -> bool:
    """Whether the sequences hold far fewer distinct runs of half their length than they have of them: they repeat."""
    hashes = [_runs(codes, max(1, codes.shape[1] // 2)).flatten() for codes in map(_codes, inputs)]
    return len(torch.cat(hashes).unique()) <= REPEATS * sum(map(len, hashes))
