"""What a step's data look like: their size, along which axis they are read, padding, rows that are all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from gradreach.record.look import Look
from gradreach.record.seen.data import RowReading
from tests.watch.conftest import Watched

BATCH, T = 6, 10


def looked(watched: Watched, net: nn.Module, *x: Tensor, target: Tensor | None = None) -> Look:
    def step() -> None:
        out = net(*x)
        nn.functional.mse_loss(out, torch.zeros_like(out) if target is None else target).backward()

    _, record = watched(step)
    assert not record.notes
    return record.looks[0]


def apart(watched: Watched, layer: nn.Module, x: Tensor) -> tuple[float | None, float | None]:
    given = looked(watched, nn.Sequential(layer), x).given[0]
    return given.apart_in, given.apart_out


def test_how_far_the_rows_lie_apart_before_and_behind_a_layer(watched: Watched) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(3, 4)
    x = torch.randn(64, 3)
    within, out = apart(watched, linear, x)
    y = linear(x).detach()
    assert within == pytest.approx(float(x.var(0).mean().sqrt() / x.square().mean().sqrt()), rel=1e-5)
    assert out == pytest.approx(float(y.var(0).mean().sqrt() / y.square().mean().sqrt()), rel=1e-5)
    within, out = apart(watched, linear, x / 1000)
    assert within == pytest.approx(1.0, abs=0.1)
    assert out is not None
    assert out < 0.01
    assert apart(watched, linear, x[:7]) == (None, None)


def test_of_large_data_evenly_spaced_values_tell(watched: Watched) -> None:
    pictures = torch.zeros(16, 1, 160, 160)
    pictures[..., 80:, :] = torch.rand(16, 1, 1, 1)
    within, out = apart(watched, nn.Conv2d(1, 2, 3), pictures)
    assert within is not None
    assert out is not None
    assert within > 0.2
    assert out > 0.1


@pytest.mark.parametrize(
    ("layer", "shape", "axis"),
    [
        (lambda: nn.Linear(3, 4), (12, 3), 0),
        (lambda: nn.Linear(3, 4), (2, 12, 3), 1),
        (lambda: nn.Conv1d(3, 4, 2), (12, 3, 5), 0),
        (lambda: nn.LSTM(3, 4, batch_first=True), (12, 9, 3), 0),
        (lambda: nn.GRU(3, 4), (9, 12, 3), 1),
    ],
)
def test_rows_are_measured_along_the_axis_of_the_batch(watched: Watched, layer, shape, axis: int) -> None:  # type: ignore[no-untyped-def]
    (found,) = looked(watched, First(layer()), towering(shape, axis)).given
    assert (found.largest_row, found.middle_row) == (pytest.approx(1e7), pytest.approx(1.0))


def towering(shape: tuple[int, ...], axis: int = 0) -> Tensor:
    """Rows of size 1, of which the sixth is of size 1e7 and the next three are 0."""
    x = torch.ones(shape)
    x.select(axis, 5)[:] = 1e7
    x.narrow(axis, 6, 3)[:] = 0.0
    return x


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: nn.Linear(3, 4), (7, 3)),
        (lambda: nn.GRU(3, 4), (12, 3)),
        (lambda: nn.Conv1d(3, 4, 2), (3, 12)),
        (lambda: Logs(3, 4), (12, 3)),
        (lambda: nn.Linear(3, 4).requires_grad_(False), (12, 3)),
    ],
    ids=["few rows", "one sequence", "one entry", "a layer of the script's own", "frozen"],
)
def test_rows_are_not_told_where_they_are_not_known(watched: Watched, layer, shape) -> None:  # type: ignore[no-untyped-def]
    (found, *_) = looked(watched, nn.Sequential(First(layer()), nn.Tanh(), Bias()), torch.ones(shape)).given
    assert (found.largest_row, found.middle_row) == (None, None)


def test_the_largest_row_is_one_that_the_loss_reads(watched: Watched) -> None:
    def largest(net: nn.Module, read: Tensor) -> float | None:
        def step() -> None:
            net(x)[read].square().sum().backward()

        return watched(step)[1].looks[0].given[0].largest_row

    x, every = towering((12, 3)), torch.ones(12, dtype=torch.bool)
    flat = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    assert largest(flat, every) == pytest.approx(1e7), "it saturates the units, and is read behind them"
    assert largest(flat, torch.arange(12) != 5) == pytest.approx(1.0)


class First(nn.Module):
    """A layer, and of several things that it puts out the first."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        out = self.layer(x)
        return out[0] if isinstance(out, tuple) else out


class Logs(nn.Linear):
    """A layer that takes logarithms of what it weighs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.log1p())


class Bias(nn.Module):
    """Something that is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.bias


class Read(nn.Module):
    """A layer over sequences, what is read of its output, and a head."""

    def __init__(self, layer: nn.Module, read: Callable[..., Tensor], width: int = 8) -> None:
        super().__init__()
        self.layer, self.head, self.read = layer, nn.Linear(width, 3), read

    def forward(self, x: Tensor) -> Tensor:
        read: Tensor = self.head(self.read(self.layer(x)))
        return read


def reading(watched: Watched, net: nn.Module, x: Tensor) -> RowReading:
    torch.manual_seed(0)
    (found,) = looked(watched, net, x).readings
    return found


def test_data_are_measured_where_weights_take_them_in(watched: Watched) -> None:
    x = 100 * torch.ones(4, 3)
    x[:, 2] = 1e4
    (found,) = looked(watched, nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)), x).given
    assert (found.module.rpartition(".")[2], found.kind, found.features) == ("0", "Linear", 3)
    assert (found.largest, found.middle) == (1e4, 100.0)
    assert found.rms == pytest.approx((x.square().mean() ** 0.5).item())


