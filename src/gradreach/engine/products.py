"""Products of many Jacobians in log space: norms, singular values and growth rates beyond the range of a float."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from gradreach.engine.jacobian import Jacobians

_RESOLVED = 1e-10
"""A pivot smaller than this, relative to its column, has lost more to rounding than a report can bear."""
_TINY = torch.finfo(torch.float64).tiny
_TURNED = 4
"""QR steps before the Jacobi sweeps: each brings a graded product closer to a diagonal at a tenth of a sweep's cost."""
_ORTHOGONAL = 1e-7
"""Cosine between two rows under which one more Jacobi rotation, which squares it, is the last in float64."""


@dataclass(frozen=True, slots=True)
class ScaledProduct:
    """A product of matrices, matrix · exp(log_scale), its largest entry brought to 1: enough for its norm."""

    matrix: Float[Tensor, "L M"]
    log_scale: float = 0.0

    def before(self, A: Float[Tensor, "M N"]) -> ScaledProduct:
        """This product times A."""
        product = self.matrix @ A
        size = float(product.abs().amax()) if product.numel() else 0.0
        return ScaledProduct(product / size, self.log_scale + math.log(size)) if size > 0 else ScaledProduct(product)

    def log10_norm(self, columns: int) -> float:
        """log10 of the 2-norm of the first columns; −inf for 0."""
        part = self.matrix[:, :columns]
        square = float(torch.linalg.eigvalsh(part @ part.t())[-1]) if part.numel() else 0.0
        return (self.log_scale + math.log(square) / 2) / math.log(10) if square > 0 else -math.inf


@dataclass(frozen=True, slots=True)
class GradedProduct:
    """A product of matrices M = basis · diag(exp(log_scale)) · rest, whatever its size.

    `basis` has orthonormal columns, `rest` rows of norm 1, and R is the rank as far as rows and columns of zeros lower
    it. Kept so by QR at every factor, columns ordered by size (Loh et al. 1989, stable matrix products). `blurred`
    marks the rows of `rest` whose scale is rounding error: a factor was singular to working precision. `stretch` is the
    sum of log |R_ii| over all QR steps, R_ii counted for the column of `basis` that it came from.
    """

    basis: Float[Tensor, "M R"]
    log_scale: Float[Tensor, " R"]
    rest: Float[Tensor, "R N"]
    blurred: Bool[Tensor, " R"]
    stretch: Float[Tensor, " R"]

    def times(self, A: Float[Tensor, "L M"]) -> GradedProduct:
        """A · M."""
        columns = A.abs().amax(0)
        if bool((columns == 0).any()):
            live = (columns > 0) & (self.basis != 0).any(1)
            if int(live.sum()) < len(self.log_scale):
                return self._factored(self.basis[live]).times(A[:, live])
        if len(columns) == 0:
            return self._factored(A @ self.basis)
        size = columns.amax()
        return self._factored((self.basis.t() @ (A / size).t()).t(), float(size.log()))

    def log10_singular_values(self) -> Float[Tensor, " K"]:
        """log10 of the min(M, N) singular values, largest first; −inf for 0, NaN where rounding hides the value."""
        rows = self
        for _ in range(_TURNED):
            unit = torch.eye(len(rows.log_scale), dtype=self.rest.dtype, device=self.rest.device)
            rows = replace(rows, basis=unit, rest=unit)._factored(rows.rest.t())
        values = one_sided_jacobi(rows.log_scale, rows.rest).sort(descending=True).values
        if bool(rows.blurred.any()):
            values[values < rows.log_scale[rows.blurred].amax() - math.log(_RESOLVED) / 2] = math.nan
        zeros = min(self.basis.shape[0], self.rest.shape[1]) - len(values)
        return torch.cat([values / math.log(10), values.new_full((zeros,), -math.inf)])

    def _factored(self, B: Float[Tensor, "L R"], log_size: float = 0.0) -> GradedProduct:
        """The same product with exp(log_size) · B in place of `basis`."""
        size = B.abs().amax(0) if len(B) else B.new_zeros(B.shape[1])
        log_column = self.log_scale + size.log() + log_size
        order = log_column.argsort(descending=True, stable=True)[: int((size > 0).sum())]
        log_column, stretch = log_column[order], (log_column - self.log_scale + self.stretch)[order]
        basis, R = torch.linalg.qr((B.t()[order] / size[order].unsqueeze(1)).t())
        pivot = log_column[: len(R)]
        share = R * (log_column - pivot.unsqueeze(1)).clamp(max=0.0).exp()
        blurred = share.abs().sum(1) < _RESOLVED
        if bool(self.blurred.any()):
            blurred |= share.abs() @ self.blurred[order].to(share.dtype) > _RESOLVED * share.abs().sum(1)
        rest = share @ self.rest[order]
        length = torch.linalg.vector_norm(rest, dim=1)
        stretch = stretch[: len(R)] + R.diagonal().abs().log()
        live = length > 0
        rest = rest[live] / length[live].unsqueeze(1)
        return GradedProduct(basis[:, live], (pivot + length.log())[live], rest, blurred[live], stretch[live])


