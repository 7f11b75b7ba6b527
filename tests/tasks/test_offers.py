"""Every task that is offered: it trains, it can be looked at, and its numbers mean what they say."""

import math
from functools import cache
from itertools import islice

import pytest
import torch

import gradreach as gr
from gradreach.tasks import OFFERS, Recipe, Task, error

SHORT = {"sensor": {"length": 300}, "characters": {"length": 30}}
"""Arguments that make a task quick enough for a test."""

SAMPLED = 0.1
"""Four and a half standard deviations of a share near 1/2 among 512 samples."""


@cache
def task(name: str) -> Task:
    return OFFERS[name].task(**SHORT.get(name, {}))


def recipe(name: str) -> Recipe:
    return Recipe(task(name), OFFERS[name].model, batch=8)


@pytest.mark.parametrize("name", OFFERS)
def test_a_look_at_the_untrained_model_finds_a_finite_step(name: str) -> None:
    model, data, loss, _ = recipe(name).build()
    record = gr.diagnose(model, islice(data, 1), loss).record
    assert len(record.steps) == 1
    assert math.isfinite(record.steps[0].norm)
    assert not record.nonfinite


@pytest.mark.parametrize("name", OFFERS)
def test_one_update_moves_the_weights_and_leaves_them_finite(name: str) -> None:
    before = [p.clone() for p in recipe(name).build().model.parameters()]
    after = list(gr.tasks.train(recipe(name), steps=1).model.parameters())
    assert all(p.isfinite().all() for p in after)
    assert any(not torch.equal(was, now) for was, now in zip(before, after, strict=True))


@pytest.mark.parametrize("name", OFFERS)
def test_who_is_untrained_is_no_better_than_chance(name: str) -> None:
    assert error(recipe(name).build().model, task(name)) >= task(name).chance - SAMPLED


@pytest.mark.parametrize("name", OFFERS)
def test_learned_is_better_than_chance(name: str) -> None:
    solved = task(name).solved
    assert solved is None or 0 < solved < task(name).chance / 4


@pytest.mark.parametrize("name", OFFERS)
def test_batches_are_as_the_task_describes_them(name: str) -> None:
    it = task(name)
    for draw in (it.train, it.test):
        x, y = draw(6, torch.Generator().manual_seed(3))
        assert len(x) == len(y) == 6
        if it.alphabet is not None:
            assert x.dtype == torch.int64
            assert 0 <= int(x.min()) <= int(x.max()) < it.alphabet
        else:
            assert x.dtype == torch.float32
            assert x.shape[-1] == it.width
        if it.length is not None:
            assert x.shape[1] <= it.length
        if y.dtype == torch.int64:
            assert int(y.max()) < it.outputs
        else:
            assert y.shape[-1] == it.outputs
        again = draw(6, torch.Generator().manual_seed(3))
        assert torch.equal(again.x, x)
        assert torch.equal(again.y, y)
        assert not torch.equal(draw(6, torch.Generator().manual_seed(4)).x, x) or name == "scalar"


def test_the_first_line_says_what_is_asked() -> None:
    assert all(len(offer.says) > 20 and offer.says.endswith((".", "?")) for offer in OFFERS.values())
