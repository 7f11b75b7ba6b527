"""What bounds the reach: slopes of the activation, norms of W_hh, and the growth rates of the state Jacobian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells import GAMMA, pull
from gradreach.engine.scan import Unroll

_SMALL_SLOPE = 0.05


@dataclass(frozen=True, slots=True)
class Bounds:
    """Figures of one direction of one layer; None where its kind of cell has none, or where it is not finite.

    RNN: ‖∂h_t/∂h_{t−1}‖ ≤ γλ (Pascanu et al. 2013), with γ the bound of σ′ (1 for tanh and ReLU, ¼ logistic),
    `gamma_mean` its measured mean, λ = ‖W_hh‖₂ and `rho` the spectral radius of W_hh; `bound_factor` γλ is None under a
    shortcut and a norm in the cell. GRU and LSTM carry the state past W_hh by a gate (z, f), so no product of these
    bounds their Jacobian; the Lyapunov exponents tell its growth for every kind.
    `saturated` is the share of tanh activations (an RNN's h, a GRU's n, an LSTM's g) with a slope under 5 % of the
    largest; gates are left out, since one held open or shut is at work. For ReLU it is the share of units with
    slope 0 at every step of every row, since a slope of 0 now and then is how ReLU works.
    """

    gamma: float | None = None
    gamma_mean: float | None = None
    lambda_: float | None = None
    rho: float | None = None
    bound_factor: float | None = None
    saturated: float | None = None
    lyapunov: tuple[float, ...] = ()


@torch.no_grad()
def bounds(run: Unroll, *, exponents: int = 4, max_steps: int = 128) -> Bounds:
    """All figures of one direction; the Lyapunov exponents along its longest row's last `max_steps` steps."""
    with torch.autocast(run.h.device.type, enabled=False):
        growth = lyapunov(run, exponents=exponents, max_steps=max_steps)
        gamma = GAMMA.get(run.kind)
        if gamma is None:
            return Bounds(saturated=_finite(_saturated(run)), lyapunov=growth)
        lambda_, rho = spectrum(run.weights.w_hh)
        slope = _active(run, run.slopes.gate)
        mean = _finite(float(slope.mean())) if slope.numel() else None
        factor = None if lambda_ is None or not is_bound(run) else gamma * lambda_
        return Bounds(gamma, mean, lambda_, rho, factor, _finite(_saturated(run)), growth)


def is_bound(run: Unroll) -> bool:
    """Whether (γλ)^ℓ bounds ‖∂h_t/∂h_k‖: an RNN with neither a shortcut nor a norm in the cell."""
    return run.kind in GAMMA and run.remedies.skip == 0 and run.weights.gain_hh is None


def spectrum(w_hh: Float[Tensor, "H H"]) -> tuple[float | None, float | None]:
    """‖W_hh‖₂ and the spectral radius ρ; None where W_hh is not finite."""
    if w_hh.numel() == 0 or not bool(w_hh.isfinite().all()):
        return None, None
    w = w_hh.detach()
    return float(torch.linalg.matrix_norm(w, 2)), float(torch.linalg.eigvals(w).abs().amax())


def lyapunov(run: Unroll, *, exponents: int = 4, max_steps: int = 128, row: int = 0) -> tuple[float, ...]:
    """The leading Lyapunov exponents of the state's Jacobian product along one row, per step, largest first.

    QR method (Benettin et al. 1980) on the transposed product, whose singular values are the same: V ← J_tᵀ V = QR
    from the last step back, exponents the means of log |R_ii| past the first quarter, in which V turns into place.
    The state is (h, c) for an LSTM. Row 0 of a packed sequence is the longest. Empty where not finite, for T < 4, and
    under a shortcut, whose state is a delay line (see `products.lyapunov`).
    """
    T, B = run.x.shape[:2]
    steps = min(T, max_steps)
    P = run.h.shape[-1]
    S = P + (0 if run.c is None else run.c.shape[-1])
    count = min(exponents, S)
    if steps < 4 or B == 0 or count == 0 or run.remedies.skip > 0:
        return ()
    generator = torch.Generator().manual_seed(0)
    V = torch.linalg.qr(torch.randn(S, count, dtype=run.h.dtype, generator=generator, device="cpu").to(run.h.device)).Q
    along = run.slopes.each(lambda s: s[T - steps :, row].unsqueeze(1))
    growth = []
    for t in reversed(range(steps)):
        at = along.each(lambda s, t=t: s[t])  # type: ignore[misc]
        at = at.each(lambda s: s.expand(count, *s.shape[1:]))
        block = V.t()
        _, dh, dc = pull(run.kind, run.weights, at, block[:, :P].contiguous(), None if run.c is None else block[:, P:])
        V, R = torch.linalg.qr((dh if dc is None else torch.cat([dh, dc], dim=1)).t())
        growth.append(R.diagonal().abs())
    rates = torch.stack(growth)[steps // 4 :].double().log().mean(0).sort(descending=True).values.tolist()
    return tuple(rates) if all(map(math.isfinite, rates)) else ()


def _active(run: Unroll, each: Tensor) -> Tensor:
    """The entries of steps at which their row is active, (N, …)."""
    active = run.active
    return each.flatten(0, 1) if active is None else each[active]


def _saturated(run: Unroll) -> float:
    if run.kind == "RNN_RELU":
        dead = _active(run, run.slopes.gate).flatten(1) == 0
        return float(dead.all(0).double().mean()) if dead.shape[0] else math.nan
    y = _active(run, run.gates[:, :, 2 if run.kind in ("GRU", "LSTM") else 0])
    y = 2 * y - 1 if run.kind == "RNN_SIGMOID" else y
    # tanh′ = 1 − tanh² falls under 5 % of its largest slope, 1; and so does σ′ where 2σ − 1 is as large
    return float((y.abs() > math.sqrt(1 - _SMALL_SLOPE)).double().mean()) if y.numel() else math.nan


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None
