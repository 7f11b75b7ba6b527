"""Which loaders count as used up: those that gave batches, trained with them, and then have none, again and again."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import BatchSampler, DataLoader, IterableDataset, SequentialSampler, TensorDataset
from torch.utils.data.dataloader import _SingleProcessDataLoaderIter

from gradreach.record.seen.loop import SpentLoader
from tests.watch.conftest import Watched

DATA = TensorDataset(torch.randn(12, 3))


def batches() -> Iterator[list[int]]:
    for start in range(0, 12, 4):
        yield list(range(start, start + 4))


class Kept:
    """Begins a round once alone."""

    def __init__(self) -> None:
        self._rest = batches()

    def __iter__(self) -> Iterator[list[int]]:
        return self._rest

    def __len__(self) -> int:
        return 3


class Anew(Kept):
    def __iter__(self) -> Iterator[list[int]]:
        return batches()


class Rows(IterableDataset[Tensor]):
    """Rows read from where the last pass ended."""

    def __init__(self, count: int = 12) -> None:
        self._rows = iter(torch.randn(count, 3))

    def __iter__(self) -> Iterator[Tensor]:
        return self._rows


class RowsAnew(Rows):
    def __iter__(self) -> Iterator[Tensor]:
        return iter(torch.randn(12, 3))


class Queue(IterableDataset[Tensor]):
    """Gives what has come since the last pass."""

    def __init__(self) -> None:
        self.waiting = deque(torch.randn(4, 3))

    def __iter__(self) -> Iterator[Tensor]:
        while self.waiting:
            yield self.waiting.popleft()


def step(model: nn.Module, batch: Any) -> None:
    x = batch[0] if isinstance(batch, list) else batch
    model(x).square().mean().backward()


def go_through(model: nn.Module, loader: DataLoader[Any], most: int = 100) -> int:
    """One epoch, of so many batches at most; how many there were."""
    given = 0
    for batch in loader:
        step(model, batch)
        given += 1
        if given == most:
            break
    return given


def evaluate(model: nn.Module, loader: DataLoader[Any]) -> None:
    for batch in loader:
        model(batch[0])


def spent(watched: Watched, train: Callable[[nn.Module], Any]) -> tuple[SpentLoader, ...]:
    record = watched(lambda: train(nn.Linear(3, 1)))[1]
    assert not record.notes
    return record.spent_loaders


def epochs(loader: DataLoader[Any], count: int = 5, most: int = 100) -> Callable[[nn.Module], None]:
    def train(model: nn.Module) -> None:
        for _ in range(count):
            go_through(model, loader, most)

    return train


def test_a_generator_of_batches_is_told(watched: Watched) -> None:
    (found,) = spent(watched, epochs(DataLoader(DATA, batch_sampler=batches())))
    assert (found.passes, found.first, found.empty, found.step, found.steps) == (5, 2, 4, 3, 3)
    assert (found.part, found.kind, found.is_iterator, found.function) == (
        "batch_sampler",
        "generator",
        True,
        "batches",
    )
    assert "test_loader_passes.py:" in found.line


@pytest.mark.parametrize(
    ("make", "part", "kind", "is_iterator"),
    [
        (lambda: DataLoader(DATA, 4, sampler=iter(range(12))), "sampler", "range_iterator", True),
        (lambda: DataLoader(DATA, batch_sampler=BatchSampler(iter(range(12)), 4, False)), "sampler", None, True),
        (lambda: DataLoader(DATA, batch_size=None, sampler=map(int, range(12))), "sampler", "map", True),
        (lambda: DataLoader(DATA, batch_sampler=Kept()), "batch_sampler", "Kept", False),
        (lambda: DataLoader(Rows(), 4), "dataset", "Rows", False),
        (lambda: DataLoader(Rows(), 4, num_workers=1, persistent_workers=True), "dataset", "Rows", False),
    ],
)
def test_what_is_used_up_is_named(
    watched: Watched, make: Callable[[], DataLoader[Any]], part: str, kind: str | None, is_iterator: bool
) -> None:
    (found,) = spent(watched, epochs(make()))
    assert (found.part, found.is_iterator, found.empty) == (part, is_iterator, 4)
    assert kind in (None, found.kind)


def test_a_loader_made_anew_over_the_same_generator_is_told(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        order = batches()
        for _ in range(4):
            go_through(model, DataLoader(DATA, batch_sampler=order))

    (found,) = spent(watched, train)
    assert (found.passes, found.empty) == (4, 3)


def test_passes_that_are_broken_off_use_it_up_too(watched: Watched) -> None:
    (found,) = spent(watched, epochs(DataLoader(DATA, batch_sampler=batches()), most=2))
    assert (found.first, found.empty, found.steps) == (3, 3, 3)


def test_a_training_that_goes_on_elsewhere_ended_there_all_the_same(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        epochs(DataLoader(DATA, batch_sampler=batches()), 3)(model)
        for batch in DataLoader(DATA, 4):
            step(model, batch)

    (found,) = spent(watched, train)
    assert (found.empty, found.step) == (2, 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: DataLoader(DATA, 4, shuffle=True),
        lambda: DataLoader(DATA, batch_sampler=list(batches())),
        lambda: DataLoader(DATA, batch_sampler=Anew()),
        lambda: DataLoader(DATA, batch_sampler=BatchSampler(SequentialSampler(DATA), 4, False)),
        lambda: DataLoader(RowsAnew(), 4),
        lambda: DataLoader(Rows(), 4, num_workers=1),
    ],
)
def test_a_loader_that_begins_anew_is_not(watched: Watched, make: Callable[[], DataLoader[Any]]) -> None:
    assert not spent(watched, epochs(make()))
    assert not spent(watched, epochs(make(), most=1))


def test_an_endless_sampler_is_not(watched: Watched) -> None:
    endless = itertools.cycle(batches())
    assert not spent(watched, epochs(DataLoader(DATA, batch_sampler=endless), most=4))


def test_a_loop_until_nothing_comes_is_not(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        loader = DataLoader(Rows(), 4)
        while go_through(model, loader):
            pass
        assert next(iter(loader), None) is None

    assert not spent(watched, train)


def test_what_is_filled_again_is_not(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        queue = Queue()
        loader = DataLoader(queue, 4)
        for comes in (0, 0, 0, 4, 0, 0, 0):
            go_through(model, loader)
            queue.waiting.extend(torch.randn(comes, 3))

    assert [each.empty for each in spent(watched, train)] == [0]


def test_an_evaluation_without_batches_is_not(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        held_out = DataLoader(DATA, batch_sampler=batches())
        for _ in range(3):
            go_through(model, DataLoader(DATA, 4))
            evaluate(model, held_out)
        evaluate(model, held_out)
        evaluate(model, held_out)

    assert not spent(watched, train)


def test_an_evaluation_on_what_the_training_used_up_is_not(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        loader = DataLoader(Rows(), 4)
        go_through(model, loader)
        evaluate(model, loader)
        evaluate(model, loader)

    assert not spent(watched, train)


def test_a_warm_up_that_ends_while_the_training_goes_on_is_not(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        easy, all_of_it = DataLoader(DATA, batch_sampler=batches()), DataLoader(DATA, 4)
        for _ in range(4):
            for loader in (easy, all_of_it):
                go_through(model, loader)

    assert not spent(watched, train)


def test_a_loader_without_a_batch_from_the_first_is_not(watched: Watched) -> None:
    assert not spent(watched, epochs(DataLoader(DATA, batch_sampler=iter(()))))


def test_the_script_gets_its_own_iterator_and_nothing_is_kept_alive(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        loader = DataLoader(DATA, batch_sampler=Anew())
        iterator = iter(loader)
        assert type(iterator) is _SingleProcessDataLoaderIter
        batch = next(iterator)
        step(model, batch)
        refs = [weakref.ref(loader), weakref.ref(iterator), weakref.ref(batch[0])]
        del loader, iterator, batch
        gc.collect()
        assert not any(ref() is not None for ref in refs)

    assert not spent(watched, train)
    assert DataLoader.__iter__.__qualname__ == "DataLoader.__iter__"


def test_what_a_dataset_raises_is_the_scripts_own(watched: Watched) -> None:
    def train(model: nn.Module) -> None:
        with pytest.raises(IndexError):
            go_through(model, DataLoader(DATA, batch_sampler=iter([[0, 1], [99]])))

    assert not spent(watched, train)
