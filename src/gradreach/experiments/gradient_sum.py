"""The gradient as a sum: ∂L_t/∂W = Σ_k ∂L_t/∂h_t · ∂h_t/∂h_k · ∂⁺h_k/∂W, and ∂L/∂W as the double sum over t and k.

∂⁺h_k/∂W holds h_{k−1} fixed: the derivative of unit p by W_qr is σ′(a_{k,p}) h_{k−1,r} if p = q, else 0 (Pascanu,
Mikolov and Bengio 2013, section 2). Each is compared with autograd, the parts by lag with the engine's truncation bias.
Under a softmax cross-entropy ∂L/∂W_hy is the single sum Σ_t (ŷ_t − y_t) ⊗ h_t, and ∂L_t/∂h_t = W_hyᵀ (ŷ_t − y_t).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from msgspec import Struct
from torch import Tensor

from gradreach.engine.reach import reach
from gradreach.engine.theory import gradient_sum, gradient_terms, immediate, output_terms
from gradreach.experiments.claim import ROUNDOFF, Claim, at_most, equal
from gradreach.experiments.drawing import BLUE, HEAT, ORANGE, axes, describe
from gradreach.experiments.experiment import Experiment, where
from gradreach.experiments.explicit_rnn import CURVATURE, GAMMA, NAMES, Activation, ExplicitRNN, layer
from gradreach.experiments.lab import Lab

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACTOR, INPUTS, CLASSES = 0.9, 3, 5
"""γλ, the width of x_t, and the classes of the softmax."""


@dataclass(frozen=True)
class Size:
    """The units d and the steps T."""

    d: int
    T: int


@dataclass(frozen=True)
class Job:
    """One RNN with L = Σ_t ⟨e_t, h_t⟩."""

    kind: Activation
    d: int
    T: int
    seed: int = 0


class Difference(Struct, frozen=True):
    """The largest 2-norm of ours less autograd's, and what rounding allows there."""

    found: float
    allowed: float


class Sums(Struct, frozen=True):
    """Of one RNN: ∂⁺h_k/∂W_hh, its entries with p ≠ q that are not 0, and each sum beside autograd.

    `sizes[t][k]` is log10 of the 2-norm of the part of ∂L/∂W_hh from step t and step k ≤ t, `steps[t]` that of the sum
    over k, ∂L_t/∂W_hh, and `total` that of the sum over both; `sizes_ih` and `steps_ih` are those of W_x. `left[n]` is
    the norm of the parts of n steps and more of ∂L/∂W_hh, summed, relative to the total; `bias[n]` what
    `gradreach.reach` says of the same. `soft_hy`, `soft_hh` and `soft_ih` are the sums for W_hy, W_hh and W_x under a
    softmax cross-entropy.
    """

    kind: Activation
    immediate: Difference
    crossed: int
    one_hh: Difference
    one_ih: Difference
    all_hh: Difference
    all_ih: Difference
    soft_hy: Difference
    soft_hh: Difference
    soft_ih: Difference
    sizes: list[list[float]]
    steps: list[float]
    sizes_ih: list[list[float]]
    steps_ih: list[float]
    total: float
    left: list[float]
    bias: list[float]
    bias_allowed: float


class Result(Struct, frozen=True):
    """Both functions."""

    sums: list[Sums]


def setting(job: Job) -> tuple[ExplicitRNN, Tensor, Tensor, Tensor]:
    """Make the RNN in float64 with γλ = FACTOR, inputs (T, i), first state (d,) and local errors (T, d)."""
    draw = torch.Generator().manual_seed(job.seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=draw)

    W, U, b = normal(job.d, job.d), normal(job.d, INPUTS) / math.sqrt(INPUTS), 0.1 * normal(job.d)
    W *= FACTOR / GAMMA[job.kind] / torch.linalg.matrix_norm(W, 2)
    rnn = ExplicitRNN(job.kind, W.requires_grad_(), U.requires_grad_(), b)
    return rnn, normal(job.T, INPUTS), torch.sigmoid(normal(job.d)), normal(job.T, job.d)