def test_channels_are_the_features_of_a_convolution(watched: Watched) -> None:
    x = torch.ones(2, 3, 5, 5) * torch.tensor([1.0, 2.0, 30.0]).reshape(3, 1, 1)
    (found,) = looked(watched, nn.Sequential(nn.Conv2d(3, 2, 3)), x).given
    assert (found.largest, found.middle, found.features) == (30.0, 2.0, 3)


def test_ids_normalised_data_and_what_a_module_made_are_no_sizes(watched: Watched) -> None:
    ids = nn.Sequential(nn.Embedding(500, 4), nn.Linear(4, 1))
    assert looked(watched, ids, torch.tensor([400, 499])).given == ()
    normed = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    assert looked(watched, normed, 1000 * torch.randn(4, 3)).given == ()


@pytest.mark.parametrize(
    ("layer", "read", "along", "count"),
    [
        (lambda: nn.GRU(4, 8, batch_first=True), lambda o: o[0][:, -1], "entries", 1),
        (lambda: nn.LSTM(4, 8, batch_first=True), lambda o: o[1][0][-1], "entries", 1),
        (lambda: nn.GRU(4, 8), lambda o: o[0][:, -1], "steps", 1),
        (lambda: nn.GRU(4, 8), lambda o: o[0].mean(1), "steps", T),
        (lambda: nn.GRU(4, 4, batch_first=True, bidirectional=True), lambda o: o[1].view(BATCH, 8), "other", 2),
        (
            lambda: nn.GRU(4, 4, batch_first=True, bidirectional=True),
            lambda o: o[1].transpose(0, 1).reshape(BATCH, 8),
            "entries",
            1,
        ),
        (lambda: nn.GRU(4, 8, batch_first=True), lambda o: o[0][:, -1] + o[0][:, -1].mean(0), "other", BATCH),
    ],
)
def test_rows_are_followed_to_the_layer(watched: Watched, layer, read, along: str, count: int) -> None:  # type: ignore[no-untyped-def]
    found = reading(watched, Read(layer(), read), torch.randn(BATCH, T, 4))
    assert (found.along, found.read, found.rows, found.scrambled) == (along, count, BATCH, False)


def test_attention_is_followed_as_well(watched: Watched) -> None:
    class Attends(nn.Module):
        def __init__(self, batch_first: bool) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(4, 2, batch_first=batch_first)

        def forward(self, x: Tensor) -> Tensor:
            last: Tensor = self.attention(x, x, x)[0][:, -1]
            return last

    x = torch.randn(BATCH, T, 4)
    assert [reading(watched, Attends(first), x).along for first in (True, False)] == ["entries", "steps"]


def test_a_view_that_exchanges_axes_scrambles(watched: Watched) -> None:
    class Before(nn.Module):
        def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
            super().__init__()
            self.inner, self.layer, self.change = nn.Linear(4, 4), nn.GRU(4, 8), change

        def forward(self, x: Tensor) -> Tensor:
            last: Tensor = self.layer(self.change(self.inner(x)))[0][-1]
            return last

    x = torch.randn(BATCH, T, 4)
    changes = (lambda z: z.view(T, BATCH, 4), lambda z: z.reshape(T, BATCH, 4), lambda z: z.transpose(0, 1))
    assert [reading(watched, Before(change), x).scrambled for change in changes] == [True, True, False]
    net = Read(nn.GRU(4, 8), lambda o: o[0][-1])
    data = (x.view(T, BATCH, 4), x.transpose(0, 1), x.transpose(0, 1).contiguous(), x.flatten(1).view(T, BATCH, 4))
    assert [reading(watched, net, each).scrambled for each in data] == [True, False, False, True]


def test_the_pass_that_follows_rows_leaves_no_gradient(watched: Watched) -> None:
    x, results = torch.randn(BATCH, T, 4), []
    for watch in (lambda train: train(), lambda train: watched(train)):
        torch.manual_seed(0)
        net = Read(nn.GRU(4, 8), lambda o: o[0][:, -1])
        watch(lambda net=net: net(x).square().mean().backward())
        results.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def padded(lengths: list[int], value: int = 0) -> Tensor:
    x = torch.randint(1, 9, (len(lengths), T))
    return torch.where(torch.arange(T) < torch.tensor(lengths)[:, None], x, value)


def ids(watched: Watched, x: Tensor) -> Look:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.layer = nn.Embedding(9, 4), nn.GRU(4, 8, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            last: Tensor = self.layer(self.embed(x))[0][:, -1]
            return last

    return looked(watched, Net(), x)


def test_padding_is_found_at_either_end(watched: Watched) -> None:
    x = padded([3, 5, 10, 2, 7, 8])
    (end,) = ids(watched, x).padding
    assert (end.at_end, end.T, end.median) == (True, T, 5.0)
    assert end.rows == pytest.approx(5 / 6)
    assert end.share == pytest.approx(25 / 60)
    (start,) = ids(watched, x.flip(1)).padding
    assert not start.at_end
    assert start.share == pytest.approx(25 / 60)


def test_other_repeats_are_no_padding(watched: Watched) -> None:
    assert ids(watched, padded([4] * BATCH)).padding == (), "as long in every row"
    among = padded([3, 5, 10, 2, 7, 8])
    among[2, 4] = 0
    assert ids(watched, among).padding == (), "the value stands elsewhere"
    assert ids(watched, padded([T] * BATCH)).padding == ()


def test_rows_that_are_all_the_same(watched: Watched) -> None:
    net, target = nn.Sequential(nn.Linear(4, 3)), torch.randn(BATCH, 3)
    assert looked(watched, net, torch.randn(1, 4).expand(BATCH, 4), target=target).same_rows == BATCH
    assert looked(watched, net, torch.randn(BATCH, 4), target=target).same_rows == 0
