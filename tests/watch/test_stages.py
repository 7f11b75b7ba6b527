"""The stages of a gradient keep their names: scaled, reduced, before the clip, after it, update."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gradreach.remedies.clip import Clip, Value
from tests.watch import loops
from tests.watch.conftest import Watched


def _global_norm(model: nn.Module) -> float:
    return float(torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None]).norm())


def test_the_norm_is_taken_before_the_clip(watched: Watched) -> None:
    def train() -> list[float]:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        norms = []
        for _ in range(4):
            model.zero_grad()
            (model(torch.randn(3, 4)) * 10).square().mean().backward()
            norms.append(_global_norm(model))
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        return norms

    norms, record = watched(train)
    assert [step.norm for step in record.steps] == pytest.approx(norms, rel=1e-5)
    assert [step.pre_clip for step in record.steps] == pytest.approx(norms, rel=1e-5)
    assert {(step.threshold, step.clip) for step in record.steps} == {(0.5, "norm")}


def test_a_clip_of_our_own_is_heard_of(watched: Watched) -> None:
    def train(rule: object) -> list[float]:
        torch.manual_seed(0)
        model = nn.Linear(4, 2)
        clip = Clip(model, rule)
        norms = []
        for _ in range(4):
            model.zero_grad()
            (model(torch.randn(3, 4)) * 10).square().mean().backward()
            norms.append(float(clip()))
        return norms

    norms, record = watched(lambda: train(0.5))
    assert [step.pre_clip for step in record.steps] == pytest.approx(norms, rel=1e-5)
    assert {(step.threshold, step.clip) for step in record.steps} == {(0.5, "norm")}
    _, record = watched(lambda: train(Value(0.1)))
    assert {(step.threshold, step.clip, step.pre_clip) for step in record.steps} == {(0.1, "value", None)}


def test_a_clip_that_has_found_no_threshold_yet_clips_nothing(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(4, 2)
        clip = Clip(model)
        model(torch.randn(3, 4)).sum().backward()
        clip()

    _, record = watched(train)
    assert [(step.threshold, step.clip) for step in record.steps] == [(None, "")]


def test_clipping_by_value_and_model_by_model(watched: Watched) -> None:
    def train() -> None:
        a, b = nn.Linear(2, 1), nn.Linear(2, 1)
        (a(torch.ones(1, 2)) * 3 + b(torch.ones(1, 2)) * 4).sum().backward()
        nn.utils.clip_grad_norm_(a.parameters(), 1.0)
        nn.utils.clip_grad_norm_(b.parameters(), 1.0)
        a(torch.ones(1, 2)).sum().backward()
        nn.utils.clip_grad_value_(a.parameters(), 0.1)

    _, record = watched(train)
    first, second = record.steps
    assert first.pre_clip == pytest.approx(first.norm, rel=1e-5)
    assert (second.clip, second.threshold, second.pre_clip) == ("value", 0.1, None)


def test_a_name_bound_before_the_watch_began_still_tells_the_norm(watched: Watched) -> None:
    """`from torch.nn.utils import clip_grad_norm_` before the watch: the clip is not heard of, the norm is right."""
    from torch.nn.utils import clip_grad_norm_ as bound

    def train() -> float:
        model = nn.Linear(4, 2)
        model(torch.ones(3, 4)).sum().backward()
        norm = _global_norm(model)
        bound(model.parameters(), 1e-3)
        return norm

    norm, record = watched(train)
    assert record.steps[0].norm == pytest.approx(norm, rel=1e-5)
    assert record.steps[0].threshold is None


def test_a_loss_scale_is_divided_out_of_norm_and_loss_and_told(watched: Watched) -> None:
    _, record = watched(loops.loss_scaling)
    assert {step.scale for step in record.steps} == {1024.0}
    for step in record.steps:
        assert step.norm == pytest.approx(step.pre_clip, rel=1e-2)
        assert step.loss is not None
        assert 0 < step.loss < 10


def test_the_scale_in_force_at_the_step_is_told_though_it_grows_after_it(watched: Watched) -> None:
    def train() -> None:
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), 0.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=1)
        for _ in range(3):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 2)).square().sum()).backward()
            scaler.step(optimizer)
            scaler.update()

    _, record = watched(train)
    assert [step.scale for step in record.steps] == [8.0, 16.0, 32.0]
    assert len({round(step.norm or 0.0, 4) for step in record.steps}) == 1


def test_stale_gradients_of_another_model_do_not_count(watched: Watched) -> None:
    """A GAN's critic step must not count what the generator step left in the generator's gradients."""

    def train() -> float:
        torch.manual_seed(0)
        generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        (critic(generator(torch.ones(1, 2))) * 100).sum().backward()
        critic.zero_grad()
        critic(torch.ones(1, 2)).sum().backward()
        return _global_norm(critic)

    norm, record = watched(train)
    assert record.steps[1].norm == pytest.approx(norm, rel=1e-5)


def test_sparse_and_half_precision_gradients(watched: Watched) -> None:
    def train() -> list[float]:
        norms = []
        embed = nn.Embedding(10, 3, sparse=True)
        embed(torch.tensor([1, 1, 2])).sum().backward()
        norms.append(float(embed.weight.grad.to_dense().norm()))
        half = nn.Linear(300, 300).to(torch.bfloat16)
        (half(torch.ones(2, 300, dtype=torch.bfloat16)) * 100).sum().backward()
        norms.append(float(torch.stack([p.grad.double().norm() for p in half.parameters()]).norm()))
        return norms

    norms, record = watched(train)
    assert [step.norm for step in record.steps] == pytest.approx(norms, rel=1e-5)


def test_a_model_of_loose_tensors_without_any_module(watched: Watched) -> None:
    def train() -> float:
        w = torch.randn(4, 3, requires_grad=True)
        for _ in range(3):
            w.grad = None
            (torch.randn(2, 4) @ w).square().sum().backward()
            w.data -= 0.01 * w.grad
        return float(w.grad.norm())

    norm, record = watched(train)
    assert record.steps[-1].norm == pytest.approx(norm, rel=1e-5)
