"""Whether the code of places that sequences are joined with counts the rows of the batch, and no place."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.seen.data import CountedRows
from tests.watch.conftest import Watched

ROWS, TIME, WIDTH, LONGEST = 12, 7, 8, 40


class Adding(nn.Module):
    """Constants that are added, as `way` says."""

    def __init__(self, way: Callable[[Tensor, Tensor], Tensor], table: Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self.way, self.dropout = way, nn.Dropout(0.1)

    def forward(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(self.way(x, self.get_buffer("table")))
        return dropped


class Net(nn.Module):
    """Features of ids, joined with a code, then attention over one of two axes."""

    def __init__(self, join: Callable[[Net, Tensor], Tensor], *, batch_first: bool = True, width: int = WIDTH) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.symbols, self.codes = nn.Embedding(9, WIDTH), nn.Embedding(LONGEST, WIDTH)
        self.short = nn.Embedding(ROWS, WIDTH)
        self.code = nn.Parameter(torch.randn(LONGEST, 1, WIDTH))
        self.rows = nn.Parameter(torch.randn(ROWS, 1, WIDTH))
        self.attention, self.tell = nn.MultiheadAttention(width, 2, batch_first=batch_first), nn.Linear(width, 3)
        self.join, self.time = join, 1 if batch_first else 0

    def forward(self, ids: Tensor, *more: Tensor) -> Tensor:
        self.more = more
        h = self.join(self, ids)
        told: Tensor = self.tell(self.attention(h, h, h, need_weights=False)[0].mean(self.time))
        return told


def seen(watched: Watched, net: nn.Module, ids: Tensor, *more: Tensor) -> tuple[CountedRows, ...]:
    """What one look tells, which draws no random number of the script's."""
    _, record = watched(lambda: nn.functional.cross_entropy(net(ids, *more), torch.randint(3, (ROWS,))).backward())
    assert not record.notes
    return record.looks[0].counted_rows


def given(*shape: int) -> Tensor:
    return torch.randint(9, shape, generator=torch.Generator().manual_seed(3))


Join = Callable[[Net, Tensor], Tensor]


def beside(net: Net, ids: Tensor) -> Tensor:
    return torch.cat([net.symbols(ids), net.codes(torch.arange(len(ids))[:, None].expand_as(ids))], 2)


JOINS: dict[str, tuple[Join, str, bool]] = {
    "looked up for rows": (
        lambda net, ids: net.symbols(ids) + net.codes(torch.arange(len(ids))[:, None]),
        "codes",
        True,
    ),
    "looked up in front": (
        lambda net, ids: net.codes(torch.arange(len(ids)))[:, None] + net.symbols(ids),
        "codes",
        True,
    ),
    "expanded ids": (
        lambda net, ids: net.symbols(ids) * 2 + net.codes(torch.arange(1, 1 + len(ids))[:, None].expand_as(ids)),
        "codes",
        True,
    ),
    "dropped out and repeated": (
        lambda net, ids: (
            net.symbols(ids)
            + nn.functional.dropout(net.codes(torch.arange(len(ids))))[:, None].repeat(1, ids.shape[1], 1)
        ),
        "codes",
        True,
    ),
    "taken by numbers": (lambda net, ids: net.symbols(ids) + net.code[torch.arange(len(ids))], "code", True),
    "cut": (lambda net, ids: net.symbols(ids) * math.sqrt(WIDTH) + net.code[: len(ids)], "code", False),
    "cut in place": (lambda net, ids: net.symbols(ids).add_(net.code[: len(ids), :]), "code", False),
}


@pytest.mark.parametrize("name", JOINS)
def test_a_learned_code_that_counts_the_rows(name: str, watched: Watched) -> None:
    join, table, looks_up = JOINS[name]
    (found,) = seen(watched, Net(join), given(ROWS, TIME))
    assert (found.rows, found.places, found.axis, found.table_rows) == (ROWS, TIME, 0, LONGEST)
    assert found.table.split(".")[-2 if looks_up and table == "codes" else -1] == table
    assert (found.is_added, found.of_ids, found.looks_up) == (True, True, looks_up)


def test_a_code_beside_the_features(watched: Watched) -> None:
    (found,) = seen(watched, Net(beside, width=2 * WIDTH), given(ROWS, TIME))
    assert (found.is_added, found.axis) == (False, 0)


def test_time_first_and_a_code_of_the_second_axis(watched: Watched) -> None:
    def join(net: Net, ids: Tensor) -> Tensor:
        codes: Tensor = net.symbols(ids) + net.codes(torch.arange(ids.shape[1]))
        return codes

    (found,) = seen(watched, Net(join, batch_first=False), given(TIME, ROWS))
    assert (found.rows, found.places, found.axis) == (ROWS, TIME, 1)


@pytest.mark.parametrize("factor", [None, 3.0])
def test_constants_that_count_the_rows(factor: float | None, watched: Watched) -> None:
    net = Net(lambda net, ids: net.get_submodule("adding")(net.symbols(ids)))
    net.add_module(
        "adding",
        Adding(
            lambda x, table: (x if factor is None else x * factor) + table[: len(x)], torch.randn(LONGEST, 1, WIDTH)
        ),
    )
    (found,) = seen(watched, net, given(ROWS, TIME))
    assert found.module.endswith("adding")
    assert found.table.endswith("adding.table")
    assert (found.rows, found.axis, found.table_rows, found.looks_up) == (ROWS, 0, LONGEST, False)


