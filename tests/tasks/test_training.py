from dataclasses import replace

import pytest
import torch
from torch import nn

from gradreach.tasks import Recipe, adding, error, recurrent, scalar, train
from gradreach.tasks.scalar import one_unit


def small(**settings: object) -> Recipe:
    return Recipe(adding(length=6), lambda task: recurrent(task, "rnn", hidden=8), **{"batch": 8, **settings})


def test_the_same_seed_trains_to_the_same_bits() -> None:
    first, again = (train(small(seed=5), steps=30, every=10) for _ in range(2))
    assert first.losses == again.losses
    assert first.errors == again.errors
    for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert train(small(seed=6), steps=30).losses != first.losses


def test_how_often_it_is_tested_changes_nothing() -> None:
    assert train(small(), steps=30, every=3).losses == train(small(), steps=30).losses


def test_no_global_generator_is_moved() -> None:
    torch.manual_seed(11)
    was = torch.get_rng_state()
    train(small(), steps=3, every=1)
    assert torch.equal(torch.get_rng_state(), was)


def test_it_ends_where_the_task_is_solved() -> None:
    done = train(Recipe(scalar(), one_unit, batch=1, rate=0.1), steps=1000, every=5)
    assert done.solved == done.steps < 1000
    assert not done.diverged
    assert done.errors[-1][1] <= scalar().solved < done.errors[-2][1]


def test_it_ends_where_the_loss_is_no_number() -> None:
    done = train(small(optimizer="sgd", rate=1e30, clip=None), steps=100)
    assert done.diverged
    assert done.solved is None
    assert done.steps < 100
    assert not torch.tensor(done.losses[-1]).isfinite()


def test_a_task_without_a_level_is_never_solved() -> None:
    assert train(replace(small(), task=replace(adding(length=6), solved=None)), steps=5).solved is None


def test_the_last_step_is_tested_and_all_is_told() -> None:
    told: list[tuple[int, float, float]] = []
    done = train(small(), steps=7, every=3, after_test=lambda *each: told.append(each))
    assert [steps for steps, _ in done.errors] == [3, 6, 7]
    assert told == [(steps, done.losses[steps - 1], found) for steps, found in done.errors]


def test_what_comes_after_backward_is_clipped() -> None:

    def louder(model: nn.Module) -> None:
        for p in model.parameters():
            p.grad.mul_(1000)

    recipe = small(optimizer="sgd", rate=1.0, clip=0.25)
    before = recipe.build().model
    after = train(recipe, steps=1, after_backward=louder).model
    norms = [float((a - b).detach().norm()) for a, b in zip(after.parameters(), before.parameters(), strict=True)]
    assert torch.tensor(norms).norm() == pytest.approx(0.25, rel=1e-5)


def test_error_leaves_the_model_as_it_was() -> None:
    model = recurrent(adding(length=6), hidden=4)
    for mode in (True, False):
        model.train(mode)
        error(model, adding(length=6))
        assert model.training is mode


def test_error_is_on_other_samples_than_the_training() -> None:
    task = adding(length=6)
    asked: list[torch.Tensor] = []

    def listen(said: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        asked.append(y)
        return y.mean()

    recipe = small(batch=512)
    error(recipe.build().model, replace(task, error=listen), recipe.seed)
    assert not torch.equal(asked[0], next(iter(recipe.build().data)).y)


def test_less_than_one_step_is_refused() -> None:
    with pytest.raises(ValueError, match="steps, every: expected at least 1, got 0 and 100"):
        train(small(), steps=0)
    with pytest.raises(ValueError, match="steps, every: expected at least 1, got 3 and 0"):
        train(small(), steps=3, every=0)
