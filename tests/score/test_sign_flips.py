"""The null by sign flips: exact where all signs are drawn, p values that keep their level, Benjamini and Hochberg."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradreach.score.sign_flips import benjamini_hochberg, flip, p_value


def test_every_draw_is_the_statistic_of_flipped_scores() -> None:
    scores = torch.randn(6, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    signs = torch.tensor(list(product((-1.0, 1.0), repeat=6)))
    flipped = flip(scores.sum(0), scores, signs)
    for draw, sign in enumerate(signs.double()):
        wanted = torch.einsum("i,ick->ck", sign, scores).square().sum(-1)
        torch.testing.assert_close(flipped.drawn[:, draw], wanted, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(flipped.seen, flipped.drawn[:, -1], rtol=1e-5, atol=1e-6)  # the last draw flips none


def test_the_mean_over_all_signs_is_the_sum_of_squares() -> None:
    scores = torch.randn(8, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flipped = flip(scores.sum(0), scores, torch.tensor(list(product((-1.0, 1.0), repeat=8))))
    gram = (scores[:, 0] @ scores[:, 0].T).fill_diagonal_(0.0)
    torch.testing.assert_close(flipped.drawn.mean(), scores.square().sum(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(flipped.drawn.var(correction=0), 2 * gram.square().sum(), rtol=1e-4, atol=1e-4)


def test_p_counts_the_draw_that_came() -> None:
    assert p_value(torch.tensor(5.0), torch.tensor([1.0, 2.0, 3.0])) == 0.25
    assert p_value(torch.tensor(2.0), torch.tensor([1.0, 2.0, 3.0])) == 0.75


@given(st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=20))
def test_q_is_the_least_rate_at_which_a_lag_counts(p: list[float]) -> None:
    q = benjamini_hochberg(p)
    for alpha in (0.01, 0.05, 0.2):
        ordered = sorted(p)
        counted = max((k for k in range(1, len(p) + 1) if ordered[k - 1] <= alpha * k / len(p)), default=0)
        limit = ordered[counted - 1] if counted else -1.0
        for each, corrected in zip(p, q, strict=True):
            if abs(corrected - alpha) > 1e-12:
                assert (corrected <= alpha) == (each <= limit)


def test_q_by_hand() -> None:
    assert benjamini_hochberg([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
