"""Thresholds of the global norm: fixed, or from the norm's history. Each rule is a pure function of its state."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from gradreach.remedies.arguments import integer
from gradreach.remedies.clip.scalar import Scalar, smaller, where


class Judged(NamedTuple):
    """What a rule says of one norm: the threshold, its next state, and the number of the reason why it moved."""

    threshold: Scalar
    state: Any
    reason: Scalar = 0.0


@runtime_checkable
class Threshold(Protocol):
    """A rule that cuts the whole gradient to a length, its direction kept."""

    def start(self, device: torch.device) -> Any:
        """The state before the first norm: a tuple of numbers and tensors."""

    def judge(self, state: Any, norm: Scalar, longest: Scalar) -> Judged:
        """The threshold for a finite norm > 0; `longest` is the norm whose step is as long as the weights, else ∞."""


@dataclass(frozen=True, slots=True)
class Norm:
    """A fixed threshold of the global norm: g ← g · threshold / ‖g‖ where ‖g‖ > threshold (Pascanu et al. 2013)."""

    threshold: int | float = 1.0

    def __post_init__(self) -> None:
        positive(threshold=self.threshold)

    def start(self, device: torch.device) -> tuple[()]:  # noqa: ARG002
        return ()

    def judge(self, state: Any, norm: Scalar, longest: Scalar) -> Judged:  # noqa: ARG002
        return Judged(self.threshold, state)


class _Window(NamedTuple):
    norms: Tensor  # the newest last, NaN where there was none yet
    seen: Scalar


@dataclass(frozen=True, slots=True)
class Percentile:
    """The threshold is a percentile of the norms so far, this one among them (AutoClip, Seetharaman et al. 2020).

    `percent` = 10, as in the paper, clips 90 % of the steps. Of the last `window` norms; the paper keeps all.
    """

    percent: int | float = 10
    window: int = 1000

    def __post_init__(self) -> None:
        if not 0 <= self.percent <= 100:
            raise ValueError(f"percent: expected 0 to 100, got {self.percent}; the paper's is 10")
        whole(window=self.window)

    def start(self, device: torch.device) -> _Window:
        return _Window(torch.full((self.window,), math.nan, device=device), 0.0)

    def judge(self, state: _Window, norm: Scalar, longest: Scalar) -> Judged:  # noqa: ARG002
        seen = smaller(state.seen + 1.0, float(self.window))
        rank = (seen - 1.0) * (self.percent / 100)
        if isinstance(norm, Tensor):
            norms = torch.cat([state.norms[1:], norm.reshape(1).to(state.norms.dtype)])
            at = (rank + 0 * norm).long()
            return Judged(norms.sort().values.gather(0, at.reshape(1)).reshape(()), _Window(norms, seen))
        norms = torch.cat([state.norms[1:], torch.tensor([norm])])
        return Judged(float(norms.kthvalue(int(rank) + 1).values), _Window(norms, seen))


class _Moments(NamedTuple):
    seen: Scalar
    mean: Scalar
    variance: Scalar


@dataclass(frozen=True, slots=True)
class ZScore:
    """A norm of z = (‖g‖ − μ) / σ over `z` is cut to μ + σ z² / (‖g‖'s own z) (ZClip, Kumar et al. 2025).

    μ and σ² are moving averages of the norm after clipping, with weight 1 − `decay` for the newest one; over the first
    `warmup` norms they are plain averages, and nothing is clipped.
    """

    z: int | float = 2.5
    decay: float = 0.97
    warmup: int = 25

    def __post_init__(self) -> None:
        positive(z=self.z)
        whole(warmup=self.warmup)
        if not 0 < self.decay < 1:
            raise ValueError(f"decay: expected a number between 0 and 1, got {self.decay}; the paper's is 0.97")

    def start(self, device: torch.device) -> _Moments:  # noqa: ARG002
        return _Moments(0.0, 0.0, 0.0)

    def judge(self, state: _Moments, norm: Scalar, longest: Scalar) -> Judged:  # noqa: ARG002
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
        return Judged(threshold, _Moments(count, mean, (1 - weight) * state.variance + weight * apart * spread))


def positive(**numbers: int | float) -> None:
    """Raise ValueError for the first argument that is not a finite number above 0, TypeError where it is no number."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, Real):
            raise TypeError(f"{name}: expected a finite number above 0, got {number!r}")
        if not (math.isfinite(number) and number > 0):
            raise ValueError(f"{name}: expected a finite number above 0, got {number}")


def whole(**numbers: int) -> None:
    """Raise TypeError or ValueError for the first argument that is not a whole number above 0."""
    positive(**{name: integer(name, number) for name, number in numbers.items()})
