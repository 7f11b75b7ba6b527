"""The rows of a loss at padding, as the lens on losses finds them."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import PaddedRows

B, T, C = 6, 20, 5

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class Tagger(nn.Module):
    """A tag, or a number, for each id."""

    def __init__(self, out: int = C) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(10, 8), nn.Linear(8, out)

    def forward(self, ids: Tensor) -> Tensor:
        scores: Tensor = self.head(self.embed(ids))
        return scores


LENGTHS = torch.tensor([3, 5, 8, 4, 20, 2])
REAL = torch.arange(T) < LENGTHS[:, None]


def ids() -> Tensor:
    torch.manual_seed(0)
    return torch.randint(1, 10, (B, T)) * REAL


def seen(model: nn.Module, x: Tensor, loss: Callable[[Tensor], Tensor]) -> PaddedRows | None:
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        loss(model(x)).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return next((each.padded for each in record.looks[-1].losses), None)


def test_the_losses_on_padding_and_on_the_rest_are_told_apart() -> None:
    x, model = ids(), Tagger()
    y = x % C
    found = seen(model, x, lambda out: F.cross_entropy(out.reshape(-1, C), y.reshape(-1)))
    assert found is not None
    each = F.cross_entropy(model(x).transpose(1, 2), y, reduction="none")
    assert found.share == pytest.approx(1 - REAL.float().mean().item())
    assert found.loss == pytest.approx(each[~REAL].mean().item(), rel=1e-5)
    assert found.others == pytest.approx(each[REAL].mean().item(), rel=1e-5)
    assert (found.label, found.elsewhere) == (0, True)
    assert found.counts == tuple(int((y[REAL] == label).sum()) for label in range(C))


@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: F.cross_entropy(out.transpose(1, 2), y),
        lambda out, y: F.cross_entropy(out.transpose(0, 1).reshape(-1, C), y.t().reshape(-1)),
        lambda out, y: F.nll_loss(F.log_softmax(out, -1).reshape(-1, C), y.reshape(-1)),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1), reduction="sum") / 12,
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1)) / 4 + 0.1 * out.square().mean(),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1), label_smoothing=0.1),
    ],
    ids=["classes second", "time first", "likelihood", "sum", "one of two parts", "smoothed"],
)
def test_classes_in_every_layout(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x = ids()
    y = torch.where(REAL, 1 + x % (C - 1), 0)
    found = seen(Tagger(), x, lambda out: loss(out, y))
    assert found is not None
    assert (found.label, found.elsewhere) == (0, False)


@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: F.mse_loss(out, y),
        lambda out, y: ((out - y) ** 2).mean(),
        lambda out, y: F.l1_loss(out.reshape(-1), y.reshape(-1)),
        lambda out, y: F.binary_cross_entropy_with_logits(out, (y > 5).float()),
        lambda out, y: F.mse_loss(out.t(), y.t()),
    ],
    ids=["square", "by hand", "flat", "binary", "time first"],
)
def test_numbers(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x = ids()
    found = seen(nn.Sequential(Tagger(1), nn.Flatten(1)), x, lambda out: loss(out, x.float()))
    assert found is not None
    assert found.share == pytest.approx(1 - REAL.float().mean().item())
    assert found.label is None
    assert found.guess is not None


def test_padding_at_the_start_and_data_of_several_features() -> None:
    x = torch.randn(B, T, 3) * REAL.flip(1)[..., None]
    found = seen(nn.Linear(3, 2), x, lambda out: F.mse_loss(out, x[..., :2]))
    assert found is not None
    assert found.share == pytest.approx(1 - REAL.float().mean().item())


@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1), ignore_index=0),
        lambda out, y: F.cross_entropy(out[REAL], y[REAL]),
        lambda out, y: (F.cross_entropy(out.transpose(1, 2), y, reduction="none") * REAL).sum() / REAL.sum(),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1), weight=torch.tensor([0.0, 1, 1, 1, 1])),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), y.masked_fill(~REAL, -100).reshape(-1)),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), (y + torch.arange(T)).reshape(-1) % C),
        lambda out, y: F.cross_entropy(out.reshape(-1, C), torch.zeros_like(y).reshape(-1)),
        lambda out, y: F.cross_entropy(out[:, 0], y[:, 0]),
    ],
    ids=["ignored", "selected", "masked", "weighted", "-100", "a target of its own", "one target", "one for each row"],
)
def test_losses_that_leave_padding_out_or_ask_something_there(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    x = ids()
    y = torch.where(REAL, 1 + x % (C - 1), 0)
    assert seen(Tagger(), x, lambda out: loss(out, y)) is None


@pytest.mark.parametrize(
    "x",
    [
        torch.randint(1, 10, (B, T)),
        torch.randint(1, 10, (B, T)) * (torch.rand(B, T) < 0.2),
        torch.randint(1, 10, (B, T)) * (torch.arange(T) < 6),
        torch.randint(1, 10, (3, T)) * REAL[:3],
    ],
    ids=["full", "sparse", "the same in each row", "three rows"],
)
def test_blanks_that_are_no_padding(x: Tensor) -> None:
    assert seen(Tagger(), x, lambda out: F.cross_entropy(out.reshape(-1, C), (x % C).reshape(-1))) is None
