"""Does the error depend on the inputs further back, given the near ones and the model's own state?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float, Int, Num
from torch import Tensor

from gradreach.record.schema import Dependency, Lag
from gradreach.score.arguments import batches_of, check_batches, sequence_numbers, whole_lags
from gradreach.score.covariates import Covariates
from gradreach.score.features import embedded, narrowed
from gradreach.score.ladder import Band, ladder
from gradreach.score.lagged_inputs import LaggedInputs
from gradreach.score.rows import Rows, rows_of
from gradreach.score.score_statistic import BandScore, score
from gradreach.score.sign_flips import benjamini_hochberg
from gradreach.score.stretches import goes_round, stretches

LEVEL = 0.05
"""The level at which one band counts as found, and becomes a covariate of the bands beyond it."""

STRETCH = 4
"""Sequences cut from one stretch of data count as one where they begin within so many times the longest one's steps."""

FEWEST_CLUSTERS = 16
"""Fewer sequences than this have too few signs to flip; blocks of consecutive steps then take their place."""

BLOCKS = 64
"""How many blocks of consecutive steps are made where there are too few sequences."""


def dependency(
    errors: Float[Tensor, "N T p"] | Sequence[Float[Tensor, "_ _ p"]],
    inputs: Num[Tensor, "N T *f"] | Sequence[Num[Tensor, "_ _ *f"]],
    states: Float[Tensor, "N T h"] | Sequence[Float[Tensor, "_ _ h"]] | None = None,
    lags: Sequence[int] | None = None,
    *,
    groups: Int[Tensor, " N"] | Sequence[Int[Tensor, " _"]] | None = None,
    products: bool = True,
    width: int = 8,
    flips: int = 5000,
    seed: int = 0,
) -> Dependency:
    """Test at each lag whether the errors depend on the inputs that lie so far back.

    `errors` are the gradients of the loss at the model's outputs, `inputs` are token ids (integers) or real values, and
    `states` are what the model gave out at each step. Each is a tensor, or a list of one batch for each training step,
    whose T may differ. Positions whose error is exactly zero are left out.
    `lags` are tested each by itself; by default bands are tested that cover 1 … T − 1.
    `groups` numbers the sequences: the same number twice means that the same sample was seen again.
    `products` takes in products of inputs within a step and of neighbouring steps.
    `width`: errors and inputs of more coordinates are projected at random.
    `flips` draws of the null are made where it matters, from a generator with `seed`. No gradient is needed.

    The null flips the sign of whole sequences' scores, which keeps whatever holds within a sequence (Hemerik, Goeman,
    Finos 2020; residual products: Shah, Peters 2020). With fewer than 16 sequences, blocks of their steps take their
    place, and no lag longer than a block is tested.

    Raises ValueError, which names the argument, where shapes do not fit or a value is not finite.

    >>> import torch
    >>> x = torch.randn(40, 30, 1, generator=torch.Generator().manual_seed(0))
    >>> noise = torch.randn(40, 30, 1, generator=torch.Generator().manual_seed(1))
    >>> found = dependency(noise + torch.roll(x, 7, dims=1), x, lags=[3, 7, 11])
    >>> [lag.q <= 0.05 for lag in found.lags]
    [False, True, False]
    """
    generator = torch.Generator().manual_seed(seed)
    e, x, h = batches_of(errors, "errors"), batches_of(inputs, "inputs"), batches_of(states, "states")
    check_batches(e, x, h)
    e = narrowed([batch.double() for batch in e], width, generator)
    numbers = sequence_numbers(groups, e)
    sequences = len(torch.cat(numbers).unique())
    T = max(batch.shape[1] for batch in e)
    block = None if sequences >= FEWEST_CLUSTERS else max(1, sum(batch[..., 0].numel() for batch in e) // BLOCKS)
    found = stretches(x, numbers) if block is None else None
    clusters, begins = (numbers, None) if found is None else (found.parts(STRETCH * T), found.begin)
    rows = rows_of(e, clusters, block, generator, begins)
    if why := _repeated(rows, sequences, block, x):
        return Dependency((), rows.clusters, len(rows.step), T, block, why)
    longest = int(rows.step.max()) if len(rows.step) else 0
    if block is not None:
        longest = min(longest, block)
    bands = ladder(longest) if lags is None else [Band(lag, lag) for lag in whole_lags(lags, T)]
    features = LaggedInputs(embedded(x, width, products, generator))
    covariates = Covariates(features, x, h or None)
    signs = torch.randint(0, 2, (flips, rows.clusters), generator=generator).float() * 2 - 1
    tested = _tested(rows, [band for band in bands if band.lag <= longest], features, covariates, signs)
    return Dependency(
        lags=_corrected(tested),
        sequences=rows.clusters,
        positions=len(rows.step),
        T=T,
        block=block,
        why_not="" if tested else _lacking(rows),
    )


def _tested(
    rows: Rows, bands: Sequence[Band], features: LaggedInputs, covariates: Covariates, signs: Tensor
) -> list[tuple[Band, BandScore]]:
    """Every band in turn, the nearest first; a band that was found is held fixed, in all its parts, beyond it."""
    tested: list[tuple[Band, BandScore]] = []
    significant: list[Band] = []
    for band in bands:
        far = rows.beyond(band.lag)
        if far.clusters < FEWEST_CLUSTERS or not bool(far.centred(far.errors).any()):
            continue
        columns = covariates.columns(far, band, (*reversed(significant), *reversed(ladder(band.lag - 1))))
        if columns is None:
            continue
        found = _both(far, band, features, columns, signs[:, : far.clusters], LEVEL / len(bands))
        if found is not None:
            tested.append((band, found))
            if found.p <= LEVEL:
                significant += band.cells()
    return tested


def _both(
    rows: Rows, band: Band, features: LaggedInputs, columns: tuple[Tensor, Tensor], signs: Tensor, level: float
) -> BandScore | None:
    """The weaker of two scores: given the nearer inputs alone, and given the model's own state too.

    The first would lay to the band what the model's answer remembers of it, the second what the state mixes with a near
    input that is not learned yet; what is there to be learned shows in both.
    """
    near, with_state = columns
    alone = score(rows, band, features, near, signs, level)
    if alone is None or alone.p > LEVEL or with_state is near:
        return alone
    given = score(rows, band, features, with_state, signs, level)
    if given is None:
        return None
    weaker = max(alone, given, key=lambda found: found.p)
    return replace(weaker, share=min(alone.share, given.share), detectable=max(alone.detectable, given.detectable))


def _corrected(tested: Sequence[tuple[Band, BandScore]]) -> tuple[Lag, ...]:
    q = benjamini_hochberg([found.p for _, found in tested])
    return tuple(
        Lag(band.lag, band.until, found.at, found.z, found.p, each, max(found.share, 0.0), found.detectable)
        for (band, found), each in zip(tested, q, strict=True)
    )


def _repeated(rows: Rows, sequences: int, block: int | None, inputs: Sequence[Tensor]) -> str:
    """Why data that come again and again cannot be asked; empty where they do not."""
    if block is not None and goes_round(inputs):
        return "the inputs go round in a cycle, so what lies far back in them lies near as well"
    if block is None and 0 < rows.clusters < FEWEST_CLUSTERS:
        told = "is 1 stretch" if rows.clusters == 1 else f"are {rows.clusters} stretches"
        return (
            f"the {sequences} sequences that were seen overlap or come again, so that there {told} of data in them, "
            f"and {FEWEST_CLUSTERS} are needed to ask"
        )
    return ""


def _lacking(rows: Rows) -> str:
    if not len(rows.step):
        return "no position carries an error"
    return (
        f"{len(rows.step)} positions in {rows.clusters} sequences are too few: at least {FEWEST_CLUSTERS} sequences "
        "that reach back to a lag are needed, and several positions for every column held fixed"
    )
