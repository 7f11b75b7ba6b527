"""Rules that cut the whole gradient to a length. The threshold is fixed, or a pure function of the norms so far."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from gradreach.remedies.arguments import check_at_least_one, check_positive
from gradreach.remedies.clip.scalar import Scalar, smaller, where


class NormRuling(NamedTuple):
    """What a rule says of one norm: the threshold, the rule's next state, and the number of the reason for a change."""

    threshold: Scalar
    state: Any
    reason: Scalar = 0.0


@runtime_checkable
class NormRule(Protocol):
    """A rule that cuts the whole gradient to a length and keeps its direction."""

    def start(self, device: torch.device) -> Any:
        """The state before the first norm: a tuple of numbers, tensors and such tuples."""

    def judge(self, state: Any, norm: Scalar, longest: Scalar) -> NormRuling:
        """The threshold for a finite norm > 0.

        `longest` is the norm at which a step is as long as the weights; it is ∞ where that is not known.
        """


@dataclass(frozen=True, slots=True)
class Norm:
    """A fixed threshold of the global norm: g ← g · threshold / ‖g‖ where ‖g‖ > threshold (Pascanu et al. 2013)."""

    threshold: int | float = 1.0

    def __post_init__(self) -> None:
        check_positive(threshold=self.threshold)

    def start(self, device: torch.device) -> tuple[()]:  # noqa: ARG002
        return ()

    def judge(self, state: Any, norm: Scalar, longest: Scalar) -> NormRuling:  # noqa: ARG002
        return NormRuling(self.threshold, state)


class _LastNorms(NamedTuple):
    norms: Tensor  # the newest is last; NaN stands where there was none yet
    seen: Scalar


@dataclass(frozen=True, slots=True)
class Percentile:
    """The threshold is a percentile of the norms so far, this one among them (AutoClip, Seetharaman et al. 2020).

    `percent` = 10, as in the paper, clips 90 % of the steps. It is taken over the last `window` norms, where the paper
    keeps all of them.
    """

    percent: int | float = 10
    window: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise ValueError(f"percent: expected 0 to 100, got {self.percent}; the paper's is 10")
        check_at_least_one(window=self.window)

    def start(self, device: torch.device) -> _LastNorms:
        return _LastNorms(torch.full((self.window,), math.nan, device=device), 0.0)

    def judge(self, state: _LastNorms, norm: Scalar, longest: Scalar) -> NormRuling:  # noqa: ARG002
        seen = smaller(state.seen + 1.0, float(self.window))
        rank = (seen - 1.0) * (self.percent / 100)
        if isinstance(norm, Tensor):
            norms = torch.cat([state.norms[1:], norm.reshape(1).to(state.norms.dtype)])
            at = (rank + 0 * norm).long()
            return NormRuling(norms.sort().values.gather(0, at.reshape(1)).reshape(()), _LastNorms(norms, seen))
        norms = torch.cat([state.norms[1:], torch.tensor([norm])])
        return NormRuling(float(norms.kthvalue(int(rank) + 1).values), _LastNorms(norms, seen))


class _Moments(NamedTuple):
    seen: Scalar = 0.0
    mean: Scalar = 0.0
    variance: Scalar = 0.0


@dataclass(frozen=True, slots=True)
class ZScore:
    """A norm whose z = (‖g‖ − μ) / σ exceeds `z` is cut to μ + σ z² / (its own z) (ZClip, Kumar et al. 2025).

    μ and σ² are moving averages of the norm after clipping, with weight 1 − `decay` for the newest one. Over the first
    `warmup` norms they are plain averages, and nothing is clipped.
    """

    z: int | float = 2.5
    decay: float = 0.97
    warmup: int = 25

    def __post_init__(self) -> None:
        check_positive(z=self.z)
        check_at_least_one(warmup=self.warmup)
        if not 0 < self.decay < 1:
            raise ValueError(f"decay: expected a number between 0 and 1, got {self.decay}; the paper's is 0.97")

    def start(self, device: torch.device) -> _Moments:  # noqa: ARG002
        return _Moments()

    def judge(self, state: _Moments, norm: Scalar, longest: Scalar) -> NormRuling:  # noqa: ARG002
        deviation = state.variance**0.5
        z = (norm - state.mean) / (deviation + 1e-12 * norm)
        high = (z > self.z) & (state.seen >= self.warmup)
        threshold = where(high, state.mean + self.z**2 * deviation / where(high, z, 1.0), norm + math.inf)
        kept = where(high, threshold, norm)
        count = state.seen + 1.0
        weight = where(count > self.warmup, 1 - self.decay, 1 / count)
        apart = kept - state.mean
        mean = state.mean + weight * apart
        spread = where(count > self.warmup, apart, kept - mean)  # Welford's update while the averages are plain
        return NormRuling(threshold, _Moments(count, mean, (1 - weight) * state.variance + weight * apart * spread))