HEALTHY: dict[str, Join] = {
    "places": lambda net, ids: net.symbols(ids) + net.codes(torch.arange(ids.shape[1])),
    "places of each row": lambda net, ids: net.symbols(ids) + net.codes(torch.arange(ids.shape[1]).expand_as(ids)),
    "cut for places": lambda net, ids: net.symbols(ids) + net.code[: ids.shape[1]].transpose(0, 1),
    "rows and places": lambda net, ids: beside_places(net, ids) + net.codes(torch.arange(len(ids))[:, None]),
    "a code for each row": lambda net, ids: net.symbols(ids) + net.short(torch.arange(len(ids)))[:, None],
    "a parameter for each row": lambda net, ids: net.symbols(ids) + net.rows,
    "drawn times": lambda net, ids: net.symbols(ids) + net.codes(torch.randint(LONGEST, (len(ids),)))[:, None],
    "noise": lambda net, ids: net.symbols(ids) + torch.randn(len(ids), 1, WIDTH),
    "mean of the rows": lambda net, ids: net.symbols(ids) + net.symbols(ids).mean(1, keepdim=True),
    "numbers further on": lambda net, ids: net.symbols(ids) + net.codes(3 + torch.arange(len(ids)))[:, None],
    "segments": lambda net, ids: net.symbols(ids) + net.codes(torch.ones_like(ids)),
    "a given square": lambda net, ids: net.symbols(ids) + net.codes(net.more[1]),
    "given numbers": lambda net, ids: net.symbols(ids) + net.codes(net.more[0])[:, None],
    "nothing": lambda net, ids: net.symbols(ids),
}


def beside_places(net: Net, ids: Tensor) -> Tensor:
    codes: Tensor = net.symbols(ids) + net.code[: ids.shape[1]].transpose(0, 1)
    return codes


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("time", [TIME, ROWS])
def test_other_codes(name: str, time: int, watched: Watched) -> None:
    assert (
        seen(
            watched,
            Net(HEALTHY[name]),
            given(ROWS, time),
            torch.arange(ROWS),
            torch.arange(ROWS)[:, None].expand(ROWS, time),
        )
        == ()
    )


@pytest.mark.parametrize("time", [TIME, ROWS])
@pytest.mark.parametrize(
    "join",
    [
        lambda net, ids: net.symbols(ids) + net.codes(torch.arange(len(ids)))[:, None],
        lambda net, ids: net.symbols(ids) + net.code[: len(ids)],
    ],
)
def test_time_first_with_its_code(time: int, join: Join, watched: Watched) -> None:
    assert seen(watched, Net(join, batch_first=False), given(time, ROWS)) == ()


@pytest.mark.parametrize(
    ("way", "shape"),
    [
        (lambda x, table: x + table[:, : x.shape[1]], (1, LONGEST, WIDTH)),
        (lambda x, table: x + table[torch.randperm(LONGEST)[: len(x)]], (LONGEST, 1, WIDTH)),
        (lambda x, table: x + table, (ROWS, 1, WIDTH)),
        (lambda x, table: x + table[: len(x)].expand(-1, x.shape[1], -1).flip(0), (LONGEST, 1, WIDTH)),
        (lambda x, table: x + 0.1 * torch.randn(len(x), 1, WIDTH) + table.sum(), (1, 1, WIDTH)),
    ],
)
def test_other_constants(way: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...], watched: Watched) -> None:
    net = Net(lambda net, ids: net.get_submodule("adding")(net.symbols(ids)))
    net.add_module("adding", Adding(way, torch.randn(shape)))
    assert seen(watched, net, given(ROWS, TIME)) == ()


def test_constants_that_count_time_first(watched: Watched) -> None:
    net = Net(lambda net, ids: net.get_submodule("adding")(net.symbols(ids)), batch_first=False)
    net.add_module("adding", Adding(lambda x, table: x + table[: len(x)], torch.randn(LONGEST, 1, WIDTH)))
    assert seen(watched, net, given(TIME, ROWS)) == ()


def test_a_recurrence_tells_the_places_itself(watched: Watched) -> None:
    def join(net: Net, ids: Tensor) -> Tensor:
        states: Tensor = net.get_submodule("gru")(net.symbols(ids) + net.codes(torch.arange(len(ids))[:, None]))[0]
        return states

    net = Net(join)
    net.add_module("gru", nn.GRU(WIDTH, WIDTH, batch_first=True))
    assert seen(watched, net, given(ROWS, TIME)) == ()


def test_rows_that_feed_each_other_are_none(watched: Watched) -> None:
    def join(net: Net, ids: Tensor) -> Tensor:
        h: Tensor = net.symbols(ids) + net.codes(torch.arange(len(ids))[:, None])
        return h - h.mean(0)

    assert seen(watched, Net(join), given(ROWS, TIME)) == ()


def test_a_few_looks_ask(watched: Watched) -> None:
    net = Net(JOINS["cut"][0])

    def train() -> None:
        for _ in range(8):
            nn.functional.cross_entropy(net(given(ROWS, TIME)), torch.randint(3, (ROWS,))).backward()

    looks = watched(train)[1].looks
    assert [len(look.counted_rows) for look in looks] == [1] * 4 + [0] * (len(looks) - 4)