def identity(size: int, columns: int, device: torch.device) -> GradedProduct:
    """The first `columns` columns of the identity, in float64."""
    unit = torch.eye(size, columns, dtype=torch.float64, device=device)
    zeros = unit.new_zeros(columns)
    return GradedProduct(unit, zeros, unit[:columns], zeros.bool(), zeros)


def one_sided_jacobi(log_scale: Float[Tensor, " R"], rows: Float[Tensor, "R N"]) -> Float[Tensor, " R"]:
    """log of the singular values of diag(exp(log_scale)) · rows, each to high relative accuracy, in no order.

    One-sided Jacobi rotations make the rows orthogonal (Demmel and Veselić 1992), here on rows of norm 1 with their
    sizes in logs; R / 2 pairs are turned at once, in the order of a round robin.
    """
    count = len(log_scale)
    if count < 2:
        return log_scale
    if count % 2:  # a row of zeros, which nothing turns
        log_scale, rows = torch.cat([log_scale, log_scale[-1:]]), torch.cat([rows, torch.zeros_like(rows[:1])])
    n, half = len(rows), len(rows) // 2
    ring = [*range(1, half), *range(n - 1, half - 1, -1)]  # row 0 stays, the others move on by one place a round
    turned = dict(zip(ring, ring[-1:] + ring[:-1], strict=True))
    order = torch.tensor([turned.get(to, to) for to in range(n)], device=rows.device)
    for _ in range(60):
        worst = rows.new_zeros(())
        for _ in range(n - 1):
            (a, b), (s_a, s_b) = rows.chunk(2), log_scale.chunk(2)
            c = (a * b).sum(1)
            worst = torch.maximum(worst, c.abs().amax())
            rows, log_scale = _rotated(a, b, s_a, s_b, c)
            rows, log_scale = rows[order], log_scale[order]
        if float(worst) < _ORTHOGONAL:
            break
    return log_scale[:count]


