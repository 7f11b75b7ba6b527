import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gradreach.engine.jacobian import Jacobians
from gradreach.engine.products import one_sided_jacobi, product_spectrum, scientific


def of(factors: list[Tensor], shown: int | None = None) -> Jacobians:
    """The Jacobians J_1, J_2, …, as given."""
    size = factors[0].shape[0]
    return Jacobians(len(factors), size, shown or size, lambda t: factors[t - 1])


def compound(A: Tensor, p: int) -> Tensor:
    """All p × p minors: compounds multiply as their matrices do, and have the 2-norm σ_1 σ_2 … σ_p."""
    chosen = list(combinations(range(A.shape[0]), p))
    return torch.stack([torch.stack([torch.linalg.det(A[list(r)][:, list(c)]) for c in chosen]) for r in chosen])


def log10_norm(factors: list[Tensor]) -> float:
    """log10 ‖J_t … J_1‖₂, scaled at every step."""
    product, log10 = torch.eye(factors[0].shape[0], dtype=torch.float64), 0.0
    for J in reversed(factors):
        product = product @ J
        size = float(product.abs().amax())
        product, log10 = product / size, log10 + math.log10(size)
    return log10 + math.log10(float(torch.linalg.svdvals(product)[0]))


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 120), st.floats(-6, 6))
def test_singular_values_by_the_norms_of_compound_matrices(seed: int, d: int, T: int, log10: float) -> None:
    torch.manual_seed(seed)
    factors = [10**log10 * torch.randn(d, d, dtype=torch.float64) for _ in range(T)]
    values = product_spectrum(of(factors), [T]).log10_singular_values[T]
    for p in range(1, d + 1):
        expected = log10_norm([compound(J, p) for J in factors])
        assert sum(values[:p]) == pytest.approx(expected, abs=1e-7 * (1 + T), rel=1e-9)


def test_singular_values_over_thousands_of_decades_are_those_that_the_factors_were_made_from() -> None:
    torch.manual_seed(0)
    sizes = torch.tensor([2.0, 0.1, 1e-3, 1e-6], dtype=torch.float64)
    bases = [torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q for _ in range(801)]
    factors = [bases[t + 1] @ torch.diag(sizes) @ bases[t].t() for t in range(800)]
    found = product_spectrum(of(factors), [0, 5, 800])
    assert found.log10_singular_values[0] == (0.0,) * 4
    for lag in (5, 800):
        expected = (lag * sizes.log10()).tolist()
        assert found.log10_singular_values[lag] == pytest.approx(expected, abs=1e-9 * lag, rel=1e-12)
    assert found.log10_norm[800] == pytest.approx(800 * math.log10(2.0), abs=1e-10)
    assert found.lyapunov == pytest.approx(sizes.log().tolist(), abs=1e-9)
    assert [scientific(each) for each in found.log10_singular_values[800][2:]] == ["1.0e-2400", "1.0e-4800"]


@pytest.mark.parametrize("log10", [-300, -100, 100, 300])
def test_factors_at_the_ends_of_the_number_range(log10: int) -> None:
    torch.manual_seed(0)
    plain = [torch.randn(5, 5, dtype=torch.float64) for _ in range(20)]
    near = product_spectrum(of(plain), [20])
    far = product_spectrum(of([J * 10.0**log10 for J in plain]), [20])
    shift = 20 * log10
    assert far.log10_norm[20] - shift == pytest.approx(near.log10_norm[20], abs=1e-8)
    expected = [each + shift for each in near.log10_singular_values[20]]
    assert far.log10_singular_values[20] == pytest.approx(expected, abs=1e-8)


def test_only_an_exact_zero_is_zero() -> None:
    torch.manual_seed(0)
    W = torch.randn(6, 6, dtype=torch.float64)
    off = [torch.tensor([1.0, 1, 1, 1, 0, 1]), torch.tensor([0.0, 1, 1, 1, 1, 0]), torch.ones(6)]
    factors = [torch.diag(each.double()) @ W for each in off]  # ranks 5, 4, 6
    found = product_spectrum(of(factors), [1, 2, 3])
    zeros = {lag: sum(each == -math.inf for each in values) for lag, values in found.log10_singular_values.items()}
    assert zeros == {1: 0, 2: 2, 3: 2}
    expected = torch.linalg.svdvals(factors[2] @ factors[1] @ factors[0])[:4].log10().tolist()
    assert found.log10_singular_values[3][:4] == pytest.approx(expected, abs=1e-10)
    assert found.lyapunov[-2:] == (-math.inf, -math.inf)

    nilpotent = torch.diag(torch.full((2,), 100.0, dtype=torch.float64), 1)
    gone = product_spectrum(of([nilpotent] * 4), [2, 3, 4])
    assert gone.log10_norm[2] == pytest.approx(4.0)
    assert gone.log10_norm[3:] == (-math.inf, -math.inf)
    assert gone.log10_singular_values[4] == (-math.inf,) * 3
    assert gone.lyapunov == (-math.inf,) * 3
    nothing = product_spectrum(of([torch.zeros(2, 2, dtype=torch.float64)] * 2), [1, 2])
    assert nothing.log10_norm == (0.0, -math.inf, -math.inf)


