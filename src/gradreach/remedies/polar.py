"""The nearest orthogonal matrix."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

_ROUNDING = {torch.float32: 3.0, torch.float64: 6.0}
"""‖XᵀX − 1‖ / (ε √H) in the Frobenius norm: more than rounding alone leaves of an orthogonal X up to H = 1024."""
_TURNS = 12
"""The most turns of Newton's iteration; from ‖R‖ = 0.9 it takes six to reach rounding in float64."""


@torch.no_grad()
def orthogonalise_(W: Float[Tensor, "GH H"]) -> None:
    """Replace each gate's (H, H) block of W by the nearest orthogonal matrix, in place.

    The nearest in the Frobenius norm is the polar factor U of W = UP (Fan and Hoffman 1955). Newton's iteration
    X ← X(3 − XᵀX)/2 = X − XR/2, R = XᵀX − 1, finds it where ‖R‖₂ < 1, and squares R at every turn (Björck and Bowie
    1971); an optimizer's step leaves ‖R‖ of the order of the step. From further away the SVD finds it. W stays
    untouched where ‖R‖ is rounding alone, or not finite.
    """
    H, eps = W.shape[-1], torch.finfo(W.dtype).eps
    X = W.view(-1, H, H)
    eye = torch.eye(H, dtype=W.dtype, device=W.device).expand_as(X)
    with torch.autocast(W.device.type, enabled=False):
        for _ in range(_TURNS):
            R = torch.baddbmm(eye, X.mT, X, beta=-1.0)
            off = float(torch.linalg.vector_norm(R, dim=(1, 2)).amax())
            if off <= max(16.0, _ROUNDING.get(W.dtype, 6.0) * math.sqrt(H)) * eps or not math.isfinite(off):
                return
            if off >= 0.9:
                X.copy_(_polar(X))
                continue
            X.sub_(torch.bmm(X, R), alpha=0.5)
            if off < math.sqrt(eps):
                return


def _polar(X: Tensor) -> Tensor:
    U, _, Vh = torch.linalg.svd(X.double())
    polar: Tensor = (U @ Vh).to(X.dtype)
    return polar
