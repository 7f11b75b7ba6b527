"""The Jacobian product: ∂h_t/∂h_k = Π diag(σ′(a_i)) W_hh over i = k+1 … t, and ‖∂h_t/∂h_k‖ ≤ (γλ)^{t−k}.

Pascanu, Mikolov and Bengio 2013, section 2.2; γ = 1 for tanh and 1/4 for the logistic function. The bound is tight
where every slope is γ and W_hh/λ is orthogonal; it is hopeless where ρ < λ, or where units are saturated.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from msgspec import Struct
from torch import Tensor

from gradreach.engine.spectrum import spectrum
from gradreach.experiments.claim import ROUNDOFF, Claim, at_most
from gradreach.experiments.drawing import CYCLE, GREEN, ORANGE, PURPLE, SKY, VERMILION, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.explicit_rnn import GAMMA, NAMES, Activation, ExplicitRNN, layer
from gradreach.experiments.lab import Lab

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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
DIGITS = 1e-6
"""What the digits kept leave open in a difference of two logarithms."""


@dataclass(frozen=True)
class Size:
    """The units d, steps T and seeds of each case; products are compared with autograd's at `d_small`, `T_small`."""

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

    kind: Activation
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

    kind: Activation
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

    kind: Activation
    weights: Weights
    factor: float
    difference: float
    tolerance: float


class Result(Struct, frozen=True):
    """The sweep over γλ, the special cases by name, and the comparison with autograd; all of d units and T steps."""

    d: int
    T: int
    sweep: list[Curve]
    special: dict[str, Curve]
    checks: list[Check]


def setting(case: Case) -> tuple[ExplicitRNN, Tensor, Tensor]:
    """Make the RNN of a case in float64, its inputs (T, i) and its first state (d,)."""
    draw = torch.Generator().manual_seed(case.seed)
    W = torch.randn(case.d, case.d, dtype=torch.float64, generator=draw)
    W = case.λ * (torch.linalg.qr(W).Q if case.weights == "orthogonal" else W / torch.linalg.matrix_norm(W, 2))
    U = torch.randn(case.d, INPUTS, dtype=torch.float64, generator=draw) / math.sqrt(INPUTS)
    x = case.inputs * torch.randn(case.T, INPUTS, dtype=torch.float64, generator=draw)
    h = torch.full_like(W[0], 0.5 if case.resting and case.kind == "sigmoid" else 0.0)
    return ExplicitRNN(case.kind, W, U, -W @ h), x, h


def states(rnn: ExplicitRNN, x: Tensor, h: Tensor) -> list[Tensor]:
    """Return the states h_0 … h_T."""
    found = [h]
    for inputs in x:
        found.append(rnn.step(found[-1], inputs))
    return found


def curve(case: Case) -> Curve:
    """Take the norms of the products of the last ℓ Jacobians, and what the measured slopes allow."""
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
    """Return diag(σ′(a_t)) W_hh … diag(σ′(a_{k+1})) W_hh of the last `lag` states: ∂h_t/∂h_k, (d, d)."""
    result = torch.eye(len(rnn.W), dtype=rnn.W.dtype)
    for state in h[len(h) - lag :]:
        result = rnn.slope(state).unsqueeze(1) * rnn.W @ result
    return result


def autograd(rnn: ExplicitRNN, x: Tensor, h: list[Tensor], lag: int) -> Tensor:
    """Return the same Jacobian by autograd."""

    def onward(state: Tensor) -> Tensor:
        return states(rnn, x[len(x) - lag :], state)[-1]

    found: Tensor = torch.autograd.functional.jacobian(onward, h[len(h) - 1 - lag])
    return found


def check(case: Case) -> Check:
    """Compare the product with autograd at every lag."""
    rnn, x, first = setting(case)
    h, error = states(rnn, x, first), rnn.factor_error(x)
    worst = (0.0, 1.0)
    for lag in range(1, case.T):
        apart = torch.linalg.matrix_norm(product(rnn, h, lag) - autograd(rnn, x, h, lag), 2)
        found = float(apart) / case.factor**lag, 2 * lag * error
        worst = max(worst, found, key=lambda each: each[0] / each[1])
    return Check(case.kind, case.weights, case.factor, *worst)


