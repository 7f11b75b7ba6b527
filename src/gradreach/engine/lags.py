"""The errors of many steps are carried back together: A ← J_{t−ℓ}ᵀ A, one matrix product a lag."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gradreach.engine.cells.cell import pull
from gradreach.engine.scan import Sweep, Unroll

_SELDOM = 8
"""The most lags between two looks at the adjoints' size."""
_ROOM = {torch.float32: 32, torch.float64: 256}
"""log2 of the size at which adjoints are brought back to 1, so that even their squares stay within the range."""
_RANGE = {torch.float32: 126, torch.float64: 1022}


@dataclass(frozen=True, slots=True)
class LagAdjoint:
    """δ_{t→k} · 2^−exponent at one lag ℓ, k = t − ℓ, for the anchors from number `first` on; in the recurrence's order.

    `dh`, `dc` are the adjoints of the state after step k, `g` that of W_hh h_{k−1}, which they give, `before`,
    `before_c` what step k passes on to the state before it. `at` picks the steps k out of a run; `exponent` is None
    while it is 0 throughout. `g` is overwritten at the next lag.
    """

    lag: int
    first: int
    at: slice | Int[Tensor, " A"]
    dh: Float[Tensor, "A R P"]
    dc: Float[Tensor, "A R H"] | None
    g: Float[Tensor, "A R G H"]
    before: Float[Tensor, "A R P"]
    before_c: Float[Tensor, "A R H"] | None
    exponent: Int[Tensor, "A R 1"] | None

    def unscaled(self) -> LagAdjoint:
        """The same adjoints with exponent 0."""
        if self.exponent is None:
            return self
        scale = torch.exp2(self.exponent.to(self.dh.dtype))
        dc, before_c = (None if part is None else part * scale for part in (self.dc, self.before_c))
        g = self.g * scale.unsqueeze(-1)
        return LagAdjoint(self.lag, self.first, self.at, self.dh * scale, dc, g, self.before * scale, before_c, None)


def carry_back(
    run: Unroll,
    steps: Sequence[int],
    carried: ScaledAdjoint,
    lags: int,
    *,
    floor: float = -math.inf,
) -> Iterator[LagAdjoint]:
    """Carry the errors of `steps` (ascending, in the recurrence's order) back over 0, 1, … lags − 1 steps.

    `carried` is these errors, (A, R, P) and (A, R, H); no `dc` is an error of 0 at c.

    Each row's adjoint keeps an exponent of its own, so that float32 holds them all however small or large they become.
    Ends early where every adjoint is 0 or under 2^floor of the largest at lag 0.
    """
    steps = list(steps)
    at = torch.tensor(steps, device=carried.dh.device)
    if run.c is not None and carried.dc is None:
        carried = replace(carried, dc=torch.zeros_like(run.c[at]))
    waiting: deque[tuple[Tensor, Tensor | None, int]] = deque()  # what shortcuts send back, until its lag comes
    start, first, clock = 0.0, 0, _Clock(carried.dh.dtype)
    room = carried.dh.new_empty((*carried.dh.shape[:2], *run.slopes.gate.shape[2:]))
    for lag in range(lags):
        while steps[first] < lag:
            first += 1
            carried = carried.without_first()
        if len(waiting) == run.remedies.skip > 0:
            carried = carried.plus(*waiting.popleft(), first)
        if lag >= clock.due:
            carried, least, top = carried.rescaled()
            clock.seen(lag, least, top)
            start = top if lag == 0 else start
            if not waiting and (top == -math.inf or top - start < floor):
                return
        k = _steps_at(steps, at, first, lag)
        dh = carried.dh
        if run.shortcut is not None:
            share = run.shortcut[k]
            waiting.append((dh * share, carried.exponent, first))
            dh = torch.addcmul(dh, dh, share, value=-1.0)
        slopes = run.slopes.each(lambda s, k=k: s[k])  # type: ignore[misc]
        g, before, before_c = pull(run.cell, run.weights, slopes, dh, carried.dc, out=room[: len(dh)])
        yield LagAdjoint(lag, first, k, carried.dh, carried.dc, g, before, before_c, carried.exponent)
        carried = ScaledAdjoint(before, before_c, carried.exponent)


