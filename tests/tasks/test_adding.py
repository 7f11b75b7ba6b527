import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gradreach.tasks import adding


@given(length=st.integers(2, 40), seed=st.integers(0, 99))
def test_the_target_is_the_sum_of_the_two_marked(length: int, seed: int) -> None:
    x, y = adding(length).train(8, torch.Generator().manual_seed(seed))
    values, marks = x.unbind(-1)
    assert (marks[:, : length // 2].sum(1) == 1).all()
    assert (marks[:, length // 2 :].sum(1) == 1).all()
    torch.testing.assert_close(y[:, 0], (values * marks).sum(1))


def test_who_says_1_is_wrong_by_chance() -> None:
    task = adding(length=10)
    _, y = task.test(100_000, torch.Generator().manual_seed(0))
    squares = (y - 1).square()
    assert float(task.error(torch.ones_like(y), y)) == pytest.approx(
        task.chance, abs=4.5 * float(squares.std()) / 100_000**0.5
    )


def test_one_step_has_no_two_halves() -> None:
    with pytest.raises(ValueError, match=r"length: expected at least 2 steps, .* got 1"):
        adding(length=1)
