import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from gradreach.tasks import order


@given(length=st.integers(10, 60), signs=st.sampled_from([2, 3]), seed=st.integers(0, 99))
def test_the_class_is_the_signs_in_their_order(length: int, signs: int, seed: int) -> None:
    task = order(length, signs)
    x, y = task.train(8, torch.Generator().manual_seed(seed))
    assert x.shape == (8, length)
    for stream, answer in zip(x.tolist(), y.tolist(), strict=True):
        found = [token for token in stream if token < 2]
        assert len(found) == signs
        assert answer == sum(sign << i for i, sign in enumerate(found))


@pytest.mark.parametrize(("signs", "begins"), [(2, (20, 100)), (3, (20, 60, 120))])
def test_each_sign_comes_within_its_tenth(signs: int, begins: tuple[int, ...]) -> None:
    x, _ = order(200, signs).train(400, torch.Generator().manual_seed(0))
    places = (x < 2).nonzero()[:, 1].view(400, signs)
    for i, begin in enumerate(begins):
        assert places[:, i].min() >= begin
        assert places[:, i].max() < begin + 20
        assert len(places[:, i].unique()) == 20


def test_one_class_whatever_comes_is_wrong_by_chance() -> None:
    task = order(20, 3)
    _, y = task.test(50_000, torch.Generator().manual_seed(0))
    spread = math.sqrt(task.chance * (1 - task.chance) / len(y))
    said = F.one_hot(torch.zeros_like(y), 8)
    assert float(task.error(said, y)) == pytest.approx(task.chance, abs=4.5 * spread)


def test_what_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match=r"length: expected at least 10 steps, .* got 9"):
        order(9)
    with pytest.raises(ValueError, match=r"signs: expected 2 or 3, got 4"):
        order(signs=4)