def specials(d: int, T: int) -> dict[str, Case]:
    """Return cases in which the bound is tight, hopeless, and in which γλ > 1 does and does not explode."""
    return {
        "tight, tanh": Case("tanh", "orthogonal", 1.0, 1e-3, d=d, T=T),
        "tight, logistic": Case("sigmoid", "orthogonal", 1.0, 1e-3, resting=True, d=d, T=T),
        "ρ < λ": Case("tanh", "random", 1.5, 0.0, d=d, T=T),
        "saturated": Case("tanh", "orthogonal", 1.0, 3.0, d=d, T=T),
        "explodes": Case("tanh", "orthogonal", 1.1, 1e-12, d=d, T=T),
        "does not": Case("tanh", "orthogonal", 1.1, 1.0, d=d, T=T),
    }


def measure(size: Size, lab: Lab) -> Result:
    """Take every curve, and make every comparison."""
    kinds: tuple[Activation, ...] = ("sigmoid", "tanh")
    weights: tuple[Weights, ...] = ("random", "orthogonal")
    cases = list(itertools.product(kinds, weights, FACTORS))
    sweep = [Case(*case, d=size.d, T=size.T, seed=seed) for case in cases for seed in range(size.seeds)]
    special = specials(size.d, size.T)
    small = [Case(*case, d=size.d_small, T=size.T_small) for case in cases]
    curves = lab.spread(curve, [*sweep, *special.values()], "products of Jacobians")
    return Result(
        size.d,
        size.T,
        curves[: len(sweep)],
        dict(zip(special, curves[len(sweep) :], strict=True)),
        lab.spread(check, small, "products beside autograd"),
    )


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that the product is autograd's, where the bound is tight and where hopeless, and what γλ decides."""
    lag = result.T - 1
    rounding = lag * (result.d + 2) ** 2 * ROUNDOFF / math.log(10)
    worst = max(result.checks, key=lambda each: each.difference / each.tolerance)
    vanish = where(result.sweep, factor=0.9)
    special = result.special
    narrow, held = special["ρ < λ"], result.sweep + list(special.values())
    ratio = math.log10(narrow.factor / narrow.rho)
    return (
        at_most(
            "Largest ‖Π diag(σ′) W_hh − autograd’s ∂h_t/∂h_k‖₂ / (γλ)^ℓ",
            worst.difference,
            worst.tolerance,
            "rounding of both in float64, d, T and γλ as here",
        ),
        *[
            at_most(
                f"Largest log₁₀ of ‖∂h_t/∂h_k‖₂ / (γλ)^ℓ at any lag, {name}, γ = {GAMMA[kind]:g}",
                max(each.excess for each in where(held, kind=kind)),
                rounding,
                "the bound, and ℓ (d + 2)² u for rounding",
                "decades",
            )
            for kind, name in NAMES.items()
        ],
        at_most(
            f"γλ = 0.9 must vanish: largest log₁₀ ‖∂h_t/∂h_k‖₂ at lag {lag}",
            max(each.norm[-1] for each in vanish),
            lag * math.log10(0.9) + rounding,
            f"0.9^ℓ; both functions, both kinds of W_hh, {len(vanish)} runs",
        ),
        *[
            Claim(
                f"{name}: orthogonal W_hh/λ, states near a = 0: decades between bound and norm at lag {lag}",
                0.0,
                special[name].gap,
                -DIGITS,
                -special[name].least[-1] + DIGITS,
                "at most Π γ / min σ′ of the measured states; 1e-6, the digits kept",
                "decades",
            )
            for name in TIGHT
        ],
        Claim(
            f"Hopeless where ρ < λ: random W_hh, decades between bound and norm at lag {lag}",
            lag * ratio,
            narrow.gap,
            lag * ratio - narrow.condition - DIGITS,
            lag * ratio + DIGITS,
            "ρ^ℓ ≤ ‖W_hh^ℓ‖ ≤ ρ^ℓ · condition number of its eigenvectors; states are 0",
            "decades",
        ),
        _usual("Hopeless where units are saturated: decades between bound and norm", special["saturated"], result.d),
        Claim(
            f"γλ = 1.1 explodes where states stay near 0: log₁₀ ‖∂h_t/∂h_k‖₂ at lag {lag}",
            special["explodes"].bound[-1],
            special["explodes"].norm[-1],
            special["explodes"].bound[-1] + special["explodes"].least[-1] - DIGITS,
            special["explodes"].bound[-1] + DIGITS,
            "orthogonal W_hh/λ: between Π λ min σ′ and λ^ℓ",
        ),
        _usual(
            "γλ = 1.1 vanishes with inputs of size 1: decades between bound and norm", special["does not"], result.d
        ),
    )


