from itertools import islice

import pytest
import torch

from gradreach.tasks import Recipe, adding


def test_the_same_seed_makes_the_same_parts() -> None:
    first, again = (Recipe(adding(length=10), seed=3).build() for _ in range(2))
    for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(islice(first.data, 3), islice(again.data, 3), strict=True):
        assert torch.equal(a.x, b.x)
        assert torch.equal(a.y, b.y)


def test_another_seed_makes_others() -> None:
    first, other = (Recipe(adding(length=10), seed=seed).build() for seed in (3, 4))
    assert not torch.equal(first.model.head.weight, other.model.head.weight)
    assert not torch.equal(next(iter(first.data)).x, next(iter(other.data)).x)


def test_data_begin_anew_and_differ_from_batch_to_batch() -> None:
    data = Recipe(adding(length=10)).build().data
    first, second = islice(data, 2)
    assert torch.equal(next(iter(data)).x, first.x)
    assert not torch.equal(first.x, second.x)


def test_no_global_generator_is_moved() -> None:
    torch.manual_seed(11)
    was = torch.get_rng_state()
    next(iter(Recipe(adding(length=10), seed=3).build().data))
    assert torch.equal(torch.get_rng_state(), was)


def test_wrong_settings_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="batch: expected at least 1 sample, got 0"):
        Recipe(adding(), batch=0)
    with pytest.raises(ValueError, match=r"rate: expected a number above 0, got -0.1"):
        Recipe(adding(), rate=-0.1)
    with pytest.raises(ValueError, match="clip: expected a number above 0, got nan"):
        Recipe(adding(), clip=float("nan"))
