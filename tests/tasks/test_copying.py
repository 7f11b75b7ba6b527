import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from gradreach.tasks import copying


@given(delay=st.integers(1, 30), symbols=st.integers(1, 12), seed=st.integers(0, 99))
def test_what_comes_first_is_said_last(delay: int, symbols: int, seed: int) -> None:
    task = copying(delay, symbols)
    x, y = task.train(4, torch.Generator().manual_seed(seed))
    assert x.shape == y.shape == (4, delay + 2 * symbols) == (4, task.length)
    assert torch.equal(x[:, :symbols], y[:, -symbols:])
    assert (y[:, :-symbols] == 8).all()
    assert ((x == 9).sum(1) == 1).all()
    assert (x[:, symbols + delay - 1] == 9).all()


def test_who_knows_only_when_to_speak_pays_ten_ln_8_over_the_length() -> None:
    task = copying(delay=30)
    _, y = task.train(16, torch.Generator().manual_seed(0))
    logits = torch.full((*y.shape, 9), -1e4)
    logits[:, :-10, 8] = 0
    logits[:, -10:, :8] = 0
    assert float(task.loss(logits, y)) == pytest.approx(10 * math.log(8) / 50, rel=1e-6)


def test_the_error_is_that_of_what_is_said_at_the_end() -> None:
    task = copying(delay=5, symbols=4)
    _, y = task.test(20_000, torch.Generator().manual_seed(0))
    assert float(task.error(F.one_hot(y, 9), y)) == 0
    one = torch.zeros_like(y)
    spread = math.sqrt(task.chance * (1 - task.chance) / (4 * len(y)))
    assert float(task.error(F.one_hot(one, 9), y)) == pytest.approx(task.chance, abs=4.5 * spread)


@pytest.mark.parametrize(("delay", "symbols"), [(0, 10), (10, 0)])
def test_nothing_to_keep(delay: int, symbols: int) -> None:
    with pytest.raises(ValueError, match=f"delay, symbols: expected at least 1 .* got {delay} and {symbols}"):
        copying(delay, symbols)