def truncated_sweep(
    run: Unroll, error: Float[Tensor, "T B P"], error_c: Float[Tensor, "T B H"] | None, k2: int
) -> Sweep:
    """The sweep in which every error is carried back over k2 steps, its own among them, and no further.

    ∂L/∂W_hh is then Σ_{ℓ<k2} dW_ℓ, the gradient of TBPTT with this k2. Costs k2 products over all steps at once.
    """
    T = run.x.shape[0]
    dh = torch.zeros_like(run.h)
    dc = None if run.c is None else torch.zeros_like(run.c)
    g = torch.zeros_like(run.slopes.gate, memory_format=torch.contiguous_format)
    active, starts = run.active, run.starts
    for each in carry_back(run, range(T), ScaledAdjoint(error, error_c), min(k2, T)):
        each = each.unscaled()
        here = 1.0 if active is None else active[each.at].unsqueeze(-1)
        dh[1:][each.at] += each.dh * here
        g[each.at] += each.g
        steps = torch.arange(T, device=starts.device)[each.at, None]
        a, b = (steps == starts).nonzero(as_tuple=True)
        dh.index_put_((starts[b], b), each.before[a, b], accumulate=True)
        if dc is not None and each.dc is not None and each.before_c is not None:
            dc[1:][each.at] += each.dc * here
            dc.index_put_((starts[b], b), each.before_c[a, b], accumulate=True)
        if run.shortcut is not None and each.lag + run.remedies.skip <= k2:
            a, b = (steps + 1 - run.remedies.skip == starts).nonzero(as_tuple=True)
            sent = (each.dh * run.shortcut[each.at])[a, b]
            dh.index_put_((starts[b], b), sent, accumulate=True)
    return Sweep.of(run, dh, dc, g)


@dataclass(frozen=True, slots=True)
class ScaledAdjoint:
    """Adjoints times 2^−exponent. Every row has an exponent of its own; `exponent` is None while all of them are 0."""

    dh: Tensor
    dc: Tensor | None
    exponent: Tensor | None = None

    def without_first(self) -> ScaledAdjoint:
        return ScaledAdjoint(*(None if part is None else part[1:] for part in (self.dh, self.dc, self.exponent)))  # type: ignore[arg-type]

    def plus(self, dh: Tensor, exponent: Tensor | None, first: int, now_first: int) -> ScaledAdjoint:
        dh = dh[now_first - first :]
        if exponent is None and self.exponent is None:
            return ScaledAdjoint(self.dh + dh, self.dc)
        zero = torch.zeros_like(dh[..., :1], dtype=torch.int32)
        theirs = zero if exponent is None else exponent[now_first - first :]
        ours = zero if self.exponent is None else self.exponent
        top = torch.maximum(ours, theirs)
        down, up = (torch.exp2((each - top).to(dh.dtype)) for each in (ours, theirs))
        dc = None if self.dc is None else self.dc * down
        return ScaledAdjoint(self.dh * down + dh * up, dc, top)

    def rescaled(self) -> tuple[ScaledAdjoint, float, float]:
        """Bring each row that has left the middle of the number range back to it.

        Also returns log2 of the least and of the largest row. Both are −inf where all is 0, and inf where nothing else
        is finite.
        """
        largest = self.dh.abs().amax(-1, keepdim=True)
        if self.dc is not None:
            largest = torch.maximum(largest, self.dc.abs().amax(-1, keepdim=True))
        live = largest.isfinite() & (largest > 0)
        if not bool(live.any()):
            size = -math.inf if bool((largest == 0).all()) else math.inf
            return self, size, size
        most = _RANGE[self.dh.dtype]
        shift = torch.frexp(largest).exponent.where(live, 0).clamp(-most, most)
        exponent = shift if self.exponent is None else self.exponent + shift
        ends = exponent[live].aminmax()
        least, top = float(ends.min), float(ends.max)
        if bool(shift.abs().amax() < _ROOM[self.dh.dtype]):
            return self, least, top
        scale = torch.exp2(-shift.to(self.dh.dtype))
        return ScaledAdjoint(self.dh * scale, None if self.dc is None else self.dc * scale, exponent), least, top


class _Clock:
    """When to look at the adjoints' size again: soon where it changes fast, seldom where it does not."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._room = _ROOM[dtype]
        self._seen: tuple[int, float, float] | None = None
        self.due = 0

    def seen(self, lag: int, least: float, top: float) -> None:
        """Note the size at a lag; after the first two, lags are passed over while the range has room at this rate."""
        wait = 1
        if self._seen is not None and math.isfinite(least):
            was, was_least, was_top = self._seen
            rate = max(abs(least - was_least), abs(top - was_top)) / (lag - was)
            wait = max(1, min(_SELDOM, int(self._room / max(rate, 1.0))))
        self._seen = (lag, least, top) if math.isfinite(least) else None
        self.due = lag + wait


def _steps_at(steps: list[int], at: Tensor, first: int, lag: int) -> slice | Tensor:
    """The steps `lag` before the anchors, as a slice where they follow one another, since a slice needs no copy."""
    last = len(steps) - 1
    if steps[last] - steps[first] == last - first:
        return slice(steps[first] - lag, steps[last] - lag + 1)
    return at[first:] - lag
