"""Layers that a forward pass makes for itself, and what making them once does for the training."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.facts.facts import Facts
from gradreach.rules.registry import judge

from .conftest import Watched


class Classifier(nn.Module):
    def __init__(self, *, once: bool) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(8, 24), nn.Linear(24, 3)
        self.layer = nn.Linear(24, 24) if once else None

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer or nn.Linear(24, 24)
        return self.two(torch.relu(layer(torch.relu(self.one(x)))))


class Filter(nn.Module):
    def __init__(self, *, once: bool) -> None:
        super().__init__()
        self.read = nn.Linear(6, 1)
        self.layer = nn.Conv1d(1, 6, 3) if once else None

    def forward(self, x: Tensor) -> Tensor:
        layer = self.layer or nn.Conv1d(1, 6, 3)
        return self.read(torch.relu(layer(x)).mean(2))


def classes() -> tuple[Tensor, Tensor]:
    x = torch.randn(48, 8)
    return x, nn.functional.one_hot(x[:, :3].argmax(1), 3).float()


def levels() -> tuple[Tensor, Tensor]:
    x = torch.randn(48, 1, 12)
    return x, x.abs().mean(2)


@pytest.mark.parametrize(("kind", "batch"), [(Classifier, classes), (Filter, levels)])
def test_a_layer_made_anew_is_named_and_one_made_once_learns(
    kind: type[Classifier | Filter], batch: Callable[[], tuple[Tensor, Tensor]], watched: Watched
) -> None:
    def train(once: bool) -> float:
        torch.manual_seed(0)
        model, losses = kind(once=once), []
        optimizer = torch.optim.Adam(model.parameters(), 5e-3)
        for _ in range(200):
            x, y = batch()
            loss = nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return sum(losses[-50:]) / 50

    (anew, faulty), (once, mended) = (watched(lambda once=once: train(once), every=20) for once in (False, True))
    assert [f.where["module"] for f in judge(Facts(faulty)).findings if f.code == "GR506"] == ["model"]
    assert "GR506" not in [finding.code for finding in judge(Facts(mended)).findings]
    assert once < 0.95 * anew


def test_layers_that_are_kept_elsewhere_are_none(watched: Watched) -> None:
    kept = [nn.Linear(4, 4) for _ in range(3)]

    class Borrows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.own = nn.Linear(4, 4)

        def forward(self, x: Tensor, at: int) -> Tensor:
            return kept[at](self.own(x))

    def train() -> None:
        model = Borrows()
        for step in range(12):
            model(torch.randn(8, 4), step % 3).square().mean().backward()

    _, record = watched(train)
    assert not any(look.fleeting for look in record.looks)
