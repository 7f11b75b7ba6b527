"""What was seen of recurrences on one watched step: layer by layer, and how their state goes from call to call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

HORIZON_LIMIT = 0.01
"""The value of r(ℓ) that a lag must have, with every lag before it, to lie within the horizon."""


def farthest_reached(reach: Sequence[float | None]) -> int:
    """The largest lag ℓ with r(ℓ) ≥ HORIZON_LIMIT, whatever lies before it; 0 where there is none.

    It is the horizon, or more where the curve falls under the limit and rises again, as under a shortcut of the state.

    >>> farthest_reached([1.0, 0.1, 0.001, 0.02, 0.0])
    3
    """
    return max((lag for lag, r in enumerate(reach) if r is not None and r >= HORIZON_LIMIT), default=0)


LYAPUNOV_STEPS = 128
"""Steps of a row, its last ones, over which a watched step takes the Lyapunov exponents at most."""

Direction = Literal["forward", "reverse"]


@dataclass(frozen=True, slots=True)
class TimeLook:
    """One direction of one recurrent layer on one watched step. Lags ℓ index `reach`, `lag_share`, `truncation_bias`.

    `reach[ℓ]` is r(ℓ), r(0) = 1, of (h, c) jointly for an LSTM; `truncation_bias[k]` is b(k), b(0) = 1. `adjoint[k]` is
    the batch mean of ‖δ_k‖ and `local_error[k]` that of ‖e_k‖, both in time order of the data. `exact` says that the
    replayed output equals the layer's to 1e-6 relative, `why_inexact` what differs. `anchors` steps t carry the reach
    map, on which `reach`, `lag_share` and `truncation_bias` rest: all with a local error, unless `sampled` says which
    share. `gradient_error` is the relative difference of the parameter gradients that follow from those of the script.
    `gamma` is the activation's bound, `gamma_mean` the measured mean of its derivative, `lambda_` and `rho` the
    spectral norm and radius of W_hh, `bound_factor` γλ per step; None where the kind of cell has no such figure.
    `factor` is exp of the slope of log r(ℓ). `saturated` is the share of activations under 5 % of their largest slope.
    `log10_map[i][j]` is log10 R[t, k] for t = `map_rows[i]` and k = `map_columns[j]`, steps in time order of the data;
    None where nothing comes. `padded` is the share of the steps that come after the last one with an error of their
    row: padding, where the loss leaves it out; None where it is not known.
    """

    module: str
    kind: str
    layer: int
    direction: Direction
    T: int
    batch: int
    hidden: int
    horizon: int
    factor: float | None
    reach: tuple[float, ...]
    lag_share: tuple[float, ...]
    truncation_bias: tuple[float, ...]
    adjoint: tuple[float, ...]
    local_error: tuple[float, ...]
    anchors: int
    exact: bool
    why_inexact: str = ""
    sampled: str = ""
    gradient_error: float | None = None
    gamma: float | None = None
    gamma_mean: float | None = None
    lambda_: float | None = None
    rho: float | None = None
    bound_factor: float | None = None
    lyapunov: tuple[float, ...] = ()
    saturated: float | None = None
    log10_map: tuple[tuple[float | None, ...], ...] = ()
    map_rows: tuple[int, ...] = ()
    map_columns: tuple[int, ...] = ()
    padded: float | None = None

    @property
    def farthest_reached(self) -> int:
        """The largest lag with r ≥ 0.01: past the horizon where the curve falls under that and rises again."""
        return max(self.horizon, farthest_reached(self.reach))

    @property
    def lyapunov_steps(self) -> int:
        """How many steps count in `lyapunov`: of the way back over the last LYAPUNOV_STEPS those past its first
        quarter, in which the directions that are followed turn into place."""
        swept = min(self.T, LYAPUNOV_STEPS)
        return swept - swept // 4

    @property
    def farthest(self) -> int:
        """The largest lag that any error can be carried back over: from the last step that has one, in the direction of
        the recurrence, to the first step. T − 1 where the last step has one, and where none is known."""
        carrying = [t for t, size in enumerate(self.local_error) if size > 0.0]
        if not carrying:
            return self.T - 1
        last = max(carrying) if self.direction == "forward" else self.T - 1 - min(carrying)
        return max(last, max((lag for lag, r in enumerate(self.reach) if r > 0.0), default=0))


@dataclass(frozen=True, slots=True)
class Probe:
    """How far back the input still moves the error of a model without a recurrence, on one watched step.

    `reach[ℓ]` is r(ℓ), r(0) = 1, of ‖∂L_t/∂x_{t−ℓ}‖: from backward passes from the errors at `anchors` steps t at the
    output of `module` to the embedding of the input. T is the length of the sequences.
    """

    module: str
    T: int
    horizon: int
    reach: tuple[float, ...]
    anchors: int


@dataclass(frozen=True, slots=True)
class DetachedState:
    """A module that one watched step called `calls` times, one step of a sequence each.

    At `cut` of its hand-overs it was given the numbers that the call before had put out, without a path for the
    gradient; at `joined` with one.
    """

    module: str
    kind: str
    calls: int
    cut: int
    joined: int


@dataclass(frozen=True, slots=True)
class SteppedState:
    """A cell, or a recurrent layer of torch, that one watched step called `calls` times, one step of a sequence each.

    At `same` of its hand-overs it was given the very state that the call before was given too: `is_given`, or none.
    """

    module: str
    kind: str
    calls: int
    same: int
    is_given: bool


@dataclass(frozen=True, slots=True)
class ChunkSeam:
    """Where the chunk of T `steps` that a recurrent layer was given on one watched step met that of the step before.

    `rows_on` of the `rows` begin with the last targets of the chunk before, of which `chance` is the probability for
    two places at random. `state` says whether the layer began from what it left at the end of the chunk before
    ("carried"), or from zeros ("anew").
    """

    module: str
    kind: str
    steps: int
    rows: int
    rows_on: int
    chance: float
    state: Literal["carried", "anew"]