def head(job: Job) -> tuple[Tensor, Tensor]:
    """Make W_hy (v, d) in float64 and the classes y_t (T,)."""
    draw = torch.Generator().manual_seed(job.seed + 1)
    W = torch.randn(CLASSES, job.d, dtype=torch.float64, generator=draw) / math.sqrt(job.d)
    return W.requires_grad_(), torch.randint(CLASSES, (job.T,), generator=draw)


def sums(job: Job) -> Sums:
    """Measure everything of one RNN."""
    rnn, x, first, errors = setting(job)
    h = [first]
    for inputs in x:
        h.append(rnn.step(h[-1], inputs))
    error, allowed = rnn.factor_error(x), rounding(rnn, x, [float(e.norm()) for e in errors])
    module, asked = layer(rnn), (x.unsqueeze(1), first.expand(1, 1, job.d))
    parts = [gradient_terms(module, asked[0], e, asked[1], t=t) for t, e in enumerate(errors)]
    one = [
        beside(rnn, x, (each.w_hh.sum(0), each.w_ih.sum(0)), h[t + 1] @ e, allowed[t])
        for t, (each, e) in enumerate(zip(parts, errors, strict=True))
    ]
    loss = (torch.stack(h[1:]) * errors).sum()
    one_hh, one_ih = (max(each, key=lambda d: d.found / d.allowed) for each in zip(*one, strict=True))
    all_hh, all_ih = beside(rnn, x, gradient_sum(module, asked[0], errors, asked[1]), loss, sum(allowed))
    soft_hy, soft_hh, soft_ih = of_softmax(job, rnn, x, h)
    alone, crossed = tensors(rnn, x, [each.detach() for each in h], 2 * error * GAMMA[job.kind])
    left, total = remaining([each.w_hh for each in parts])
    return Sums(
        kind=job.kind,
        immediate=alone,
        crossed=crossed,
        one_hh=one_hh,
        one_ih=one_ih,
        all_hh=all_hh,
        all_ih=all_ih,
        soft_hy=soft_hy,
        soft_hh=soft_hh,
        soft_ih=soft_ih,
        sizes=[_log10(each.w_hh) for each in parts],
        steps=_log10([each.w_hh.sum(0) for each in parts]),
        sizes_ih=[_log10(each.w_ih) for each in parts],
        steps_ih=_log10([each.w_ih.sum(0) for each in parts]),
        total=total,
        left=left,
        bias=list(reach(module, asked[0], errors.unsqueeze(1), asked[1], anchors="all").truncation_bias),
        bias_allowed=2 * sum(allowed) * math.sqrt(job.d) / 10**total,
    )


def rounding(rnn: ExplicitRNN, x: Tensor, errors: list[float]) -> list[float]:
    """How far two computed ∂L_t/∂W may be apart, over the norm of what enters, for local errors of these norms.

    A part of step t and k is at most ‖e_t‖ (γλ)^{t−k} γ times what entered; it is off by t − k + 2 factors' error on
    either side, and by the additions of at most 2 T parts.
    """
    off = [2 * (n + 2) * rnn.factor_error(x) + 4 * len(x) * ROUNDOFF for n in range(len(x))]
    carried = [FACTOR**n * each for n, each in enumerate(off)]
    return [size * GAMMA[rnn.kind] * sum(carried[: t + 1]) for t, size in enumerate(errors)]


def beside(
    rnn: ExplicitRNN, x: Tensor, ours: tuple[Tensor, Tensor], loss: Tensor, allowed: float
) -> tuple[Difference, Difference]:
    """Compare ∂loss/∂W_hh and ∂loss/∂W_x with autograd's."""
    theirs = torch.autograd.grad(loss, [rnn.W, rnn.U], retain_graph=True)
    of_hh, of_ih = (float(torch.linalg.matrix_norm(a - b, 2)) for a, b in zip(ours, theirs, strict=True))
    entering = float(torch.linalg.vector_norm(x, dim=-1).max())
    return Difference(of_hh, allowed * math.sqrt(len(rnn.W))), Difference(of_ih, allowed * entering)


