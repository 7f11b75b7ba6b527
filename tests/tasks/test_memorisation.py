import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from gradreach.tasks import memorisation


@given(delay=st.integers(0, 20), pattern=st.integers(1, 6), symbols=st.integers(2, 5))
def test_what_was_said_before_the_silence_is_said_after_the_sign(delay: int, pattern: int, symbols: int) -> None:
    task = memorisation(delay, pattern, symbols)
    x, y = task.train(8, torch.Generator().manual_seed(0))
    blank, sign = symbols, symbols + 1
    assert x.shape == y.shape == (8, task.length)
    assert torch.equal(y[:, pattern + delay :], x[:, :pattern])
    assert int(x[:, :pattern].max()) < symbols
    assert (y[:, : pattern + delay] == blank).all()
    assert (x[:, pattern + delay] == sign).all()
    assert (x[:, pattern:] >= blank).all()
    assert int((x == sign).sum()) == 8


def test_all_patterns_of_5_bits_come_and_nothing_else_differs() -> None:
    x, _ = memorisation().train(2000, torch.Generator().manual_seed(0))
    assert len(x.unique(dim=0)) == 2**5
    assert len(x[:, 5:].unique(dim=0)) == 1


def test_who_knows_only_when_to_speak_is_wrong_by_chance() -> None:
    task = memorisation(pattern=10, symbols=5)
    g = torch.Generator().manual_seed(0)
    _, y = task.test(2000, g)
    guess = torch.where(y == 5, 5, torch.randint(5, y.shape, generator=g))
    found = float(task.error(F.one_hot(guess, 6).float(), y))
    assert found == pytest.approx(task.chance, abs=4.5 * (0.8 * 0.2 / 20_000) ** 0.5)


def test_who_says_all_is_right_and_who_speaks_early_is_not_punished_twice() -> None:
    task = memorisation()
    _, y = task.test(10, torch.Generator().manual_seed(0))
    said = F.one_hot(y, task.outputs).float()
    assert float(task.error(said, y)) == 0
    said[:, 0] = F.one_hot(torch.tensor(0), task.outputs).float()
    assert float(task.error(said, y)) == 0
    assert float(task.loss(100 * said, y)) > 0


@pytest.mark.parametrize(("name", "value"), [("delay", -1), ("pattern", 0), ("symbols", 1)])
def test_too_little_is_refused_by_name(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name}: expected at least {value + 1}, got {value}"):
        memorisation(**{name: value})
