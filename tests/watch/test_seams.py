"""A short pass crosses from the script's graph into that of the eager form beside compiled code, and never back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from gradreach.watch.seams import Seams, gradients_at


def _edge(tensor: Tensor) -> GradientEdge:
    assert tensor.grad_fn is not None
    return GradientEdge(tensor.grad_fn, tensor.output_nr)


def _body(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What a model makes of x: a value in its middle, and two outputs."""
    middle = torch.tanh(x)
    return middle, middle.cumsum(1), middle.square().sum(1)


@pytest.fixture(name="both")
def _both() -> tuple[list[Tensor], list[Tensor], Seams]:
    """The outputs as compiled code has them, with no graph in common, and as the eager form has them."""
    x = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    real = [each.detach().requires_grad_() * 1.0 for each in _body(x)[1:]]
    eager = list(_body(x.clone().requires_grad_()))
    return real, eager, Seams.of([(real[0], eager[1]), (real[1], eager[2])])


def test_what_comes_from_outside_is_what_the_whole_graph_would_give(
    both: tuple[list[Tensor], list[Tensor], Seams],
) -> None:
    real, eager, seams = both
    scores = real[0].sin().sum(1) * real[1]
    weight = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    at_middle, at_output = seams.back([_edge(scores)], [_edge(eager[0]), _edge(real[1])], [weight])
    whole = eager[1].sin().sum(1) * eager[2]
    (expected,) = gradients_at([_edge(whole)], [_edge(eager[0])], [weight])
    torch.testing.assert_close(at_middle, expected, rtol=0, atol=1e-15)
    torch.testing.assert_close(at_output, weight * real[0].sin().sum(1))


def test_a_pass_may_begin_at_the_seam_and_within(both: tuple[list[Tensor], list[Tensor], Seams]) -> None:
    real, eager, seams = both
    weight = torch.ones_like(real[0])
    (expected,) = gradients_at([_edge(eager[1])], [_edge(eager[0])], [weight])
    for start in (real[0], eager[1]):
        (found,) = seams.back([_edge(start)], [_edge(eager[0])], [weight])
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_no_gradient_comes_from_inside_to_outside(both: tuple[list[Tensor], list[Tensor], Seams]) -> None:
    real, eager, seams = both
    assert seams.back([_edge(eager[2])], [_edge(real[0])], [torch.ones(3, dtype=torch.float64)]) == (None,)


@pytest.mark.parametrize(
    ("made", "is_known"),
    [
        (lambda loss: loss, True),
        (lambda loss: loss / 4, True),
        (lambda loss: 0.5 * (loss * 2).mean(), True),
        (lambda loss: (loss - 1) ** 2, False),
        (lambda loss: loss + loss.sin(), False),
    ],
)
def test_a_loss_from_compiled_code_is_known_behind_a_scale_alone(
    made: Callable[[Tensor], Tensor], is_known: bool
) -> None:
    real, eager = (torch.tensor(2.0, requires_grad=True) * 3.0 for _ in range(2))
    assert (Seams.of([(real, eager)]).eager(made(real)) is eager) == is_known
