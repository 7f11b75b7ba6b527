"""Products of Jacobians along a run, beside the bound and beside autograd."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from msgspec import Struct
from torch import Tensor

from gradreach.engine.spectrum import spectrum
from gradreach.experiments.explicit_rnn import GAMMA, Bounded, ExplicitRNN, layer
from gradreach.experiments.lab import Lab

Weights = Literal["random", "orthogonal"]
FACTORS = (0.5, 0.9, 1.1, 1.5)
"""γλ of the sweep."""
INPUTS = 3
DRAWN = 60
"""Lags at which a curve is kept, at most; of seeds that are not drawn only the ends."""
SMALLEST = 1e-30
"""In place of a slope that is 0 to the last digit."""
DIRECTIONS = 256
"""Random directions on which a factor's usual effect is measured."""
TIGHT = ("tight, tanh", "tight, logistic")


@dataclass(frozen=True)
class Size:
    """d units, T steps, this many seeds of each case; products are compared with autograd's at `d_small`, `T_small`."""

    d: int
    T: int
    seeds: int
    d_small: int = 8
    T_small: int = 20


@dataclass(frozen=True)
class Case:
    """Weights with ‖W_hh‖₂ = λ, γλ = `factor`; inputs N(0, 1) times `inputs`, through weights N(0, 1/INPUTS).

    `resting`: the biases make a = 0 a fixed point, from which the states start.
    """

    kind: Bounded
    weights: Weights
    factor: float
    inputs: float = 1.0
    resting: bool = False
    d: int = 32
    T: int = 64
    seed: int = 0

    @property
    def λ(self) -> float:
        return self.factor / GAMMA[self.kind]


class Curve(Struct, frozen=True):
    """log10 ‖∂h_t/∂h_k‖₂ at `lags`, and two figures relative to the bound, log10, at the same lags.

    `least`, Π min σ′/γ over the units: no norm goes under it where W_hh/λ is orthogonal. `typical`, what the product
    does to a direction that W_hh turns at random between its factors, with the standard deviation `spread` at the
    largest lag. `excess` is the largest log10 of norm / bound at any lag but 0, `condition` log10 of the condition
    number of W_hh's eigenvectors.
    """

    kind: Bounded
    weights: Weights
    factor: float
    seed: int
    lags: list[int]
    norm: list[float]
    least: list[float]
    typical: list[float]
    spread: float
    excess: float
    rho: float
    condition: float

    @property
    def bound(self) -> list[float]:
        """log10 (γλ)^ℓ."""
        return [lag * math.log10(self.factor) for lag in self.lags]

    @property
    def gap(self) -> float:
        """Decades between bound and norm at the largest lag."""
        return self.bound[-1] - self.norm[-1]


class Check(Struct, frozen=True):
    """The largest 2-norm, over the lags, of the product less autograd's Jacobian, relative to (γλ)^ℓ and per its own
    `tolerance`, which rounding allows."""

    kind: Bounded
    weights: Weights
    factor: float
    difference: float
    tolerance: float


class Measured(Struct, frozen=True):
    """The sweep over γλ, the special cases by name, and the comparison with autograd; all of d units and T steps."""

    d: int
    T: int
    sweep: list[Curve]
    special: dict[str, Curve]
    checks: list[Check]


def setting(case: Case) -> tuple[ExplicitRNN, Tensor, Tensor]:
    """The RNN of a case in float64, its inputs (T, i) and its first state (d,)."""
    draw = torch.Generator().manual_seed(case.seed)
    W = torch.randn(case.d, case.d, dtype=torch.float64, generator=draw)
    W = case.λ * (torch.linalg.qr(W).Q if case.weights == "orthogonal" else W / torch.linalg.matrix_norm(W, 2))
    U = torch.randn(case.d, INPUTS, dtype=torch.float64, generator=draw) / math.sqrt(INPUTS)
    x = case.inputs * torch.randn(case.T, INPUTS, dtype=torch.float64, generator=draw)
    h = torch.full_like(W[0], 0.5 if case.resting and case.kind == "sigmoid" else 0.0)
    return ExplicitRNN(case.kind, W, U, -W @ h), x, h


def states(rnn: ExplicitRNN, x: Tensor, h: Tensor) -> list[Tensor]:
    """h_0 … h_T."""
    found = [h]
    for inputs in x:
        found.append(rnn.step(found[-1], inputs))
    return found


