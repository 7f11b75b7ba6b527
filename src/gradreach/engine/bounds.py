"""What bounds the reach: slopes of the activation, norms of W_hh, and the growth rates of the state Jacobian."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from gradreach.engine.cells.cell import pull
from gradreach.engine.scan import Unroll
from gradreach.record.seen.recurrence import LYAPUNOV_STEPS


@dataclass(frozen=True, slots=True)
class Bounds:
    """Figures of one direction of one layer; None where its kind of cell has none, or where it is not finite.

    RNN: ‖∂h_t/∂h_{t−1}‖ ≤ γλ (Pascanu et al. 2013), with γ the bound of σ′ (1 for tanh and ReLU, ¼ logistic),
    `gamma_mean` its measured mean, λ = ‖W_hh‖₂ and `rho` the spectral radius of W_hh; `bound_factor` γλ is None under a
    shortcut and a norm in the cell. GRU and LSTM carry the state past W_hh by a gate (z, f), so no product of these
    bounds their Jacobian; the Lyapunov exponents tell its growth for every kind.
    `saturated` is the share of tanh activations (an RNN's h, a GRU's n, an LSTM's g) with a slope under 5 % of the
    largest; gates are left out, since one held open or shut is at work. For ReLU it is the share of units with
    slope 0 at every step of every row, since a slope of 0 now and then is how ReLU works. It is None for a kind that
    has no such units.
    """

    gamma: float | None = None
    gamma_mean: float | None = None
    lambda_: float | None = None
    rho: float | None = None
    bound_factor: float | None = None
    saturated: float | None = None
    lyapunov: tuple[float, ...] = ()


@torch.no_grad()
def bounds(run: Unroll, *, exponents: int = 4, max_steps: int = LYAPUNOV_STEPS) -> Bounds:
    """All figures of one direction; the Lyapunov exponents along its longest row's last `max_steps` steps."""
    with torch.autocast(run.h.device.type, enabled=False):
        growth = lyapunov(run, exponents=exponents, max_steps=max_steps)
        gamma, w_hh = run.cell.gamma, run.weights.w_hh
        if gamma is None or w_hh is None:
            return Bounds(saturated=_saturated(run), lyapunov=growth)
        lambda_, rho = lambda_and_rho(w_hh)
        slope = _active(run, run.slopes.gate)
        mean = _finite(float(slope.mean())) if slope.numel() else None
        factor = None if lambda_ is None or not is_bound(run) else gamma * lambda_
        return Bounds(gamma, mean, lambda_, rho, factor, _saturated(run), growth)


def is_bound(run: Unroll) -> bool:
    """Whether (γλ)^ℓ bounds ‖∂h_t/∂h_k‖: an RNN with neither a shortcut nor a norm in the cell."""
    return run.cell.gamma is not None and run.remedies.skip == 0 and run.weights.gain_hh is None


def lambda_and_rho(
    w_hh: Float[Tensor, "H P"], w_hr: Float[Tensor, "P H"] | None = None
) -> tuple[float, float] | tuple[None, None]:
    """‖W_hh‖₂ and the spectral radius ρ, with a projection that of W_hh · W_hr; None where W_hh is not finite."""
    if w_hh.numel() == 0 or not bool(w_hh.isfinite().all()):
        return None, None
    w = w_hh.detach()
    square = w if w_hr is None else w @ w_hr
    return float(torch.linalg.matrix_norm(w, 2)), float(torch.linalg.eigvals(square).abs().amax())


def lyapunov(run: Unroll, *, exponents: int = 4, max_steps: int = LYAPUNOV_STEPS, row: int = 0) -> tuple[float, ...]:
    """The leading Lyapunov exponents of the state's Jacobian product along one row, per step, largest first.

    QR method (Benettin et al. 1980) on the transposed product, whose singular values are the same: V ← J_tᵀ V = QR
    from the last step back, exponents the means of log |R_ii| past the first quarter, in which V turns into place.
    The state is (h, c) for an LSTM. Row 0 of a packed sequence is the longest. Empty where not finite, for T < 4, and
    under a shortcut, whose state is a delay line (see `products.product_spectrum`).
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
        _, dh, dc = pull(run.cell, run.weights, at, block[:, :P].contiguous(), None if run.c is None else block[:, P:])
        V, R = torch.linalg.qr((dh if dc is None else torch.cat([dh, dc], dim=1)).t())
        growth.append(R.diagonal().abs())
    rates = torch.stack(growth)[steps // 4 :].double().log().mean(0).sort(descending=True).values.tolist()
    return tuple(rates) if all(map(math.isfinite, rates)) else ()


def _active(run: Unroll, each: Tensor) -> Tensor:
    """The entries of the steps at which their row is active, (N, …)."""
    active = run.active
    return each.flatten(0, 1) if active is None else each[active]


def _saturated(run: Unroll) -> float | None:
    if run.cell.saturated is None:
        return None
    gates = _active(run, run.gates)
    return _finite(run.cell.saturated(gates)) if len(gates) else None


def _finite(figure: float) -> float | None:
    return figure if math.isfinite(figure) else None
