"""How far back over the looks a graph goes: only what was made before the last look at the same line counts."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn

from gradreach.record.schema import Record
from gradreach.record.seen.loop import GraphLook
from tests.watch.conftest import Watched


def graphs(record: Record) -> list[GraphLook]:
    return [look.graph for look in record.looks if look.graph is not None]


def test_a_state_with_its_graph_goes_back_to_the_first_pass(watched: Watched) -> None:
    torch.manual_seed(0)
    cell = nn.RNNCell(2, 3)

    def train() -> None:
        h = torch.zeros(4, 3)
        for _ in range(5):
            h = cell(torch.randn(4, 2), h)
            h.square().mean().backward(retain_graph=True)

    made = graphs(watched(train)[1])
    assert [graph.since for graph in made] == [None, 0, 0, 0, 0]
    assert [graph.older for graph in made[1:]] == [graph.nodes - (made[1].nodes - made[1].older) for graph in made[1:]]
    assert all(a.nodes < b.nodes and a.whole for a, b in pairwise(made))


def test_losses_that_share_a_pass_and_detached_states_are_new(watched: Watched) -> None:
    torch.manual_seed(0)
    cell, head = nn.RNNCell(2, 3), nn.Linear(3, 1)

    def train() -> None:
        h = torch.zeros(4, 3)
        for _ in range(4):
            h = cell(torch.randn(4, 2), h.detach())
            head(h).square().mean().backward(retain_graph=True)
            h.square().mean().backward()

    assert {(graph.older, graph.since) for graph in graphs(watched(train)[1])} == {(0, None)}


def test_a_gradient_penalty_is_new(watched: Watched) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))

    def train() -> None:
        for _ in range(4):
            x = torch.randn(5, 3, requires_grad=True)
            (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
            slope.square().sum().backward()

    assert all(graph.older == 0 for graph in graphs(watched(train)[1]))


def test_what_is_made_once_stays_as_large(watched: Watched) -> None:
    raw, net = torch.randn(3, 3, requires_grad=True), nn.Linear(3, 1)

    def train() -> None:
        weight = raw.tanh()
        for _ in range(5):
            net(torch.randn(4, 3) @ weight).square().mean().backward(retain_graph=True)

    older = [graph.older for graph in graphs(watched(train)[1])]
    assert older == [0, 1, 1, 1, 1]
