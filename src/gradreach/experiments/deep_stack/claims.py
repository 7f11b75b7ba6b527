"""The bound, the decay by layer, what does not move, what that costs, and what cures it."""

from __future__ import annotations

import math
from statistics import fmean

import torch

from gradreach.experiments.claim import Claim, at_most
from gradreach.experiments.deep_stack.measure import KINDS, WIDTH, Kind, Measured, Trained
from gradreach.tasks.deep import HELD_OUT

U64 = torch.finfo(torch.float64).eps / 2


CURES: tuple[Kind, ...] = ("logistic, residual", "ReLU, He’s start")


def claims(measured: Measured) -> tuple[Claim, ...]:
    """The bound; the decay beside its two factors; what does not move; what it costs; what cures it."""
    of = {kind: [each for each in measured.deep if each.kind == kind] for kind in KINDS}
    plain, L = of["logistic"], measured.deep[0].depth
    still = max(plain, key=lambda each: each.moved[0] - each.movable)
    lowest = min(plain, key=lambda each: each.loss)
    least = -sum(share * math.log(share) for share in measured.train_shares if share) - 2 * lowest.spread
    constant = 1 - max(measured.test_shares), 1 - min(measured.test_shares)
    furthest = max(plain, key=lambda each: abs(each.error - sum(constant) / 2))
    return (
        at_most(
            "Largest log₁₀ of ‖∂h_L/∂h_l‖₂ / Π γ‖W‖₂ at any l, before and after training",
            max(look.excess for each in measured.deep for look in (each.start, each.end) if look.gradient),
            L * (WIDTH + 2) ** 2 * U64 / math.log(10),
            "the bound; L (n + 2)² u for rounding",
            "decades",
        ),
        *[_decay(kind, of[kind]) for kind in ("logistic", "ReLU", "ReLU, He’s start")],
        _saturation(measured),
        at_most(
            f"Relative movement of the first of {L} logistic layers in {still.updates} updates",
            still.moved[0],
            still.movable,
            "updates × rate × largest gradient / Adam’s ε, on every weight; twice, since float32 rounds",
        ),
        Claim(
            f"Lowest training loss of {L} logistic layers",
            math.log(10),
            lowest.loss,
            least,
            None,
            "ln 10 for even classes; entropy of the classes, less twice what the pictures still change in a logit",
            "nats",
        ),
        Claim(
            f"Test error of {L} logistic layers, the seed furthest from chance",
            0.9,
            furthest.error,
            constant[0] - 1e-9,
            constant[1] + 1e-9,
            "an answer that is the same for every picture, whichever it is",
            "share wrong",
        ),
        *[
            Claim(
                f"Largest test error of {L} layers, {kind}",
                None,
                max(each.error for each in of[kind]),
                None,
                constant[0] - 1 / HELD_OUT,
                "less than any answer that ignores the picture",
                "share wrong",
            )
            for kind in CURES
        ],
    )


def _decay(kind: Kind, nets: list[Trained]) -> Claim:
    """The gradient's factor per layer between h_L and h_0, over layers and seeds."""
    L = nets[0].depth
    measured = fmean((each.start.gradient[0] - each.start.gradient[L]) / L for each in nets)
    relu = kind != "logistic"
    # σ′ is about the same for all units, ReLU's is 0 or 1: its root mean square is the root of its mean
    slope = fmean(math.log10(s) / (2 if relu else 1) for each in nets for s in each.start.slope)
    own = math.sqrt(2) if kind == "ReLU, He’s start" else math.sqrt(1 / 3)
    # of ‖Wᵀv‖² over n units, and of the share of ‖v‖² that a random half keeps, relative
    variance = (5 if relu else 2) / WIDTH
    off = 4 * math.sqrt(variance / 4 / (L * len(nets))) + variance / 4
    predicted = 10**slope * own
    return Claim(
        f"{kind}: factor of ‖∂L/∂h‖ per layer at the first step, L = {L}",
        predicted,
        10**measured,
        predicted * math.exp(-off),
        predicted * math.exp(off),
        f"√(n var W) = {own:.3f} × root mean square of σ′; ± 4 s.d. over {L * len(nets)} layers, and bias",
    )


def _saturation(measured: Measured) -> Claim:
    """A saturated unit has at most 5 % of the largest slope."""
    pairs = [
        (slope / (0.25 * (1 - 0.95 * share)), share)
        for each in measured.deep
        for look in (each.start, each.end)
        if look.slope and look.saturated
        for slope, share in zip(look.slope, look.saturated, strict=True)
    ]
    return at_most(
        f"Largest mean σ′ of a layer / ¼ (1 − 0.95 s), s its saturated share, up to {max(s for _, s in pairs):.0%}",
        max(ratio for ratio, _ in pairs),
        1 + 1e-3,
        "saturated is a slope under 5 % of ¼; 1e-3, the digits kept of s",
    )
