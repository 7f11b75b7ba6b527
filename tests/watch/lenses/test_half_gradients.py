"""What a backward pass in float16 loses, held against the same operations from a larger loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.half import Underflow
from tests.watch.conftest import Watched


def net() -> nn.Sequential:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4))


def of(watched: Watched, train: Callable[[], object]) -> list[Underflow | None]:
    return [look.underflow for look in watched(train)[1].looks]


def trained(model: nn.Module, by: float, dtype: torch.dtype = torch.float16) -> Tensor:
    """One pass under autocast from a loss of this size; the loss."""
    torch.manual_seed(6)
    with torch.autocast("cpu", dtype=dtype):
        out = model(torch.randn(32, 6))
    loss = by * out.float().square().mean()
    loss.backward()
    return loss


def gradients(by: float) -> list[Tensor]:
    model = net()
    trained(model, by)
    return [p.grad for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("by", [1.0, 1e-2, 1e-4, 1e-6])
def test_it_counts_what_a_larger_loss_brings_back(by: float, watched: Watched) -> None:
    own, large = gradients(by), [g / 4096 for g in gradients(4096 * by)]
    wrong = sum(b.numel() for a, b in zip(own, large, strict=True) if (a - b).norm() >= 0.5 * b.norm() > 0)
    (told,) = of(watched, lambda: trained(net(), by))
    assert told is not None
    assert (told.times, told.is_pure) == (4096.0, False)
    assert told.present == sum(int((b != 0).sum()) for b in large)
    assert told.lost == sum(int(((a == 0) & (b != 0)).sum()) for a, b in zip(own, large, strict=True))
    assert (told.wrong, told.of) == (wrong, sum(p.numel() for p in net().parameters()))


def test_it_is_what_the_same_gradient_in_float64_has_and_float16_has_not(watched: Watched) -> None:
    exact = net().double()
    torch.manual_seed(6)
    (1e-6 * exact(torch.randn(32, 6).double()).square().mean()).backward()
    own = gradients(1e-6)
    gone = sum(int(((a == 0) & (p.grad != 0)).sum()) for a, p in zip(own, exact.parameters(), strict=True))
    (told,) = of(watched, lambda: trained(net(), 1e-6))
    assert told is not None
    assert gone > 100
    assert told.lost == pytest.approx(gone, rel=0.1)


def test_numbers_that_are_truly_0_are_no_loss(watched: Watched) -> None:
    torch.manual_seed(7)
    table = nn.Sequential(nn.Embedding(100, 8), nn.ReLU(), nn.Linear(8, 3))

    def train() -> None:
        with torch.autocast("cpu", dtype=torch.float16):
            out = table(torch.arange(10))
        (10 * out.float().square().sum()).backward()

    (told,) = of(watched, train)
    assert told is not None
    assert (told.lost, told.wrong, told.modules) == (0, 0, ())


def test_the_second_enlargement_is_taken_where_the_first_overflows(watched: Watched) -> None:
    (told,) = of(watched, lambda: trained(net(), 1e3))
    assert told is not None
    assert told.times == 16.0
    assert of(watched, lambda: trained(net(), 1e8)) == [None]


def test_weights_in_float16_are_said_to_be(watched: Watched) -> None:
    model = net().half()
    told = of(watched, lambda: (1e-4 * model(torch.randn(32, 6).half()).float().square().mean()).backward())
    assert told[0] is not None
    assert told[0].is_pure


@pytest.mark.parametrize("dtype", [torch.bfloat16])
def test_nothing_is_asked_of_another_format(dtype: torch.dtype, watched: Watched) -> None:
    assert of(watched, lambda: trained(net(), 1e-6, dtype)) == [None]


def test_nothing_is_asked_where_the_script_hooks_into_a_weight(watched: Watched) -> None:
    model, heard = net(), []
    model[0].weight.register_hook(lambda g: heard.append(g.norm().item()))
    assert of(watched, lambda: trained(model, 1e-4)) == [None]
    assert len(heard) == 1


def test_the_script_gets_the_gradients_that_it_gets_alone(watched: Watched) -> None:
    model = net()
    watched(lambda: trained(model, 1e-4))
    assert all(torch.equal(p.grad, g) for p, g in zip(model.parameters(), gradients(1e-4), strict=True))
