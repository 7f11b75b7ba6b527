"""What models are given of one another without the graph that leads back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.loop import CutOutput
from tests.watch.conftest import Watched

Hand = Callable[[Tensor], Tensor]


def seen(watched: Watched, hand: Hand) -> list[tuple[CutOutput, ...]]:
    torch.manual_seed(0)
    maker, judge = nn.Linear(4, 4), nn.Linear(4, 1)

    def train() -> None:
        for _ in range(3):
            made = maker(torch.randn(8, 4))
            (judge(hand(made)).mean() + made.square().mean()).backward()

    _, record = watched(train)
    assert not record.notes
    return [look.cut_outputs for look in record.looks]


@pytest.mark.parametrize(
    "hand",
    [Tensor.detach, lambda x: x.data, lambda x: x.detach()[:4], lambda x: x.detach().view(2, 4, 4)],
    ids=["detach", "data", "some rows", "another view"],
)
def test_an_output_without_its_graph(watched: Watched, hand: Hand) -> None:
    assert seen(watched, hand) == [(CutOutput("maker", "judge"),)] * 3


@pytest.mark.parametrize(
    "hand",
    [lambda x: x, lambda x: x[:4], torch.randn_like, lambda x: x.detach() * 2, lambda x: x.detach().clone()],
    ids=["with its graph", "a part of it", "data", "computed from it", "a copy"],
)
def test_what_is_no_output_or_has_its_graph(watched: Watched, hand: Hand) -> None:
    assert seen(watched, hand) == [()] * 3


def test_one_call_with_the_graph_is_enough(watched: Watched) -> None:
    torch.manual_seed(0)
    maker, judge = nn.Linear(4, 4), nn.Linear(4, 1)

    def train() -> None:
        made = maker(torch.randn(8, 4))
        (judge(made.detach()) - judge(made)).square().mean().backward()

    _, record = watched(train)
    assert [look.cut_outputs for look in record.looks] == [()]


def test_what_was_made_before_the_pass_before(watched: Watched) -> None:
    torch.manual_seed(0)
    maker, judge = nn.Linear(4, 4), nn.Linear(4, 1)

    def train() -> None:
        made = maker(torch.randn(8, 4))
        judge(made.detach()).mean().backward()
        (judge(made.detach()).mean() + made.square().mean()).backward()

    _, record = watched(train)
    assert [look.cut_outputs for look in record.looks] == [(CutOutput("maker", "judge"),)] * 2


def test_memory_that_was_given_back_is_no_output(watched: Watched) -> None:
    torch.manual_seed(0)
    maker, judge = nn.Linear(4, 4), nn.Linear(4, 1)

    def train() -> None:
        for _ in range(20):
            maker(torch.randn(8, 4))  # its memory is free at once, and soon another's
            judge(torch.randn(8, 4)).mean().backward()

    _, record = watched(train)
    assert [look.cut_outputs for look in record.looks] == [()] * 20
