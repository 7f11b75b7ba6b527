"""Keep singular values apart."""

from __future__ import annotations

from gradreach.remedies.advice.advice import Advice

SPLIT_VALUES = Advice(
    id="split-values",
    does="the slope of singular vectors goes as 1 over the difference of the values, and equal ones have none",
    code=lambda: "A = A + 1e-3 * torch.diag(torch.arange(1.0, A.shape[-1] + 1))  # before svd or eigh",
    answers=("GR301",),
    unfit="Where the vectors of equal values matter: use a function of the matrix that needs none, as its norm.",
)
