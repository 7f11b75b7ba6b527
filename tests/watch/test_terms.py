"""The terms that a loss is the sum of: which are found, and how hard each pulls."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.look import Look
from gradreach.watch.terms import terms_of

W = torch.randn(5, requires_grad=True)
C = torch.randn(5)

SUMS: dict[str, tuple[Callable[[], Tensor], int, bool]] = {
    "one": (lambda: W.square().mean(), 1, False),
    "two": (lambda: W.square().mean() + W.abs().sum(), 2, False),
    "weighed": (lambda: 0.1 * (2 * W.square().mean() - W.abs().sum() / 3), 2, False),
    "three": (lambda: W.square().mean() + (W.abs().sum() + W.exp().sum()), 3, False),
    "with a number": (lambda: W.square().mean() + 1.0, 1, True),
    "with a tensor": (lambda: C.mean() + W.square().mean(), 1, True),
    "stacked": (lambda: torch.stack([W.square().mean(), W.abs().sum()]).sum(), 2, False),
    "python's sum": (lambda: sum([W.square().mean(), W.abs().sum()], torch.zeros(())), 2, True),
    "rows are one": (lambda: (W.square() + W.abs()).mean(), 1, False),
    "a learned weight": (lambda: W[0] * (W.square().mean() + W.abs().sum()), 1, False),
    "a root": (lambda: (W.square().mean() + W.abs().sum()).sqrt(), 1, False),
}


@pytest.mark.parametrize("name", SUMS)
def test_terms_are_those_that_the_script_adds(name: str) -> None:
    loss, count, has_constant = SUMS[name]
    terms = terms_of([loss()])
    assert (len(terms.found), terms.has_constant) == (count, has_constant)


def test_the_sign_of_a_term_is_known() -> None:
    terms = terms_of([-(W.square().mean() - 2 * W.abs().sum())])
    assert [term.is_turned for term in terms.found] == [True, False]


def looked_at(model: nn.Module, loss: Callable[[], Tensor]) -> Look:
    with gr.observe(model, every=1) as watch:
        loss().backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return record.looks[-1]


def test_the_pull_of_each_term_is_that_of_autograd_at_the_weights_that_they_share() -> None:
    torch.manual_seed(0)
    trunk, one, other = nn.Linear(5, 8), nn.Linear(8, 1), nn.Linear(8, 3)
    model = nn.ModuleList([trunk, one, other]).double()
    x, y, labels = torch.randn(16, 5).double(), torch.randn(16, 1).double(), torch.arange(16) % 3

    def terms() -> tuple[Tensor, Tensor]:
        h = trunk(x).tanh()
        return 0.5 * F.mse_loss(one(h), y), 3 * F.cross_entropy(other(h), labels)

    expected = [
        math.hypot(
            *(
                gradient.norm().item()
                for gradient in torch.autograd.grad(term, [*trunk.parameters()], retain_graph=True)
            )
        )
        for term in terms()
    ]
    look = looked_at(model, lambda: 2 * sum(terms(), torch.zeros(())))
    assert [term.own for term in look.loss_terms] == pytest.approx([2 * each for each in expected])
    assert [term.others for term in look.loss_terms] == pytest.approx([2 * each for each in expected[::-1]])
    assert [seen.term for seen in look.losses] == [1, 2]
    assert not any(seen.is_whole for seen in look.losses)


def test_gradients_are_left_as_they_are() -> None:
    def gradients(watched: bool) -> list[Tensor]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.Dropout(), nn.Linear(8, 1))
        x = torch.randn(16, 5)

        def loss() -> Tensor:
            return F.mse_loss(model(x), x[:, :1]) + 0.1 * model[0].weight.abs().sum()

        if watched:
            assert looked_at(model, loss).loss_terms
        else:
            loss().backward()
        return [parameter.grad for parameter in model.parameters() if parameter.grad is not None]

    assert all(torch.equal(one, other) for one, other in zip(gradients(True), gradients(False), strict=True))


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_what_has_no_gradient_is_what_the_comparisons_leave(scale: float) -> None:
    torch.manual_seed(0)
    model = nn.Linear(5, 2)
    x, y = torch.randn(16, 5), torch.randn(16, 2)

    def loss() -> Tensor:
        out = model(x)
        return scale * (F.mse_loss(out, y) + 0.25 * F.cross_entropy(out, y.argmax(1)) + 0.7)

    constant = looked_at(model, loss).loss_constant
    assert constant is not None
    assert constant.value == pytest.approx(0.7 * scale, rel=1e-4)


def test_a_sum_that_is_not_known_leaves_the_constant_open() -> None:
    model, x = nn.Linear(5, 2), torch.randn(16, 5)
    assert looked_at(model, lambda: model(x).exp().mean() + torch.ones(())).loss_constant is None
    assert looked_at(model, lambda: F.mse_loss(model(x), x[:, :2])).loss_constant is None