def _usual(says: str, found: Curve, d: int) -> Claim:
    """Claim that the gap is what slopes make of a direction turned at random; the norm exceeds that by up to √d."""
    return Claim(
        f"{says} at lag {found.lags[-1]}",
        -found.typical[-1],
        found.gap,
        -found.typical[-1] - 4 * found.spread - math.log10(d) / 2,
        -found.typical[-1] + 4 * found.spread,
        "Σ of mean log₁₀ ‖diag(σ′/γ) v‖ over random directions v, ± 4 standard deviations, and √d",
        "decades",
    )


CASES = {
    "explodes": "orthogonal, inputs 1e-12",
    "does not": "orthogonal, inputs of size 1",
    "ρ < λ": "random, states 0",
}


def draw(result: Result) -> Figure:
    """Draw the norms of the sweep beside their bounds, one panel for each function."""
    figure, panels = axes(2, width=9, height=4.2, sharey=True)
    for panel, (kind, name) in zip(panels, NAMES.items(), strict=True):
        for factor, colour in zip(FACTORS, CYCLE, strict=False):
            for of, line in (("orthogonal", "-"), ("random", ":")):
                (found,) = where(result.sweep, kind=kind, factor=factor, weights=of, seed=0)
                _line(panel, found.lags, found.norm, line, color=colour)
            _line(panel, found.lags, found.bound, "--", color=colour, lw=1, label=f"γλ = {factor:g}")
        describe(panel, f"{name}, γ = {GAMMA[kind]:g}", "lag ℓ = t − k, steps", "‖∂h_t/∂h_k‖₂, no unit")
    panels[0].legend(loc="lower left", title="colour", fontsize="small")
    lines = [
        panels[1].plot([], [], line, color="gray", label=name)[0]
        for line, name in (("--", "bound (γλ)^ℓ"), ("-", "W_hh/λ orthogonal"), (":", "W_hh random"))
    ]
    panels[1].legend(handles=lines, loc="lower left", title="line", fontsize="small")
    return figure


def draw_bound(result: Result) -> Figure:
    """Draw how far the bound is off, and what becomes of γλ > 1."""
    figure, (off, above) = axes(2, width=9, height=3.9)
    special = result.special
    for name, colour in zip((*TIGHT, "ρ < λ", "saturated"), (GREEN, SKY, ORANGE, VERMILION), strict=True):
        found = special[name]
        far = [i for i, lag in enumerate(found.lags) if lag > 1]
        lags = [found.lags[i] for i in far]
        off.loglog(lags, [found.bound[i] - found.norm[i] for i in far], color=colour, label=name)
        if name in TIGHT:
            off.loglog(lags, [-found.least[i] for i in far], ":", color=colour)
    off.plot([], [], ":", color="gray", label="at most, by min σ′ of the states")
    off.set_ylim(1e-10, None)
    describe(off, "How far off the bound is", "lag ℓ = t − k, steps", "bound / norm, decades", "lower right")
    for name, colour in (("explodes", GREEN), ("does not", PURPLE), ("ρ < λ", ORANGE)):
        found = special[name]
        if name != "does not":
            _line(
                above, found.lags, found.bound, "--", color=colour, lw=3, alpha=0.6, label=f"bound {found.factor:g}^ℓ"
            )
        _line(above, found.lags, found.norm, "-", color=colour, label=CASES[name])
    describe(above, "γλ > 1: explosion possible", "lag ℓ = t − k, steps", "‖∂h_t/∂h_k‖₂, no unit", "lower left")
    return figure


def _line(panel: Axes, lags: list[int], log10: list[float], line: str, **look: Any) -> None:
    panel.semilogy(lags, [10**each for each in log10], line, **look)


EXPERIMENT = Experiment(
    name="jacobian-product",
    lesson=1,
    title="The Jacobian product and its bound",
    sizes={
        "quick": Size(d=16, T=40, seeds=1, d_small=5, T_small=8),
        "usual": Size(d=64, T=200, seeds=5),
    },
    result=Result,
    measure=measure,
    claims=claims,
    figures={"jacobian-product": draw, "jacobian-bound": draw_bound},
)
