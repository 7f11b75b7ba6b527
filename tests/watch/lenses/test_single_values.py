"""Normalisations over a single value, as modules and as functions, and those over more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradreach.record.seen.depth import SingleValues
from tests.watch.conftest import Watched


class Net(nn.Module):
    def __init__(self, norm: nn.Module | Callable[[Tensor], Tensor], width: int, *, behind: bool) -> None:
        super().__init__()
        self.low, self.norm, self.top = nn.Linear(width, width), norm, nn.Linear(width, 1)
        self.behind = behind

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.top(self.norm(self.low(x) if self.behind else x))
        return y


def seen(
    watched: Watched, norm: nn.Module | Callable[[Tensor], Tensor], width: int, *, behind: bool
) -> list[SingleValues]:
    torch.manual_seed(0)
    net = Net(norm, width, behind=behind)
    _, record = watched(lambda: net(torch.randn(8, width)).square().mean().backward())
    assert not record.notes
    return list(record.looks[0].single_values)


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("affine", [False, True])
def test_modules_over_one_value(watched: Watched, behind: bool, affine: bool) -> None:
    layer = seen(watched, nn.LayerNorm(1, elementwise_affine=affine), 1, behind=behind)
    assert layer == [SingleValues("net.norm", "LayerNorm", "layer norm", (8, 1))]
    group = seen(watched, nn.GroupNorm(6, 6, affine=affine), 6, behind=behind)
    assert group == [SingleValues("net.norm", "GroupNorm", "group norm", (8, 6))]


def test_a_function_is_told_by_the_module_that_calls_it(watched: Watched) -> None:
    found = seen(watched, lambda x: F.layer_norm(x[..., None], (1,))[..., 0], 4, behind=True)
    assert found == [SingleValues("net", "Net", "layer norm", (8, 4, 1))]


@pytest.mark.parametrize(
    "norm",
    [nn.LayerNorm(6), nn.GroupNorm(3, 6), nn.GroupNorm(1, 6), nn.BatchNorm1d(6), nn.Softmax(1), nn.Identity()],
    ids=lambda norm: type(norm).__name__,
)
@pytest.mark.parametrize("behind", [False, True])
def test_others_let_something_through(watched: Watched, norm: nn.Module, behind: bool) -> None:
    assert not seen(watched, norm, 6, behind=behind)
