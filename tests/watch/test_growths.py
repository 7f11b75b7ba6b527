"""By how much the products on the way to an output make the signal grow, as the first look reads it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import LayerGrowth

ROWS = 48
LABELS = torch.arange(ROWS) % 6

Loss = Callable[[nn.Module, Tensor], Tensor]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(40, 60), nn.ReLU(), nn.Linear(60, 6))
    nn.init.normal_(model[2].weight)
    return model


def of_looks(model: nn.Module, loss: Loss, looks: int = 1, *size: int) -> list[tuple[LayerGrowth, ...]]:
    with gr.observe(model, every=1) as watch:
        for _ in range(looks):
            loss(model, torch.randn(ROWS, *(size or (40,)))).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return [look.losses[0].growths for look in record.looks]


def growths(model: nn.Module, loss: Loss, *size: int) -> tuple[LayerGrowth, ...]:
    return of_looks(model, loss, 1, *size)[0]


def entropy(model: nn.Module, x: Tensor) -> Tensor:
    return F.cross_entropy(model(x), LABELS)


def test_each_product_is_read_in_its_order() -> None:
    first, last = growths(net(), entropy)
    assert (first.weight, first.shape, first.fan_in) == ("model.0.weight", (60, 40), 40)
    assert (last.weight, last.fan_in) == ("model.2.weight", 60)
    assert first.input_rms == pytest.approx(1.0, rel=0.1)
    assert first.scale == pytest.approx(3**-0.5, rel=0.1)
    assert first.factor == pytest.approx(first.scale, rel=0.15)
    assert last.weight_rms == pytest.approx(1.0, rel=0.1)
    assert last.factor == pytest.approx(60**0.5, rel=0.5)
    assert first.is_drawn
    assert last.is_drawn


def test_they_are_read_at_the_first_look_alone() -> None:
    assert list(map(len, of_looks(net(), entropy, 3))) == [2, 0, 0]


def test_a_product_by_hand_is_the_same_from_either_side() -> None:
    class Hand(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.v = nn.Parameter(torch.rand(40, 60)), nn.Parameter(torch.randn(6, 60))

        def forward(self, x: Tensor) -> Tensor:
            return (self.v @ torch.tanh(x @ self.w).t()).t()

    torch.manual_seed(0)
    model = Hand()
    first, last = growths(model, entropy)
    assert [(each.weight, each.fan_in) for each in (first, last)] == [("model.w", 40), ("model.v", 60)]
    assert last.output_rms == pytest.approx((60**0.5) * last.input_rms, rel=0.5)


def test_of_a_convolution_the_whole_kernel_counts() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 16, 6))
    first, _ = growths(model, entropy, 2, 6, 6)
    assert (first.weight, first.fan_in) == ("model.0.weight", 18)
    assert first.factor == pytest.approx(first.scale, rel=0.4)


def test_a_tied_embedding_is_read_by_its_parameter() -> None:
    torch.manual_seed(0)
    embed, head = nn.Embedding(6, 32), nn.Linear(32, 6, bias=False)
    head.weight = embed.weight
    (only,) = growths(
        nn.ModuleList([embed, head]), lambda model, _: F.cross_entropy(model[1](model[0](LABELS)), LABELS)
    )
    assert (only.weight, only.fan_in) == ("model.0.weight", 32)


@pytest.mark.parametrize(
    "loss",
    [
        lambda model, x: F.cross_entropy(30 * model(x), LABELS),
        lambda model, x: F.cross_entropy(model(x) / 0.07, LABELS),
        lambda model, x: F.mse_loss(torch.tanh(model(x)), torch.randn(ROWS, 6)),
    ],
    ids=["scaled", "temperature", "bounded"],
)
def test_an_output_that_something_else_scales_has_none(loss: Loss) -> None:
    assert growths(net(), loss) == ()


def test_weights_that_differ_in_size_by_rows_or_columns_are_not_drawn() -> None:
    for axis, of in ((0, 60), (1, 40)):
        model = net()
        with torch.no_grad():
            size = torch.linspace(0.2, 3, of)
            model[0].weight *= size[:, None] if axis == 0 else size
        assert not growths(model, entropy)[0].is_drawn


@pytest.mark.parametrize("start", [nn.init.uniform_, nn.init.normal_, nn.init.orthogonal_, nn.init.xavier_uniform_])
def test_the_usual_starts_are_drawn(start: Callable[[Tensor], Tensor]) -> None:
    model = net()
    start(model[0].weight)
    assert growths(model, entropy)[0].is_drawn


def test_a_checkpoint_is_left_alone() -> None:
    from torch.utils.checkpoint import checkpoint

    model = net()
    assert growths(model, lambda model, x: F.cross_entropy(checkpoint(model, x, use_reentrant=False), LABELS)) == ()


class Tables(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one, self.other, self.shift = nn.Embedding(30, 16), nn.Embedding(20, 16), nn.Embedding(20, 1)

    def forward(self, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        of = torch.arange(ROWS)
        joined: Tensor = join(self.one(of % 30), self.other(of % 20)) + self.shift(of % 20)[:, 0]
        return joined


@pytest.mark.parametrize(
    "join",
    [
        lambda a, b: (a * b).sum(-1),
        lambda a, b: torch.bmm(a[:, None], b[:, :, None]).flatten(),
        lambda a, b: torch.einsum("ij,ij->i", a, b),
    ],
    ids=["sum", "bmm", "einsum"],
)
def test_an_inner_product_of_looked_up_rows_is_read(join: Callable[[Tensor, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    target = (torch.arange(ROWS) % 2).float()
    (only,) = growths(Tables(), lambda model, _: F.binary_cross_entropy_with_logits(model(join), target))
    assert (only.weight, only.fan_in, only.is_drawn) == ("model.other.weight", 16, True)
    assert only.input_rms == pytest.approx(1.0, rel=0.3)
    assert only.factor == pytest.approx(4.0, rel=0.5)
