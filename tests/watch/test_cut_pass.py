"""A backward pass that raises, for the model ran where gradients are switched off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loop import CutPass
from tests.watch.conftest import Watched


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.embed(x))
        return out


class Decorated(Net):
    forward = torch.inference_mode()(Net.forward)


def plain(x: Tensor) -> Tensor:
    out: Tensor = Net()(x).detach()
    return out


def around(x: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = Net()(x)
    return out


def decorated(x: Tensor) -> Tensor:
    out: Tensor = Decorated()(x)
    return out.clone()


def in_part(x: Tensor) -> Tensor:
    net = Net()
    with torch.no_grad():
        hidden = net.embed(x)
    out: Tensor = net.head(hidden).detach()
    return out


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (plain, None),
        (in_part, None),
        (around, CutPass(0, "Net", ())),
        (decorated, CutPass(0, "Decorated", ("embed", "head"))),
    ],
)
def test_what_ran_without_gradients(output: Callable[[Tensor], Tensor], told: CutPass | None, watched: Watched) -> None:
    def train() -> str:
        try:
            output(torch.ones(2, 3)).square().mean().backward()
        except RuntimeError as error:
            return str(error)
        return ""

    said, record = watched(train)
    assert "does not require grad" in said
    assert record.cut_pass == told
