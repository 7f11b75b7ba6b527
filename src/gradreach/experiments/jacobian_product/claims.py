"""That the product is autograd's, that the bound holds, where it is tight and where hopeless."""

from __future__ import annotations

import math

import torch

from gradreach.experiments.claim import Claim, at_most
from gradreach.experiments.explicit_rnn import GAMMA, NAMES
from gradreach.experiments.jacobian_product.measure import TIGHT, Curve, Measured

DIGITS = 1e-6
"""What the digits kept leave open in a difference of two logarithms."""


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The product is autograd's; the bound holds; where it is tight and where hopeless; what γλ decides."""
    u, lag = torch.finfo(torch.float64).eps / 2, measured.T - 1
    rounding = lag * (measured.d + 2) ** 2 * u / math.log(10)
    worst = max(measured.checks, key=lambda each: each.difference / each.tolerance)
    vanish = [each for each in measured.sweep if each.factor == 0.9]
    special = measured.special
    narrow, held = special["ρ < λ"], measured.sweep + list(special.values())
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
                max(each.excess for each in held if each.kind == kind),
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
        _usual("Hopeless where units are saturated: decades between bound and norm", special["saturated"], measured.d),
        Claim(
            f"γλ = 1.1 explodes where states stay near 0: log₁₀ ‖∂h_t/∂h_k‖₂ at lag {lag}",
            special["explodes"].bound[-1],
            special["explodes"].norm[-1],
            special["explodes"].bound[-1] + special["explodes"].least[-1] - DIGITS,
            special["explodes"].bound[-1] + DIGITS,
            "orthogonal W_hh/λ: between Π λ min σ′ and λ^ℓ",
        ),
        _usual(
            "γλ = 1.1 vanishes with inputs of size 1: decades between bound and norm", special["does not"], measured.d
        ),
    )


def _usual(says: str, found: Curve, d: int) -> Claim:
    """The gap is what the slopes make of a direction turned at random; the norm exceeds that by up to √d."""
    return Claim(
        f"{says} at lag {found.lags[-1]}",
        -found.typical[-1],
        found.gap,
        -found.typical[-1] - 4 * found.spread - math.log10(d) / 2,
        -found.typical[-1] + 4 * found.spread,
        "Σ of mean log₁₀ ‖diag(σ′/γ) v‖ over random directions v, ± 4 standard deviations, and √d",
        "decades",
    )
