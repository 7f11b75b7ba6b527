"""What the lens on losses reads from the script's graph."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import gradreach as gr
from gradreach.record.seen.loss import LossLook

ROWS = 32

Loss = Callable[[nn.Module, Tensor], Tensor]


def net(*end: nn.Module, out: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, out), *end)


def losses_of(model: nn.Module, loss: Loss) -> tuple[LossLook, ...]:
    x = torch.randn(ROWS, 5)
    with warnings.catch_warnings(), gr.observe(model, every=1) as watch:
        warnings.simplefilter("ignore")
        loss(model, x).backward()
    record = watch.report().record
    assert not [note for note in record.notes if "failed" in note]
    return record.looks[-1].losses


def test_of_an_error_by_torch_and_by_hand_both_sides_are_read() -> None:
    y = 3 * torch.randn(ROWS, 1) + 1
    by_torch = losses_of(net(), lambda model, x: F.mse_loss(model(x), y))[0]
    by_hand = losses_of(net(), lambda model, x: ((y - model(x)) ** 2).mean())[0]
    for seen in (by_torch, by_hand):
        assert (seen.kind, seen.shape, seen.last, seen.module) == (
            "squared error",
            (ROWS, 1),
            "matrix product",
            "model.2",
        )
        assert seen.is_whole
        assert seen.targets is not None
        assert seen.targets.mean == pytest.approx(y.mean().item(), rel=1e-5)
        assert seen.targets.deviation == pytest.approx(y.std().item(), rel=1e-5)
        assert seen.guess == pytest.approx(y.var().item(), rel=1e-5)
        assert seen.value is not None


def test_a_class_that_is_left_out_is_known() -> None:
    labels = torch.arange(ROWS) % 2
    seen = losses_of(net(out=2), lambda model, x: F.cross_entropy(model(x), labels, ignore_index=0))[0]
    assert (seen.counts, seen.ignored) == ((0, ROWS // 2), 0)
    assert losses_of(net(out=2), lambda model, x: F.cross_entropy(model(x), labels))[0].ignored is None


def test_classes_before_the_steps_of_a_sequence_are_read() -> None:
    labels = (torch.arange(ROWS * 4) % 3).view(ROWS, 4)

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        return F.cross_entropy(model(x[:, None].expand(-1, 4, -1)).transpose(1, 2), labels)

    (seen,) = losses_of(net(out=3), loss)
    assert (seen.kind, seen.is_whole, sum(seen.counts), len(seen.counts)) == ("cross entropy", True, 4 * ROWS, 3)
    assert seen.guess == pytest.approx(math.log(3), rel=1e-3)
    assert seen.value is not None


def test_the_value_is_what_torch_says() -> None:
    labels, y = torch.arange(ROWS) % 4, (torch.arange(ROWS) % 2).float()[:, None]
    kept: list[float] = []

    def told(loss: Tensor) -> Tensor:
        kept.append(loss.item())
        return loss

    for model, loss in (
        (net(out=4), lambda model, x: F.cross_entropy(model(x), labels)),
        (net(), lambda model, x: F.binary_cross_entropy_with_logits(model(x), y)),
        (net(nn.Sigmoid()), lambda model, x: F.binary_cross_entropy(model(x), y)),
        (net(), lambda model, x: (model(x) - y).abs().mean()),
    ):
        seen = losses_of(model, lambda model, x, loss=loss: told(loss(model, x)) + 0.0)[0]  # type: ignore[misc]
        assert seen.value == pytest.approx(kept[-1], rel=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        lambda out, y: F.mse_loss(out, y),
        lambda out, y: F.l1_loss(out, y),
        lambda out, y: F.smooth_l1_loss(out, y),
        lambda out, y: ((out - y) ** 2).mean(),
        lambda out, y: (y - out).abs().mean(),
    ],
)
def test_a_row_against_a_column_makes_a_square(loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    y = torch.randn(ROWS)
    seen = losses_of(net(), lambda model, x: loss(model(x), y))[0]
    assert (seen.shape, seen.output_shape) == ((ROWS, ROWS), (ROWS, 1))
    assert seen.target_shape in (None, (ROWS,))


def test_a_factor_that_makes_a_square_is_a_product() -> None:
    factor = torch.rand(ROWS, 1)
    seen = losses_of(net(), lambda model, x: -(model(x).squeeze(1) * factor).mean())
    assert [(each.kind, each.shape, each.output_shape) for each in seen] == [("product", (ROWS, ROWS), (ROWS,))]


def test_factors_of_both_signs_weigh_the_rows() -> None:
    advantages, labels = torch.linspace(-1.0, 2.0, ROWS), torch.sign(torch.arange(ROWS) - ROWS / 2 + 0.5)
    for factor, weighs in ((advantages, True), (advantages.abs(), False), (labels, False)):
        seen = losses_of(net(), lambda model, x, by=factor: -(model(x).squeeze(1) * by).mean())
        assert any(each.is_weighed for each in seen) == weighs


def test_a_cross_entropy_tells_its_classes_and_what_it_was_given() -> None:
    labels = torch.arange(ROWS) % 4
    plain = losses_of(net(out=4), lambda model, x: F.cross_entropy(model(x), labels))[0]
    assert (plain.kind, plain.last, plain.counts) == ("cross entropy", "matrix product", (8, 8, 8, 8))
    assert plain.guess == pytest.approx(math.log(4))
    twice = losses_of(net(nn.Softmax(1), out=4), lambda model, x: F.cross_entropy(model(x), labels))[0]
    assert (twice.last, twice.module) == ("softmax", "model.3")


def test_a_cross_entropy_by_hand_is_one_too() -> None:
    labels = F.one_hot(torch.arange(ROWS) % 4, 4).float()
    of_logits = losses_of(net(out=4), lambda model, x: -(labels * model(x).log_softmax(1)).sum(1).mean())[0]
    assert (of_logits.kind, of_logits.last, of_logits.is_whole) == ("cross entropy", "matrix product", True)
    plain = net(nn.Softmax(1), out=4)
    of_shares = losses_of(plain, lambda model, x: -(labels * torch.log(model(x))).sum(1).mean())[0]
    assert (of_shares.kind, of_shares.last) == ("cross entropy on probabilities", "softmax")
    for seen in (of_logits, of_shares):
        assert seen.counts == (8, 8, 8, 8)
        assert seen.guess == pytest.approx(math.log(4))


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_binary_cross_entropy_by_hand_is_one_comparison(sign: float) -> None:
    labels = (torch.arange(ROWS) % 4 == 0).float().unsqueeze(1)

    def loss(model: nn.Module, x: Tensor) -> Tensor:
        p = model(x).clamp(1e-7, 1 - 1e-7)
        if sign < 0:
            return -(labels * torch.log(p) + (1 - labels) * torch.log(1 - p)).mean()
        return (-labels * torch.log(p) - (1 - labels) * (1 - p).log()).mean()

    (seen,) = losses_of(net(nn.Sigmoid()), loss)
    assert (seen.kind, seen.is_whole) == ("binary cross entropy", True)
    assert seen.guess == pytest.approx(-0.25 * math.log(0.25) - 0.75 * math.log(0.75))


def test_logarithms_whose_factors_are_no_label_and_its_rest_are_no_comparison() -> None:
    factor = torch.rand(ROWS, 1)
    model = net(nn.Sigmoid())
    assert not losses_of(model, lambda m, x: -(factor * m(x).log() + factor * (1 - m(x)).log()).mean())


def test_classes_that_are_ignored_do_not_count() -> None:
    labels = torch.arange(ROWS) % 4
    seen = losses_of(net(out=4), lambda model, x: F.cross_entropy(model(x), labels, ignore_index=0))[0]
    assert seen.counts == (0, 8, 8, 8)
    weight = torch.rand(4)
    assert losses_of(net(out=4), lambda model, x: F.cross_entropy(model(x), labels, weight=weight))[0].guess is None


def test_targets_outside_of_what_the_end_can_give() -> None:
    y = torch.linspace(-1, 3, ROWS)
    seen = losses_of(net(nn.Sigmoid()), lambda model, x: F.mse_loss(model(x).squeeze(1), y))[0]
    beyond = torch.where(y < 0, -y, (y - 1).clamp(min=0))
    assert seen.outside == pytest.approx((beyond > 0).float().mean().item())
    assert seen.floor == pytest.approx(beyond.square().mean().item(), rel=1e-5)
    assert losses_of(net(), lambda model, x: F.mse_loss(model(x).squeeze(1), y))[0].outside is None


class LastState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(5, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.rnn(x[:, None].expand(-1, 6, -1))[0][:, -1]


def test_a_state_that_is_the_output_lies_between_1_and_minus_1() -> None:
    seen = losses_of(LastState(), lambda model, x: F.mse_loss(model(x), torch.full((ROWS, 4), 5.0)))[0]
    assert (seen.last, seen.module, seen.outside, seen.floor) == ("LSTM", "model.rnn", 1.0, 16.0)


def test_a_sum_of_losses_is_told_part_by_part_and_none_is_the_whole() -> None:
    y = torch.randn(ROWS, 1)
    seen = losses_of(net(), lambda model, x: F.mse_loss(model(x), y) + 0.1 * (model(x) - y).abs().mean())
    assert sorted(each.kind for each in seen) == ["absolute error", "squared error"]
    assert not any(each.is_whole for each in seen)


def test_a_loss_of_another_kind_is_none_of_these() -> None:
    assert losses_of(net(), lambda model, x: model(x).square().mean()) == ()
    assert losses_of(net(), lambda model, x: model(x).logsumexp(0).sum()) == ()


def test_a_mask_weighs_no_rows() -> None:
    mask = torch.arange(ROWS) % 2 == 0
    assert not any(each.is_weighed for each in losses_of(net(), lambda model, x: (model(x).squeeze(1) * mask).mean()))


@pytest.mark.parametrize(
    ("turn", "is_turned"),
    [
        (lambda error: error, False),
        (lambda error: -error, True),
        (lambda error: 1 - error, True),
        (lambda error: error - 1, False),
        (lambda error: -(2 - error) / 3, False),
        (lambda error: error * -0.5, True),
        (lambda error: error / -4, True),
        (lambda error: torch.zeros(()) - error, True),
    ],
)
def test_a_minus_before_an_error_is_seen(turn: Callable[[Tensor], Tensor], is_turned: bool) -> None:
    y, labels = torch.randn(ROWS, 1), torch.arange(ROWS) % 4
    by_torch = losses_of(net(), lambda model, x: turn(F.mse_loss(model(x), y)))[0]
    by_hand = losses_of(net(), lambda model, x: turn(((y - model(x)) ** 2).mean()))[0]
    of_classes = losses_of(net(out=4), lambda model, x: turn(F.cross_entropy(model(x), labels)))[0]
    assert [each.is_turned for each in (by_torch, by_hand, of_classes)] == [is_turned] * 3


def test_the_minus_of_a_likelihood_by_hand_is_none_before_an_error() -> None:
    shares = torch.softmax(torch.randn(ROWS, 4), 1)
    seen = losses_of(net(out=4), lambda model, x: -(shares * model(x).log_softmax(1)).sum(1).mean())[0]
    assert (seen.kind, seen.is_turned) == ("cross entropy", False)


@pytest.mark.parametrize(
    ("weights", "reduction", "expected"),
    [
        ([1.0, 2.0, 0.5, 1.0], "mean", False),
        ([-1.0, 2.0, 0.5, 1.0], "mean", True),
        ([-1.0, -2.0, -0.5, -1.0], "mean", False),
        ([-1.0, -2.0, -0.5, -1.0], "sum", True),
    ],
)
def test_class_weights_below_zero_are_seen_where_they_turn_the_loss(
    weights: list[float], reduction: str, expected: bool
) -> None:
    labels, weight = torch.arange(ROWS) % 4, torch.tensor(weights)
    seen = losses_of(
        net(out=4), lambda model, x: F.cross_entropy(model(x), labels, weight=weight, reduction=reduction)
    )[0]
    assert seen.has_negative_weights is expected


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_weight_of_the_ones_below_zero_is_seen(sign: float) -> None:
    y, weight = (torch.arange(ROWS) % 2).float()[:, None], torch.tensor([3.0 * sign])
    seen = losses_of(net(), lambda model, x: F.binary_cross_entropy_with_logits(model(x), y, pos_weight=weight))[0]
    assert seen.has_negative_weights is (sign < 0)


@pytest.mark.parametrize("reduction", ["batchmean", "sum", "mean"])
def test_a_divergence_of_probabilities_is_seen_and_one_of_logarithms_is_a_cross_entropy(reduction: str) -> None:
    shares = torch.softmax(torch.randn(ROWS, 4), 1)
    wrong = losses_of(net(out=4), lambda model, x: F.kl_div(model(x).softmax(1), shares, reduction=reduction))[0]
    right = losses_of(net(out=4), lambda model, x: F.kl_div(model(x).log_softmax(1), shares, reduction=reduction))[0]
    assert (wrong.kind, wrong.last) == ("divergence", "softmax")
    assert wrong.outputs is not None
    assert 0 < wrong.outputs.high < 1
    assert right.kind == "cross entropy"


def test_an_overlap_of_probabilities_is_no_divergence() -> None:
    shares, labels = torch.softmax(torch.randn(ROWS, 4), 1), torch.eye(4)[torch.arange(ROWS) % 4]
    for loss in (
        lambda model, x: 1 - (shares * model(x).softmax(1)).sum(1).mean(),
        lambda model, x: (labels - labels * model(x).softmax(1)).sum(1).mean(),
        lambda model, x: (torch.zeros(ROWS, 1) - shares[:, :1] * model(x).softmax(1)).mean(),
    ):
        assert not [seen for seen in losses_of(net(out=4), loss) if seen.kind == "divergence"]
