"""Positions with an error: which, with whom they are centred, with whom they are flipped."""

from itertools import pairwise

import torch

from gradreach.score.rows import MOST_ROWS, rows_of


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_positions_without_error_are_left_out() -> None:
    errors = torch.randn(10, 6, 2)
    errors[:, :4] = 0.0
    errors[3] = 0.0
    rows = rows_of([errors], [torch.arange(10)], None, generator())
    assert len(rows.step) == 18
    assert set(rows.step.tolist()) == {4, 5}
    assert 3 not in rows.sequence.tolist()
    torch.testing.assert_close(rows.errors, errors[rows.sequence, rows.step].double())


def test_each_step_of_a_batch_is_centred_by_itself() -> None:
    errors = [torch.randn(9, 5, 1), torch.randn(9, 5, 1)]
    rows = rows_of(errors, [torch.arange(9), torch.arange(9, 18)], None, generator())
    assert len(rows.stratum.unique()) == 10
    centred = rows.centred(rows.errors)
    for stratum in rows.stratum.unique():
        assert float(centred[rows.stratum == stratum].sum().abs()) < 1e-12
    torch.testing.assert_close(rows.share_left(), torch.full((90, 1), 1 - 1 / 9, dtype=torch.float64))


def test_steps_with_few_sequences_go_together_with_their_neighbours() -> None:
    errors = torch.zeros(30, 40, 1)
    errors[torch.arange(30), torch.arange(30)] = 1.0  # one position a sequence, each at another step
    rows = rows_of([errors], [torch.arange(30)], None, generator())
    sizes = torch.bincount(rows.stratum)
    assert int(sizes.min()) >= 8
    spans = [rows.step[rows.stratum == s] for s in rows.stratum.unique()]
    assert all(int(a.max()) < int(b.min()) for a, b in pairwise(spans))


def test_few_sequences_are_never_centred_over_a_part_of_their_time() -> None:
    rows = rows_of([torch.randn(3, 100, 1)], [torch.arange(3)], 10, generator())
    assert len(rows.stratum.unique()) == 1


def test_the_same_sample_again_is_the_same_cluster() -> None:
    errors = [torch.randn(8, 4, 1), torch.randn(8, 4, 1)]
    rows = rows_of(errors, [torch.arange(8), torch.arange(8)], None, generator())
    assert rows.clusters == 8
    again = (rows.batch == 1) & (rows.sequence == 5)
    first = (rows.batch == 0) & (rows.sequence == 5)
    assert set(rows.cluster[again].tolist()) == set(rows.cluster[first].tolist())


def test_blocks_of_two_streams_are_clusters_of_their_own() -> None:
    rows = rows_of([torch.randn(2, 100, 1)], [torch.arange(2)], 25, generator())
    assert rows.clusters == 8
    assert int(torch.bincount(rows.cluster).min()) == 25


def test_many_positions_are_thinned_evenly_and_alike_in_all_sequences() -> None:
    errors = torch.randn(50, 1000, 1, dtype=torch.float64)  # in float32 one is exactly 0 now and then
    rows = rows_of([errors], [torch.arange(50)], None, generator())
    assert MOST_ROWS // 2 <= len(rows.step) <= MOST_ROWS
    steps = rows.step.unique()
    assert len(rows.step) == 50 * len(steps)
    assert int(steps.diff().max()) <= 2 * 1000 // len(steps) + 1


def test_beyond_a_lag_only_positions_with_such_a_past_stay() -> None:
    rows = rows_of([torch.randn(9, 12, 1)], [torch.arange(9)], None, generator()).beyond(7)
    assert sorted(set(rows.step.tolist())) == [7, 8, 9, 10, 11]
    assert rows.clusters == 9


def test_sums_of_products_by_cluster() -> None:
    rows = rows_of([torch.randn(9, 5, 2)], [torch.arange(9) // 2], None, generator())
    inputs = torch.randn(45, 3, 4, dtype=torch.float64)
    got = rows.products(rows.errors, inputs)
    for cluster in range(5):
        mine = rows.cluster == cluster
        wanted = torch.einsum("np,ncd->cpd", rows.errors[mine], inputs[mine]).reshape(3, -1)
        torch.testing.assert_close(got[cluster], wanted)
    torch.testing.assert_close(rows.as_rows(rows.by_cluster(rows.errors)), rows.errors)
