"""The network, and how large its gradient may be and is."""

from __future__ import annotations

import math
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector

from gradreach.engine.reach import reach
from gradreach.tasks.echo import echo
from gradreach.tasks.models import Recurrent, recurrent
from gradreach.tasks.recipe import Parts, Recipe
from gradreach.tasks.task import cross_entropy

LAG, T, H, N = 3, 50, 32, 8


def built(rate: float, seed: int) -> Parts:
    """Build network, data, loss and plain SGD of one seed."""
    task = echo(lag=LAG, length=T)
    return Recipe(task, lambda t: recurrent(t, "irnn", H), N, rate, "sgd", None, seed).build()


def exact(model: nn.Module) -> Recurrent:
    """Return a copy in float64."""
    return cast(Recurrent, deepcopy(model)).double()


def log10_bound(model: Recurrent) -> float:
    """Bound log10 ‖∂L/∂W_hh‖ for any symbols, λ = ‖W_hh‖₂ > 1, L a mean of cross-entropies, ReLU, h_0 = 0.

    ‖h_k‖ ≤ u λ^k / (λ − 1) with u the longest W_ih x + b, and ‖e_t‖ ≤ √2 ‖V‖₂ with V the readout's weights, so each of
    the terms (∂h_t/∂h_k)ᵀ e_t h_{k−1}ᵀ is at most √2 ‖V‖₂ u λ^T / (λ − 1), and there are T a scored step. The logits
    and the loss stay under it too, but for the readout's bias.
    """
    weights = dict(model.named_parameters())
    bias = weights["body.bias_ih_l0"] + weights["body.bias_hh_l0"]
    driven = (weights["embed.weight"] @ weights["body.weight_ih_l0"].T + bias).detach()
    u, V, norm = driven.norm(dim=1).max(), _largest(model.head.weight), _largest(weights["body.weight_hh_l0"])
    return math.log10(math.sqrt(2) * T * V * float(u) / (norm - 1)) + T * math.log10(norm)


def _largest(weight: Tensor) -> float:
    return float(torch.linalg.matrix_norm(weight.detach(), 2))


def growth(model: Recurrent, x: Tensor, y: Tensor) -> tuple[float, float, float]:
    """Return the gradient's growth at h_k from k = T to 1, by autograd and by `gr.reach`; and the factor per step."""
    assert model.embed is not None
    embedded, states, h = model.embed(x).detach(), [], None
    for t in range(T):
        _, h = model.body(embedded[:, t : t + 1], h)
        states.append(h)
    loss = cross_entropy(model.head(states[-1][0]), y[:, -1])
    gradients = torch.autograd.grad(loss, states)
    far, near = (float(gradients[k].norm(dim=-1).mean()) for k in (0, -1))
    error = torch.zeros(N, T, H, dtype=torch.float64)
    error[:, -1] = gradients[-1][0]
    found = reach(model.body, embedded, error, anchors="all")
    assert found.factor is not None
    return far / near, found.curve[-1], found.factor


def flat(model: nn.Module) -> Tensor:
    """Return all weights in one vector."""
    return parameters_to_vector(model.parameters()).detach()