def curve(case: Case) -> Curve:
    """Norms of the products of the last ℓ Jacobians, beside what the measured slopes allow."""
    rnn, x, h = setting(case)
    spec = spectrum(layer(rnn), x.unsqueeze(1), h.expand(1, 1, case.d), lags=[case.T - 1])
    slope = rnn.slope(torch.stack(states(rnn, x, h)[1:]))
    share = (slope / GAMMA[case.kind]).flip(0)[: case.T - 1].clamp(min=SMALLEST)
    lags = torch.linspace(0, case.T - 1, min(case.T, DRAWN if case.seed == 0 else 2)).round().long()
    usual, variance = one_factor(share)
    least, typical = (
        torch.cat([each.new_zeros(1), each.cumsum(0)])[lags].tolist() for each in (share.amin(1).log10(), usual)
    )
    values, vectors = torch.linalg.eig(rnn.W)
    return Curve(
        case.kind,
        case.weights,
        case.factor,
        case.seed,
        lags.tolist(),
        [round(spec.log10_norm[lag], 7) for lag in lags],
        [round(each, 7) for each in least],
        [round(each, 7) for each in typical],
        float(variance.sum().sqrt()),
        max(norm - bound for norm, bound in zip(spec.log10_norm[1:], spec.log10_bound[1:], strict=True)),
        float(values.abs().max()),
        float(torch.linalg.cond(vectors).log10()),
    )


def one_factor(share: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of log10 ‖diag(share_t) v‖ over directions v drawn uniformly, at every step of (T, d)."""
    v = torch.randn(DIRECTIONS, share.shape[1], dtype=share.dtype, generator=torch.Generator().manual_seed(0))
    length = (share.square() @ (v / torch.linalg.vector_norm(v, dim=1, keepdim=True)).square().t()).log10() / 2
    return length.mean(1), length.var(1)


def product(rnn: ExplicitRNN, h: list[Tensor], lag: int) -> Tensor:
    """diag(σ′(a_t)) W_hh … diag(σ′(a_{k+1})) W_hh of the last `lag` of the states: ∂h_t/∂h_k, (d, d)."""
    result = torch.eye(len(rnn.W), dtype=rnn.W.dtype)
    for state in h[len(h) - lag :]:
        result = rnn.slope(state).unsqueeze(1) * rnn.W @ result
    return result


def autograd(rnn: ExplicitRNN, x: Tensor, h: list[Tensor], lag: int) -> Tensor:
    """The same by autograd."""

    def onward(state: Tensor) -> Tensor:
        return states(rnn, x[len(x) - lag :], state)[-1]

    found: Tensor = torch.autograd.functional.jacobian(onward, h[len(h) - 1 - lag])
    return found


def check(case: Case) -> Check:
    """The product beside autograd at every lag."""
    rnn, x, first = setting(case)
    h, error = states(rnn, x, first), rnn.factor_error(x)
    worst = (0.0, 1.0)
    for lag in range(1, case.T):
        apart = torch.linalg.matrix_norm(product(rnn, h, lag) - autograd(rnn, x, h, lag), 2)
        found = float(apart) / case.factor**lag, 2 * lag * error
        worst = max(worst, found, key=lambda each: each[0] / each[1])
    return Check(case.kind, case.weights, case.factor, *worst)


def specials(d: int, T: int) -> dict[str, Case]:
    """Cases in which the bound is tight, hopeless, and in which γλ > 1 does and does not explode."""
    return {
        "tight, tanh": Case("tanh", "orthogonal", 1.0, 1e-3, d=d, T=T),
        "tight, logistic": Case("sigmoid", "orthogonal", 1.0, 1e-3, resting=True, d=d, T=T),
        "ρ < λ": Case("tanh", "random", 1.5, 0.0, d=d, T=T),
        "saturated": Case("tanh", "orthogonal", 1.0, 3.0, d=d, T=T),
        "explodes": Case("tanh", "orthogonal", 1.1, 1e-12, d=d, T=T),
        "does not": Case("tanh", "orthogonal", 1.1, 1.0, d=d, T=T),
    }


def measure(size: Size, lab: Lab) -> Measured:
    """Every curve, and every comparison."""
    kinds: tuple[Bounded, ...] = ("sigmoid", "tanh")
    weights: tuple[Weights, ...] = ("random", "orthogonal")
    sweep = [
        Case(kind, of, factor, d=size.d, T=size.T, seed=seed)
        for kind in kinds
        for of in weights
        for factor in FACTORS
        for seed in range(size.seeds)
    ]
    special = specials(size.d, size.T)
    small = [
        Case(kind, of, factor, d=size.d_small, T=size.T_small) for kind in kinds for of in weights for factor in FACTORS
    ]
    curves = lab.spread(curve, [*sweep, *special.values()], "products of Jacobians")
    return Measured(
        size.d,
        size.T,
        curves[: len(sweep)],
        dict(zip(special, curves[len(sweep) :], strict=True)),
        lab.spread(check, small, "products beside autograd"),
    )
