"""Residuals against torch's own least squares, widened residuals against the matrix root."""

import torch

from gradreach.score.regression import Regression
from gradreach.score.rows import Rows, rows_of


def centred_case() -> tuple[Rows, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    rows = rows_of([torch.randn(12, 10, 2, generator=g)], [torch.arange(12)], None, g)
    return rows, rows.centred(torch.randn(120, 9, generator=g, dtype=torch.float64))


def test_the_residual_is_that_of_least_squares() -> None:
    rows, z = centred_case()
    y = rows.centred(rows.errors)
    wanted = y - z @ torch.linalg.lstsq(z, y).solution
    torch.testing.assert_close(Regression(z, rows).residual(y), wanted, rtol=1e-6, atol=1e-7)


def test_columns_that_say_the_same_do_no_harm() -> None:
    rows, z = centred_case()
    y = rows.centred(rows.errors)
    twice = Regression(torch.cat([z, z[:, :3], torch.zeros_like(z[:, :1])], 1), rows)
    torch.testing.assert_close(twice.residual(y), Regression(z, rows).residual(y), rtol=1e-4, atol=1e-5)


def test_a_cluster_is_widened_by_the_inverse_root_of_what_the_fit_left_it() -> None:
    rows, z = centred_case()
    fit = Regression(z, rows)
    left = fit.residual(rows.centred(rows.errors))
    widened = fit.widened(left)
    hat = z @ torch.linalg.inv(z.T @ z) @ z.T
    for cluster in range(rows.clusters):
        mine = rows.cluster == cluster
        values, vectors = torch.linalg.eigh(torch.eye(10, dtype=torch.float64) - hat[mine][:, mine])
        wanted = vectors @ torch.diag(values.rsqrt()) @ vectors.T @ left[mine]
        torch.testing.assert_close(widened[mine], wanted, rtol=2e-3, atol=2e-3)


def test_widened_errors_have_the_variance_that_the_errors_had() -> None:
    g = torch.Generator().manual_seed(5)
    rows = rows_of([torch.randn(60, 1, 1, generator=g)], [torch.arange(60)], None, g)
    z = rows.centred(torch.randn(60, 12, generator=g, dtype=torch.float64))
    fit = Regression(z, rows)
    errors = torch.randn(60, 4000, generator=g, dtype=torch.float64)
    variance = fit.widened(fit.residual(errors)).square().mean(1)
    assert abs(float(variance.mean()) - 1.0) < 0.01  # 240,000 draws: standard error 0.003
    assert float(fit.residual(errors).square().mean()) < 0.85
