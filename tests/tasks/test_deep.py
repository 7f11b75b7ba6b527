import sys
from functools import partial

import pytest
import torch
from sklearn.datasets import load_digits

from gradreach.tasks.deep import HELD_OUT, deep, digits_data, drawn
from gradreach.tasks.models import stack
from gradreach.tasks.recipe import Recipe
from gradreach.tasks.training import train


def test_the_split_is_whole_disjoint_and_always_the_same() -> None:
    pictures, classes = load_digits(return_X_y=True)
    train, test = digits_data()
    assert (len(train.y), len(test.y)) == (len(classes) - HELD_OUT, HELD_OUT)
    both = torch.cat([train.x, test.x]) * 16
    theirs = torch.as_tensor(pictures, dtype=torch.float32)
    assert both.sum(0).tolist() == theirs.sum(0).tolist()
    assert torch.cat([train.y, test.y]).bincount().tolist() == torch.as_tensor(classes).bincount().tolist()
    known = {tuple(row) for row in train.x.tolist()}
    assert sum(tuple(row) in known for row in test.x.tolist()) == 0
    digits_data.cache_clear()
    assert torch.equal(digits_data().test.x, test.x)


def test_a_draw_comes_again_from_the_same_seed_and_repeats_nothing() -> None:
    task = deep()
    one, other = (task.train(64, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one.x, other.x)
    assert torch.equal(one.y, other.y)
    assert not torch.equal(one.x, task.train(64, torch.Generator().manual_seed(4)).x)
    whole = drawn(digits_data().test)(10_000, torch.Generator())
    assert sorted(whole.y.tolist()) == sorted(digits_data().test.y.tolist())


def test_chance_is_the_error_of_a_constant_answer() -> None:
    task, (train, test) = deep(), digits_data()
    said = torch.zeros(len(test.y), 10)
    said[:, train.y.bincount().argmax()] = 1.0
    assert float(task.error(said, test.y)) == task.chance
    assert 0.85 < task.chance < 0.95


def test_a_shallow_stack_learns_it() -> None:
    found = train(Recipe(deep(), partial(stack, depth=1, activation="relu"), batch=64, rate=5e-3, clip=None), 300)
    assert found.solved is not None


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    digits_data.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "gradreach\[experiments\]"'):
        deep()
    digits_data.cache_clear()
