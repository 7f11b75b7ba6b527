"""Features of a step, and what lies before a position."""

import torch

from gradreach.score.features import embedded, one_hot, pairs_of, whole
from gradreach.score.ladder import Band
from gradreach.score.lagged_inputs import LaggedInputs
from gradreach.score.rows import rows_of


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def explained(target: torch.Tensor, features: torch.Tensor) -> float:
    """R² of a line in the features."""
    x = torch.cat([features, torch.ones_like(features[:, :1])], 1)
    left = target - x @ torch.linalg.lstsq(x, target, driver="gelsd").solution
    return float(1 - left.square().sum() / (target - target.mean(0)).square().sum())


def test_a_marker_times_a_value_lies_in_the_products_alone() -> None:
    value, marker = torch.randn(50, 40, generator=generator()), torch.randint(0, 2, (50, 40)).float()
    x = torch.stack([value, marker * 2 - 1], -1)
    target = (value * (marker * 2 - 1)).double().reshape(-1, 1)
    plain, with_products = (embedded([x], 8, products, generator())[0].reshape(2000, -1) for products in (False, True))
    assert explained(target, plain) < 0.05
    assert explained(target, with_products) > 0.999


def test_the_order_of_two_symbols_lies_in_the_products() -> None:
    ids = torch.cartesian_prod(torch.arange(2), torch.arange(2)).repeat(50, 1)
    rises = (ids[:, 1] != ids[:, 0]).double().unsqueeze(1)
    plain, paired = (embedded([ids], 8, products, generator())[0][:, 1] for products in (False, True))
    assert explained(rises, plain) < 0.1
    assert explained(rises, paired) > 0.999


def test_all_batches_share_one_scale_and_dead_coordinates_fall_away() -> None:
    first, second = torch.randn(4, 9, 3, generator=generator()), 5 + torch.randn(6, 5, 3, generator=generator())
    first[..., 2] = second[..., 2] = 7.0
    rows = torch.cat([x.reshape(-1, x.shape[-1]) for x in embedded([first, second], 8, False, generator())])
    assert rows.shape[1] == 2
    torch.testing.assert_close(rows.mean(0), torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(rows.std(0, correction=0), torch.ones(2, dtype=torch.float64))


def test_one_hot_keeps_the_commonest_and_drops_what_follows_from_the_rest() -> None:
    ids = torch.tensor([[5, 5, 5, 9, 9, 2]])
    assert one_hot([ids], 10)[0].shape == (1, 6, 2)
    assert one_hot([ids], 1)[0].shape == (1, 6, 1)
    assert (one_hot([ids], 1)[0][0, :, 0] > 0).tolist() == [True] * 3 + [False] * 3


def test_near_inputs_together_tell_every_pair_of_ids() -> None:
    ids = torch.randint(0, 4, (300, 2), generator=generator())
    target = torch.randn(16, 1, dtype=torch.float64, generator=generator())[ids[:, 0] * 4 + ids[:, 1]]
    assert explained(target, pairs_of([ids], 128)[0][:, 1]) > 0.999


def test_whole_keeps_every_coordinate_of_a_real_input() -> None:
    x = 3 + 2 * torch.randn(40, 7, 20, generator=generator())
    assert whole([x])[0].shape == (40, 7, 20)
    assert explained(x.reshape(-1, 20).double(), whole([x])[0].reshape(-1, 20)) > 0.999


def test_a_band_is_the_scaled_sum_of_what_lies_there_and_nothing_before_the_first_step() -> None:
    features = [torch.randn(3, 12, 2, dtype=torch.float64), torch.randn(2, 7, 2, dtype=torch.float64)]
    errors = [torch.randn(3, 12, 1), torch.randn(2, 7, 1)]
    groups = [torch.arange(3), torch.arange(3, 5)]
    rows = rows_of(errors, groups, None, generator())
    got = LaggedInputs(features).at(rows, Band(2, 5))
    for row, (b, i, t) in enumerate(zip(rows.batch, rows.sequence, rows.step, strict=True)):
        there = [features[b][i, t - lag] for lag in range(2, 6) if t - lag >= 0]
        wanted = torch.stack(there).sum(0) / 2 if there else torch.zeros(2, dtype=torch.float64)
        torch.testing.assert_close(got[row], wanted)