def _rotated(a: Tensor, b: Tensor, s_a: Tensor, s_b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Each pair of rows e^s_a a and e^s_b b with cosine c made orthogonal: all rows a, then b, of norm 1, and scales.

    With κ ≤ 1 the ratio of a pair's sizes, −q times the larger unit row is added to the smaller and qκ² times the
    smaller to the larger, q = tan(angle) / κ.
    """
    kappa2 = (-2 * (s_a - s_b).abs()).exp().nan_to_num(1.0)  # of two rows of zeros, whose scales are −inf
    gap = 1 - kappa2
    q = torch.where(c == 0, 0.0, 2 * c / (gap + torch.addcmul(gap * gap, 4 * kappa2 * c, c).sqrt()))
    first = s_a >= s_b
    log_cos = torch.log1p(kappa2 * q * q) / -2
    to_a, to_b = torch.where(first, q * kappa2, -q), torch.where(first, -q, q * kappa2)
    rows = torch.cat([torch.addcmul(a, to_a.unsqueeze(1), b), torch.addcmul(b, to_b.unsqueeze(1), a)])
    length = torch.linalg.vector_norm(rows, dim=1)
    rows = rows.div_(length.clamp(min=_TINY).unsqueeze(1))
    return rows, torch.cat([s_a + log_cos, s_b + log_cos]) + length.log()


@dataclass(frozen=True, slots=True)
class ProductSpectrum:
    """What the products ∂s_t/∂s_k = J_t … J_{k+1} do, t the last step and ℓ = t − k.

    `log10_norm[ℓ]` is log10 ‖∂h_t/∂h_k‖₂ for every lag ℓ swept, from 0; `log10_singular_values[ℓ]` those of the same
    product at chosen lags, largest first. −inf stands for an exact 0 alone; NaN for a singular value that rounding
    hides, where some J_t is singular to about 1e-10. `lyapunov` are the Lyapunov exponents, per step, log e, largest
    first, over the lags past the first quarter of those swept.
    """

    log10_norm: tuple[float, ...]
    log10_singular_values: dict[int, tuple[float, ...]]
    lyapunov: tuple[float, ...]


@torch.no_grad()
def product_spectrum(J: Jacobians, lags: Collection[int]) -> ProductSpectrum:
    """Norms at every lag up to the largest of `lags`, singular values at `lags`, and growth rates over the steps swept.

    Costs two products and one QR of (S, shown) a step. Raises ValueError for lags outside 0 … J.steps, and where a
    Jacobian is not finite.
    """
    last = max(lags, default=0)
    if min(lags, default=0) < 0 or last > J.steps:
        raise ValueError(f"lags: expected lags from 0 to {J.steps}, got {sorted(lags)}; leave the others out")
    first = identity(J.size, J.shown, _device(J))
    shown = torch.eye(J.shown, J.size, dtype=torch.float64, device=first.rest.device)
    plain, norms, values = ScaledProduct(shown), [], {}
    for lag, (at, product) in enumerate(_products(J, first, last)):
        plain = plain if at is None else plain.before(at)
        norms.append(plain.log10_norm(J.shown))
        if lag in lags:
            block = product if J.shown == J.size else product.times(shown)
            values[lag] = tuple(block.log10_singular_values().tolist())
    return ProductSpectrum(tuple(norms), values, _rates(product, last, J.shown))


def scientific(log10: float) -> str:
    """10^log10 in scientific notation, whatever its size.

    >>> scientific(-300.0), scientific(5000.505), scientific(float("-inf"))
    ('1.0e-300', '3.2e+5000', '0')
    """
    if not math.isfinite(log10):
        return {-math.inf: "0", math.inf: "inf"}.get(log10, "nan")
    exponent = math.floor(log10)
    mantissa = f"{10 ** (log10 - exponent):.1f}"
    if mantissa == "10.0":
        mantissa, exponent = "1.0", exponent + 1
    return f"{mantissa}e{exponent:+03d}"


def _products(J: Jacobians, product: GradedProduct, last: int) -> Iterator[tuple[Tensor | None, GradedProduct]]:
    """For lags 0 … last, J_{k+1} and the product J_{k+1}ᵀ … J_tᵀ · `product`; None and `product` itself at lag 0.

    Its `stretch` counts from the end of the first quarter.
    """
    at = None
    for lag in range(last + 1):
        if lag > 0:
            t = J.steps - lag + 1
            at = J.at(t)
            if not bool(at.isfinite().all()):
                raise ValueError(f"J: expected finite Jacobians, got NaN or inf at step {t}; see the states before")
            product = product.times(at.t())
        if lag == last // 4:
            product = replace(product, stretch=torch.zeros_like(product.stretch))
        yield at, product


def _rates(product: GradedProduct, last: int, count: int) -> tuple[float, ...]:
    if last == 0:
        return ()
    rates = (product.stretch / (last - last // 4)).sort(descending=True).values.tolist()
    return (*rates, *[-math.inf] * (count - len(rates)))


def _device(J: Jacobians) -> torch.device:
    return J.at(1).device if J.steps else torch.device("cpu")