def test_a_value_that_rounding_hides_is_not_a_number() -> None:
    torch.manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64)).Q for _ in range(2))
    J = left @ torch.diag(torch.tensor([1.0, 0.5, 0.25, 1e-15], dtype=torch.float64)) @ right
    values = product_spectrum(of([J]), [1]).log10_singular_values[1]
    assert values[:3] == pytest.approx([0.0, math.log10(0.5), math.log10(0.25)], abs=1e-12)
    assert math.isnan(values[3])


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(2, 9), st.integers(0, 9))
def test_one_sided_jacobi_is_the_svd(seed: int, n: int, columns: int) -> None:
    torch.manual_seed(seed)
    A = torch.randn(n, n + columns, dtype=torch.float64) * torch.logspace(0, -4, n, dtype=torch.float64)[:, None]
    size = torch.linalg.vector_norm(A, dim=1)
    found = one_sided_jacobi(size.log(), A / size[:, None]).exp().sort(descending=True).values
    assert torch.allclose(found, torch.linalg.svdvals(A), rtol=1e-10, atol=0)


def test_one_sided_jacobi_takes_parallel_rows() -> None:
    rows = torch.ones(5, 4, dtype=torch.float64) / 2
    found = one_sided_jacobi(torch.zeros(5, dtype=torch.float64), rows).sort(descending=True).values
    assert float(found[0]) == pytest.approx(math.log(5) / 2)
    assert bool((found[1:] < math.log(1e-15)).all())


def test_a_shown_block_is_that_of_the_whole_product() -> None:
    torch.manual_seed(0)
    factors = [torch.randn(6, 6, dtype=torch.float64) for _ in range(5)]
    found = product_spectrum(of(factors, shown=2), [1, 5])
    whole = torch.linalg.multi_dot(factors[::-1])
    expected = torch.linalg.svdvals(whole[:2, :2]).log10().tolist()
    assert found.log10_singular_values[5] == pytest.approx(expected, abs=1e-10)
    assert found.log10_norm[5] == pytest.approx(expected[0], abs=1e-10)
    assert len(found.lyapunov) == 2


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 60))
def test_all_lyapunov_exponents_sum_to_the_mean_of_log_det(seed: int, d: int, T: int) -> None:
    torch.manual_seed(seed)
    factors = [torch.randn(d, d, dtype=torch.float64) for _ in range(T)]
    log_det = [float(torch.linalg.slogdet(J).logabsdet) for J in factors]
    last = log_det[: T - T // 4]  # the quarter swept first, from the last step back, is left out
    found = product_spectrum(of(factors), [T]).lyapunov
    assert len(found) == d
    assert sum(found) == pytest.approx(sum(last) / len(last), abs=1e-9)
    assert list(found) == sorted(found, reverse=True)


def test_lyapunov_exponents_of_a_constant_jacobian_are_its_eigenvalues() -> None:
    torch.manual_seed(0)
    values = torch.tensor([0.9, 0.5, 1e-3, 1e-9], dtype=torch.float64)
    basis = torch.eye(4, dtype=torch.float64) + 0.2 * torch.rand(4, 4, dtype=torch.float64)
    J = of([basis @ torch.diag(values) @ torch.linalg.inv(basis)] * 200)
    for steps in (200, 150):
        assert product_spectrum(J, [steps]).lyapunov[:3] == pytest.approx(values[:3].log().tolist(), abs=1e-9)


@pytest.mark.parametrize(
    ("log10", "expected"),
    [
        (-300.0, "1.0e-300"),
        (5000.505149978, "3.2e+5000"),
        (0.0, "1.0e+00"),
        (-0.001, "1.0e+00"),
        (-1e-12, "1.0e+00"),
        (2.9999999, "1.0e+03"),
        (-math.inf, "0"),
        (math.inf, "inf"),
        (math.nan, "nan"),
    ],
)
def test_scientific(log10: float, expected: str) -> None:
    assert scientific(log10) == expected


def test_what_is_out_of_range_is_named() -> None:
    J = of([torch.eye(2, dtype=torch.float64)] * 3)
    with pytest.raises(ValueError, match=r"lags: expected lags from 0 to 3, got \[1, 4\]"):
        product_spectrum(J, [1, 4])
    with pytest.raises(ValueError, match=r"lags: .*got \[-1\]"):
        product_spectrum(J, [-1])
    broken = of([torch.eye(2, dtype=torch.float64), torch.full((2, 2), math.nan, dtype=torch.float64)])
    with pytest.raises(ValueError, match="J: expected finite Jacobians, got NaN or inf at step 2"):
        product_spectrum(broken, [2])
