"""Which thread is watched: the one that trains, whichever that is."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import nn

from gradreach.watch.home import PATIENCE
from tests.watch.conftest import Watched

UPDATES = 12


def _train() -> list[float]:
    rows, net = torch.linspace(-1, 1, 24).reshape(8, 3), nn.Linear(3, 1)
    with torch.no_grad():
        for p in net.parameters():
            p.fill_(0.5)
    optimizer, losses = torch.optim.SGD(net.parameters(), 0.05), []
    for _ in range(UPDATES):
        loss = net(rows).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def _elsewhere(act: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(act).result()


def test_a_training_in_another_thread_is_seen_whole(watched: Watched) -> None:
    losses, record = watched(lambda: _elsewhere(_train))
    assert [step.loss for step in record.steps] == losses
    assert len(record.looks) == UPDATES
    assert [d.module for d in record.looks[0].depth]
    assert not record.notes


def test_one_by_gradients_asked_for_is_too(watched: Watched) -> None:
    def train() -> None:
        net = nn.Linear(3, 1)
        for _ in range(UPDATES):
            asked = torch.autograd.grad(net(torch.ones(2, 3)).square().mean(), list(net.parameters()))
            with torch.no_grad():
                for p, g in zip(net.parameters(), asked, strict=True):
                    p -= 0.1 * g

    _, record = watched(lambda: _elsewhere(train))
    assert len(record.steps) == UPDATES


def test_each_of_several_threads_in_turn_is_seen(watched: Watched) -> None:
    _, record = watched(lambda: [_elsewhere(_train) for _ in range(3)])
    assert len(record.steps) == 3 * UPDATES
    assert not record.notes


def test_where_the_first_thread_waits_another_is_watched_after_a_while(watched: Watched) -> None:
    _, record = watched(lambda: (_train(), _elsewhere(_train)))
    assert len(record.steps) == 2 * UPDATES - PATIENCE
    assert [note for note in record.notes if f"{PATIENCE} times in other threads" in note]


def test_of_two_threads_that_train_at_once_one_is_watched(watched: Watched) -> None:
    turn = threading.Barrier(2)

    def train() -> None:
        net = nn.Linear(3, 1)
        for _ in range(UPDATES):
            turn.wait()
            net.zero_grad()
            net(torch.ones(2, 3)).square().mean().backward()
            with torch.no_grad():
                for p in net.parameters():
                    p -= 0.1 * p.grad  # type: ignore[operator]

    def both() -> None:
        with ThreadPoolExecutor(2) as pool:
            for each in [pool.submit(train) for _ in range(2)]:
                each.result()

    _, record = watched(both)
    assert len(record.steps) == UPDATES
    assert any(f"{UPDATES} times in other threads" in note for note in record.notes)
