import pytest
import torch
from torch import Tensor

from gradreach.remedies.polar import orthogonalise_


def off(W: Tensor) -> float:
    """The largest ‖WᵀW − 1‖₂ of W's square blocks."""
    X = W.detach().double().view(-1, W.shape[-1], W.shape[-1])
    return float(torch.linalg.matrix_norm(X.mT @ X - torch.eye(W.shape[-1], dtype=torch.float64), 2).max())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("distance", [0.0, 1e-6, 1e-3, 0.1, 1.0, 10.0])
@pytest.mark.parametrize("H", [1, 3, 128])
def test_nearest_orthogonal_matrix(dtype: torch.dtype, distance: float, H: int) -> None:
    torch.manual_seed(0)
    W = torch.linalg.qr(torch.randn(4, H, H, dtype=torch.float64)).Q
    W = (W + distance * torch.randn_like(W) / H**0.5).to(dtype)
    U, S, Vh = torch.linalg.svd(W.double())
    flat = W.reshape(4 * H, H).clone()
    orthogonalise_(flat)
    rounding = 2 * H * torch.finfo(dtype).eps
    assert off(flat) <= max(rounding, 40 * torch.finfo(dtype).eps)
    spread = float(S.amax() / S.amin())
    assert float((flat.view_as(W) - U @ Vh).norm()) <= (20 + rounding) * spread * torch.finfo(dtype).eps * H


def test_an_orthogonal_matrix_is_left_alone() -> None:
    torch.manual_seed(0)
    W = torch.linalg.qr(torch.randn(256, 256)).Q.contiguous()
    orthogonalise_(W)
    before = W.clone()
    version = W._version
    orthogonalise_(W)
    assert torch.equal(W, before)
    assert W._version == version


def test_what_is_not_finite_is_left_alone() -> None:
    W = torch.full((3, 3), float("nan"))
    orthogonalise_(W)
    assert W.isnan().all()
