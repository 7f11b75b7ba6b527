"""Whether the targets are what the model is just given, at places that see nothing behind them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from gradreach.record.seen.loss import CopiedTargets
from tests.watch.conftest import Watched

BATCH, T, SYMBOLS = 4, 6, 7


class Net(nn.Module):
    def __init__(self, mix: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.symbols, self.head, self.mix = nn.Embedding(SYMBOLS, 5), nn.Linear(5, SYMBOLS), mix

    def forward(self, ids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.mix(self.symbols(ids)))
        return logits


def copied(
    watched: Watched, mix: Callable[[Tensor], Tensor], shift: int = 0, *, flat: bool = True
) -> CopiedTargets | None:
    torch.manual_seed(0)
    net, ids = Net(mix), torch.randint(0, SYMBOLS, (BATCH, T))
    targets = ids.roll(-shift, 1)

    def step() -> None:
        logits = net(ids)
        if flat:
            nn.functional.cross_entropy(logits.reshape(-1, SYMBOLS), targets.reshape(-1)).backward()
        else:
            nn.functional.cross_entropy(logits.transpose(1, 2), targets).backward()

    _, record = watched(step)
    assert not record.notes
    return record.looks[0].copied_targets


def causal(h: Tensor) -> Tensor:
    return h.cumsum(1)


def test_a_causal_model_that_is_asked_for_what_it_is_given(watched: Watched) -> None:
    found = copied(watched, causal)
    assert found is not None
    assert (found.steps, found.places) == (T, BATCH * T)
    assert found.module.endswith("symbols")


def test_classes_may_be_the_second_axis(watched: Watched) -> None:
    assert copied(watched, lambda h: h, flat=False) is not None


def test_shifted_targets_are_healthy(watched: Watched) -> None:
    assert copied(watched, causal, shift=1) is None


def test_a_model_that_sees_all_may_give_it_back(watched: Watched) -> None:
    assert copied(watched, lambda h: h + h.mean(1, keepdim=True)) is None
