"""One RNN layer written out for autograd to follow, and how far rounding alone may part two ways of differentiating it.

Rounding by the standard bound (Higham 2002, Accuracy and Stability of Numerical Algorithms, chapter 3): a sum of n
products is computed within n u Σ|a||b|, u half the distance from 1 to the next number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.remedies.layers import RNN

Activation = Literal["tanh", "sigmoid"]
NAMES: dict[Activation, str] = {"sigmoid": "logistic", "tanh": "tanh"}
GAMMA: dict[Activation, float] = {"sigmoid": 0.25, "tanh": 1.0}
CURVATURE: dict[Activation, float] = {"sigmoid": 1 / (6 * math.sqrt(3)), "tanh": 4 / (3 * math.sqrt(3))}
"""max |σ″|, how fast a slope changes with its pre-activation."""


@dataclass(frozen=True)
class ExplicitRNN:
    """h_t = σ(W h_{t−1} + U x_t + b), of unbatched vectors."""

    kind: Activation
    W: Float[Tensor, "d d"]
    U: Float[Tensor, "d i"]
    b: Float[Tensor, " d"]

    def step(self, h: Float[Tensor, " d"], x: Float[Tensor, " i"], W: Tensor | None = None) -> Float[Tensor, " d"]:
        """h_t from h_{t−1} and x_t, with another matrix in the place of W where one is given."""
        a = (self.W if W is None else W) @ h + self.U @ x + self.b
        return torch.sigmoid(a) if self.kind == "sigmoid" else torch.tanh(a)

    def slope(self, h: Float[Tensor, "*n d"]) -> Float[Tensor, "*n d"]:
        """σ′(a_t), from the state h_t itself."""
        return h * (1 - h) if self.kind == "sigmoid" else 1 - h.square()

    @torch.no_grad()
    def factor_error(self, x: Float[Tensor, "T i"]) -> float:
        """How far a computed factor diag(σ′(a_t)) W, and its place in a product, may be from exact, relative to γλ.

        To first order in u, for |h| ≤ 1. An error of a state is carried on by γλ a step; it moves the slopes of later
        factors by at most max |σ″| times that of a_t. Multiplied into a product, a factor adds d u in the Frobenius
        norm, which is at most d times the product of the 2-norms.
        Two computed products of n factors differ by at most 2 n times this, relative to (γλ)ⁿ.
        """
        u, d, γ = torch.finfo(self.W.dtype).eps / 2, len(self.W), GAMMA[self.kind]
        λ = float(torch.linalg.matrix_norm(self.W, 2))
        summed = self.W.abs().sum(1) + (x.abs() @ self.U.abs().t()).amax(0) + self.b.abs()
        of_a = (d + self.U.shape[1] + 4) * u * float(torch.linalg.vector_norm(summed))
        carried = sum((γ * λ) ** n for n in range(len(x)))
        of_h = (γ * of_a + 2 * u * math.sqrt(d)) * carried
        of_slope = CURVATURE[self.kind] * (λ * of_h + of_a) + 4 * u
        return of_slope / γ + (1 + d * d) * u


def layer(written: ExplicitRNN) -> RNN:
    """Make the same RNN as one of gradreach's layers, in the dtype of W."""
    with torch.random.fork_rng(devices=[]):
        rnn = RNN(written.U.shape[1], len(written.W), nonlinearity=written.kind, dtype=written.W.dtype)
    rnn.load_state_dict(
        {
            "weight_hh_l0": written.W,
            "weight_ih_l0": written.U,
            "bias_ih_l0": written.b,
            "bias_hh_l0": torch.zeros_like(written.b),
        }
    )
    return rnn