def of_softmax(job: Job, rnn: ExplicitRNN, x: Tensor, h: list[Tensor]) -> tuple[Difference, Difference, Difference]:
    """Compare ∂L/∂W_hy, ∂L/∂W_hh and ∂L/∂W_x of a softmax cross-entropy with autograd's.

    To first order in u, for |h| ≤ 1: a state is off by `of_h`, of which `factor_error` holds the effect on a slope, a
    logit by what its state and its d products are, ŷ (a softmax is no steeper than 1) by that and v + 8 roundings of
    numbers up to 4 max |logit|; ŷ − y has norm √2 at most.
    """
    W, classes = head(job)
    states, d, T, γ = torch.stack(h[1:]), job.d, job.T, GAMMA[job.kind]
    logits = states @ W.t()
    loss = torch.nn.functional.cross_entropy(logits, classes, reduction="sum")
    out = output_terms(states.detach(), classes, W.detach())
    size, entries = float(torch.linalg.matrix_norm(W.detach(), 2)), float(W.detach().norm())
    of_h = rnn.factor_error(x) * γ * γ / (CURVATURE[job.kind] * FACTOR)
    of_y = size * of_h + ROUNDOFF * (
        (d + 1) * entries * math.sqrt(d) + CLASSES + 8 + 4 * float(logits.detach().abs().max())
    )
    of_e = size * of_y + ROUNDOFF * (CLASSES + 1) * entries * math.sqrt(2)
    of_term = math.sqrt(d) * of_y + math.sqrt(2) * (of_h + (T + 2) * ROUNDOFF * math.sqrt(d))
    (theirs,) = torch.autograd.grad(loss, [W], retain_graph=True)
    apart = float(torch.linalg.matrix_norm(out.w_hy.sum(0) - theirs, 2))
    allowed = sum(rounding(rnn, x, [float(e.norm()) for e in out.errors]))
    allowed += 2 * T * of_e * γ / (1 - FACTOR)  # a local error that is off is carried back like any other
    ours = gradient_sum(layer(rnn), x.unsqueeze(1), out.errors, h[0].detach().expand(1, 1, d))
    return Difference(apart, 2 * T * of_term), *beside(rnn, x, ours, loss, allowed)


def tensors(rnn: ExplicitRNN, x: Tensor, h: list[Tensor], allowed: float) -> tuple[Difference, int]:
    """Compare ∂⁺h_k/∂W_hh with autograd's at every k, and count its entries with p ≠ q that are not 0."""
    crossed = ~torch.eye(len(rnn.W), dtype=torch.bool)
    apart, wrong = 0.0, 0
    for before, after, inputs in zip(h, h[1:], x, strict=False):
        ours = immediate(rnn.slope(after), before)
        theirs = torch.autograd.functional.jacobian(partial(rnn.step, before, inputs), rnn.W)
        apart = max(apart, float((ours - theirs).abs().max()))
        wrong += int((ours[crossed] != 0).sum()) + int((theirs[crossed] != 0).sum())
    return Difference(apart, allowed), wrong


def remaining(parts: list[Tensor]) -> tuple[list[float], float]:
    """Return the norm of the parts of n = 0 … T steps and more, over that of all; and log10 of the latter."""
    T, total = len(parts), torch.stack([each.sum(0) for each in parts]).sum(0)
    # part k of step t travelled t − k steps: the last of its list 0, the first t
    of_lag = [torch.stack([each[t - lag] for t, each in enumerate(parts) if t >= lag]).sum(0) for lag in range(T)]
    beyond = [torch.stack(of_lag[n:]).sum(0).norm() / total.norm() for n in range(T)]
    return [*map(float, beyond), 0.0], float(total.norm().log10())


def measure(size: Size, lab: Lab) -> Result:
    """Measure both functions."""
    kinds: tuple[Activation, ...] = ("sigmoid", "tanh")
    return Result(lab.spread(sums, [Job(kind, size.d, size.T) for kind in kinds], "sums over k and t"))


