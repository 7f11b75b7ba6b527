"""The errors as rows, one a position, and sums over what belongs together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

MOST_ROWS = 8_192
FEWEST_TOGETHER = 8
"""Positions are centred at one step over all sequences of a batch; steps with fewer sequences go together."""


@dataclass(frozen=True)
class Rows:
    """Positions that carry an error: (n,) indices of batch, sequence and step, and the errors (n, p).

    Rows of one `stratum` are centred together, and rows of one `cluster` are flipped together. Rows of one `place` in a
    cluster are the same position, seen again.
    """

    batch: Tensor
    sequence: Tensor
    step: Tensor
    stratum: Tensor
    cluster: Tensor
    place: Tensor
    errors: Tensor

    def beyond(self, lag: int) -> Rows:
        """The rows with an input `lag` steps back; clusters and strata are numbered anew."""
        keep = self.step >= lag
        return Rows(
            self.batch[keep],
            self.sequence[keep],
            self.step[keep],
            self.stratum[keep].unique(return_inverse=True)[1],
            self.cluster[keep].unique(return_inverse=True)[1],
            self.place[keep],
            self.errors[keep],
        )

    @property
    def clusters(self) -> int:
        """How many clusters there are."""
        return int(self.cluster.max()) + 1 if len(self.cluster) else 0

    @property
    def distinct(self) -> int:
        """How many positions there are, one that is seen again counted once."""
        return len(((self.cluster << 32) + self.place).unique())

    def centred(self, values: Tensor) -> Tensor:
        """`values` (n, d) less the mean of their stratum."""
        return values - _means(values, self.stratum)

    def share_left(self) -> Tensor:
        """1 − 1/m, (n, 1): what centring in a stratum of m rows left of each row's own value."""
        sizes = torch.bincount(self.stratum)[self.stratum].double().unsqueeze(-1)
        return (1.0 - 1.0 / sizes).clamp_min(0.5)

    def products(self, errors: Tensor, inputs: Tensor) -> Tensor:
        """Σ e ⊗ f of each cluster, (clusters, c, p·d), of errors (n, p) and the inputs of c cells (n, c, d)."""
        n, cells, d = inputs.shape
        e = self.by_cluster(errors)
        f = self.by_cluster(inputs.reshape(n, -1))
        sums = (e.mT @ f).reshape(len(e), -1, cells, d)
        return sums.transpose(1, 2).reshape(len(e), cells, -1)

    def by_cluster(self, values: Tensor) -> Tensor:
        """`values` (n, d) as (clusters, most rows of one, d), zero where a cluster has fewer."""
        most = int(torch.bincount(self.cluster).max())
        out = values.new_zeros(self.clusters, most, values.shape[1])
        out[self.cluster, self._place()] = values
        return out

    def as_rows(self, values: Tensor) -> Tensor:
        """Rows again, from what `by_cluster` made."""
        return values[self.cluster, self._place()]

    def _place(self) -> Tensor:
        """Which row of its cluster each row is, from 0 on."""
        order = self.cluster.argsort(stable=True)
        counts = torch.bincount(self.cluster)
        place = torch.empty_like(order)
        place[order] = torch.arange(len(order)) - (counts.cumsum(0) - counts)[self.cluster[order]]
        return place


def rows_of(
    errors: Sequence[Tensor],
    groups: Sequence[Tensor],
    block: int | None,
    generator: torch.Generator,
    begins: Sequence[Tensor] | None = None,
) -> Rows:
    """The positions of all batches whose error is not exactly zero, thinned evenly in time where there are many.

    `groups` numbers the sequences of each batch, `begins` says where in their group they begin, by default all at the
    same place; with `block`, that many consecutive steps are a cluster instead.
    """
    carrying = [batch.abs().sum(-1) > 0 for batch in errors]
    total = sum(int(mask.sum()) for mask in carrying)
    parts: list[tuple[Tensor, ...]] = []
    strata = 0
    starts = [torch.zeros_like(group) for group in groups] if begins is None else begins
    for number, (batch, mask, group, start) in enumerate(zip(errors, carrying, groups, starts, strict=True)):
        thinned = mask & _kept_steps(mask.shape[1], MOST_ROWS / max(total, 1), generator)
        sequence, step = thinned.nonzero(as_tuple=True)
        stratum = strata + _strata(step, mask.shape[1], batch.shape[0])
        strata = int(stratum.max()) + 1 if len(stratum) else strata
        cluster = group[sequence] if block is None else (group[sequence] << 32) + step // block
        where = torch.full_like(step, number)
        place = start[sequence] + step
        parts.append((where, sequence, step, stratum, cluster, place, batch[sequence, step].double()))
    columns = [torch.cat(column) for column in zip(*parts, strict=True)]
    columns[4] = columns[4].unique(return_inverse=True)[1]
    return Rows(*columns)


def _kept_steps(T: int, share: float, generator: torch.Generator) -> Tensor:
    """Which steps are looked at: all, or a `share` of them, one at random from each interval of equal length."""
    if share >= 1.0:
        return torch.ones(T, dtype=torch.bool)
    count = max(1, int(T * share))
    edges = torch.linspace(0, T, count + 1, dtype=torch.float64)
    picked = (edges[:-1] + torch.rand(count, generator=generator, dtype=torch.float64) * edges.diff()).long()
    kept = torch.zeros(T, dtype=torch.bool)
    kept[picked.clamp_max(T - 1)] = True
    return kept


def _strata(step: Tensor, T: int, sequences: int) -> Tensor:
    """One stratum a step, or several neighbouring steps where one has too few sequences, or one for all steps."""
    if sequences < FEWEST_TOGETHER:
        return torch.zeros_like(step)
    counts = torch.bincount(step, minlength=T)
    stratum_of = torch.zeros(T, dtype=torch.long)
    number = gathered = 0
    for t, count in enumerate(counts.tolist()):
        if gathered >= FEWEST_TOGETHER:
            number, gathered = number + 1, 0
        stratum_of[t] = number
        gathered += count
    if 0 < gathered < FEWEST_TOGETHER and number > 0:
        stratum_of[stratum_of == number] = number - 1
    return stratum_of[step]


def _means(values: Tensor, stratum: Tensor) -> Tensor:
    count = int(stratum.max()) + 1 if len(stratum) else 0
    total = values.new_zeros(count, values.shape[1]).index_add_(0, stratum, values)
    return (total / torch.bincount(stratum, minlength=count).unsqueeze(-1))[stratum]
