"""Every number of a look and of a step is the same under a GradScaler: a power of two changes no digit of float32."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.schema import Record
from tests.watch.conftest import Watched


class Reader(nn.Module):
    """Layers of each kind that a look measures: a table, a fused recurrence, one by steps, a matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(9, 12), nn.GRU(12, 10, batch_first=True)
        self.cell, self.read = nn.RNNCell(10, 7), nn.Linear(7, 9)

    def forward(self, tokens: Tensor) -> Tensor:
        states, state = self.rnn(self.embed(tokens))[0], torch.zeros(len(tokens), 7)
        for each in states.unbind(1):
            state = self.cell(each, state)
        out: Tensor = self.read(torch.tanh(state))
        return out


def trained(watched: Watched, scale: float, *, unscales: bool = False, clip: float = 0.0) -> Record:
    def train() -> None:
        torch.manual_seed(0)
        model = Reader()
        optimizer = torch.optim.SGD(model.parameters(), 0.5)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=scale != 1)
        for _ in range(4):
            tokens = torch.randint(0, 9, (16, 8))
            optimizer.zero_grad()
            penalty = 0.1 * model.read.weight.square().sum()
            scaler.scale(nn.functional.cross_entropy(model(tokens), tokens[:, 0]) + penalty).backward()
            if unscales:
                scaler.unscale_(optimizer)
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            scaler.step(optimizer)
            scaler.update()

    record: Record = watched(train)[1]
    return record


def numbers(part: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Each number in nested values, by its place."""
    if is_dataclass(part):
        part = {each.name: getattr(part, each.name) for each in fields(part)}
    if isinstance(part, dict | tuple):
        for key, each in part.items() if isinstance(part, dict) else enumerate(part):
            yield from numbers(each, f"{path}.{key}")
    elif isinstance(part, int | float):
        yield path, part


@pytest.mark.parametrize("clip", [0.0, 0.5])
@pytest.mark.parametrize("scale", [2.0**10, 2.0**16])
def test_nothing_that_is_measured_depends_on_the_loss_scale(scale: float, clip: float, watched: Watched) -> None:
    plain = trained(watched, 1.0, clip=clip)
    scaled = trained(watched, scale, unscales=clip > 0, clip=clip)
    own = dict(numbers((plain.looks, plain.steps)))
    other = dict(numbers((scaled.looks, scaled.steps)))
    assert own.keys() == other.keys()
    assert len(own) > 500
    differ = {place for place in own if other[place] != pytest.approx(own[place], rel=2e-4, nan_ok=True)}
    assert {re.sub(r"\.\d+", "", place) for place in differ if "seconds" not in place} == {".scale", ".graph.nodes"}