def claims(result: Result) -> tuple[Claim, ...]:
    """Claim that each derivation equals autograd, and the parts by lag the engine's."""
    return (
        _worst("∂⁺h_k/∂W_hh element by element, every k", [each.immediate for each in result.sums]),
        equal(
            "Entries of ∂⁺h_k/∂W_hh with p ≠ q that are not 0, ours and autograd’s",
            0.0,
            float(sum(each.crossed for each in result.sums)),
            0.0,
            "unit p does not depend on row q of W_hh while h_{k−1} is held",
        ),
        _worst("∂L_t/∂W_hh as the sum over k, every t", [each.one_hh for each in result.sums]),
        _worst("∂L_t/∂W_x as the sum over k, every t", [each.one_ih for each in result.sums]),
        _worst("∂L/∂W_hh as the sum over t and k", [each.all_hh for each in result.sums]),
        _worst("∂L/∂W_x as the sum over t and k", [each.all_ih for each in result.sums]),
        _worst("∂L/∂W_hy of a softmax, Σ_t (ŷ_t − y_t) ⊗ h_t", [each.soft_hy for each in result.sums]),
        _worst("∂L/∂W_hh of a softmax, as the sum over t and k", [each.soft_hh for each in result.sums]),
        _worst("∂L/∂W_x of a softmax, as the sum over t and k", [each.soft_ih for each in result.sums]),
        _worst(
            "Parts of n steps and more beside gradreach.reach’s truncation bias b(n)",
            [
                Difference(max(abs(a - b) for a, b in zip(each.left, each.bias, strict=True)), each.bias_allowed)
                for each in result.sums
            ],
            "the engine",
        ),
    )


def _worst(says: str, differences: list[Difference], other: str = "autograd") -> Claim:
    worst = max(differences, key=lambda each: each.found / each.allowed)
    return at_most(
        f"{says}: largest difference from {other}",
        worst.found,
        worst.allowed,
        "rounding of both in float64, relative to what the bound lets every part be",
    )


def _log10(parts: Iterable[Tensor]) -> list[float]:
    return [round(float(part.norm().log10()), 4) for part in parts]


def draw(result: Result) -> Figure:
    """Draw the size of every part and of the sums over k, and how fast what is left falls with the lag."""
    found = where(result.sums, kind="tanh")[0]
    figure, (of_hh, of_ih, lags) = axes(3, width=13, height=3.9, gridspec_kw={"width_ratios": [1.25, 1.25, 1]})
    _squares(figure, of_hh, "W_hh", found.sizes, found.steps)
    _squares(figure, of_ih, "W_x", found.sizes_ih, found.steps_ih)
    for each, colour in zip(result.sums, (ORANGE, BLUE), strict=True):
        n = range(len(found.steps))
        reached = each.bias[: len(n)]
        lags.semilogy(n, reached, "o", ms=7, mfc="none", color=colour, label=f"gradreach.reach, {NAMES[each.kind]}")
        lags.semilogy(n, each.left[: len(n)], color=colour, label=f"sum of the parts, {NAMES[each.kind]}")
    describe(lags, "What truncation at n steps loses", "lag n, steps", "parts of n steps and more / all", "best")
    return figure


def _squares(figure: Figure, panel: Axes, weight: str, sizes: list[list[float]], steps: list[float]) -> None:
    """One square for each part of the gradient of a weight, and a column for its sums over k."""
    T = len(steps)
    squares = torch.full((T, T + 2), math.nan)
    for t, row in enumerate(sizes):
        squares[t, : t + 1] = torch.tensor(row)
    squares[:, T + 1] = torch.tensor(steps)
    extent = (0.5, T + 2.5, T + 0.5, 0.5)
    drawn = panel.imshow(squares.numpy(), cmap=HEAT, aspect="auto", interpolation="nearest", extent=extent)
    figure.colorbar(drawn, ax=panel, label="log₁₀ of the 2-norm")
    shown = [*range(1, T, max(1, T // 6)), T + 2]
    panel.set_xticks(shown, [*map(str, shown[:-1]), "Σ over k"])
    panel.grid(visible=False)
    describe(panel, f"Parts of ∂L/∂{weight}, tanh", f"step k at which {weight} is used", "step t of the loss")


EXPERIMENT = Experiment(
    name="gradient-sum",
    lesson=2,
    title="The gradient as a sum over time",
    sizes={"quick": Size(d=6, T=12), "usual": Size(d=24, T=30)},
    result=Result,
    measure=measure,
    claims=claims,
    figures={"gradient-sum": draw},
)
