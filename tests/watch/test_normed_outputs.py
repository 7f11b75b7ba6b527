"""The least loss of an output that comes straight from a normalisation."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gradreach.record.seen.loss import NormedOutput
from gradreach.watch.comparisons import comparisons
from gradreach.watch.normed_outputs import normed_output

torch.manual_seed(0)
MASK = (torch.rand(6, 8, 8) < 0.07).long()
KINDS = torch.randint(0, 4, (6, 8, 8)) % 3
LABELS = torch.randint(0, 5, (32,))
MASSES = 3 + 0.5 * torch.randn(32, 5)
SERIES = 2 * torch.randn(8, 3, 20) + 3 * torch.randn(8, 3, 1)

Loss = Callable[[Tensor], Tensor]


def seen(norm: Loss, loss: Loss, shape: tuple[int, ...]) -> NormedOutput | None:
    """What the one comparison of a loss tells of a normalised output."""
    found = comparisons([loss(norm(torch.randn(shape, requires_grad=True)))], lambda _: None)
    assert len(found) == 1
    return normed_output(found[0])


def reached(norm: Loss, loss: Loss, shape: tuple[int, ...]) -> float:
    """What a loss comes to where the input of the normalisation may be anything."""
    free = torch.randn(shape, requires_grad=True)
    optimizer = torch.optim.Adam([free], 0.05)
    for _ in range(1000):
        optimizer.zero_grad()
        value = loss(norm(free))
        value.backward()
        optimizer.step()
    return value.item()


CASES: dict[str, tuple[Loss, Loss, tuple[int, ...], str]] = {
    "classes of pixels": (nn.InstanceNorm2d(2), lambda y: F.cross_entropy(y, MASK), (6, 2, 8, 8), "instance norm"),
    "pixels in rows": (
        nn.InstanceNorm2d(2),
        lambda y: F.cross_entropy(y.permute(0, 2, 3, 1).reshape(-1, 2), MASK.flatten()),
        (6, 2, 8, 8),
        "instance norm",
    ),
    "one class left out": (
        nn.InstanceNorm2d(3),
        lambda y: F.cross_entropy(y, KINDS, ignore_index=2),
        (6, 3, 8, 8),
        "instance norm",
    ),
    "groups of channels": (
        nn.GroupNorm(2, 4, affine=False),
        lambda y: F.cross_entropy(y, KINDS),
        (6, 4, 8, 8),
        "group norm",
    ),
    "a mask on logits": (
        nn.InstanceNorm2d(1),
        lambda y: F.binary_cross_entropy_with_logits(y[:, 0], MASK.float()),
        (6, 1, 8, 8),
        "instance norm",
    ),
    "a mask by a sigmoid": (
        nn.InstanceNorm2d(1),
        lambda y: F.binary_cross_entropy(y.sigmoid().squeeze(1), MASK.float()),
        (6, 1, 8, 8),
        "instance norm",
    ),
    "logits of rows": (lambda x: F.layer_norm(x, (5,)), lambda y: F.cross_entropy(y, LABELS), (32, 5), "layer norm"),
    "a batch": (nn.BatchNorm1d(5, affine=False), lambda y: F.mse_loss(y, MASSES), (32, 5), "batch norm"),
    "series": (
        nn.InstanceNorm1d(3),
        lambda y: F.mse_loss(y.transpose(1, 2), SERIES.transpose(1, 2)),
        (8, 3, 20),
        "instance norm",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_no_output_gets_below_the_bound_and_the_best_one_near(case: tuple[Loss, Loss, tuple[int, ...], str]) -> None:
    norm, loss, shape, by = case
    found, best = seen(norm, loss, shape), reached(norm, loss, shape)
    assert found is not None
    assert found.by == by
    assert 0.85 * best <= found.least <= best + 1e-5


@pytest.mark.parametrize(
    "norm",
    [nn.BatchNorm1d(3, affine=False).eval(), nn.LayerNorm(20, bias=False), lambda x: 2 * x],
    ids=["by running statistics", "no shift", "none"],
)
def test_other_ends_have_no_bound(norm: Loss) -> None:
    assert seen(norm, lambda y: F.mse_loss(y, SERIES), (8, 3, 20)) is None


def turned(norm: nn.Module) -> nn.Module:
    """A normalisation whose scale and shift differ from number to number."""
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += 0.5 * torch.randn_like(parameter)
    return norm.requires_grad_()


@pytest.mark.parametrize(
    "norm",
    [nn.InstanceNorm1d(3, affine=True), nn.LayerNorm(20), nn.BatchNorm1d(3), nn.GroupNorm(3, 3), nn.GroupNorm(1, 3)],
    ids=["instance", "layer", "batch", "groups of one", "one group"],
)
def test_a_scale_and_a_shift_as_they_are(norm: nn.Module) -> None:
    turned(norm)
    found = seen(norm, lambda y: F.mse_loss(y, SERIES + 5), (8, 3, 20))
    best = reached(norm, lambda y: F.mse_loss(y, SERIES + 5), (8, 3, 20))
    assert found is not None
    assert found.is_scaled
    assert 0.85 * best <= found.least <= best + 1e-4


def test_standardised_targets_are_in_reach() -> None:
    target = F.layer_norm(torch.randn(32, 5), (5,))
    found = seen(lambda x: F.layer_norm(x, (5,)), lambda y: F.mse_loss(y, target), (32, 5))
    assert found is not None
    assert found.least == pytest.approx(0.0, abs=1e-4)


def test_a_way_that_mixes_numbers_or_weighs_classes_has_no_bound() -> None:
    norm = nn.InstanceNorm2d(2)
    weighted = seen(norm, lambda y: F.cross_entropy(y, MASK, weight=torch.tensor([1.0, 9.0])), (6, 2, 8, 8))
    picked = seen(norm, lambda y: F.cross_entropy(y[:, :, :4], MASK[:, :4]), (6, 2, 8, 8))
    assert (weighted, picked) == (None, None)
