"""What is kept of the looks, when it is tested, and that the real test finds what was planted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import gradreach as gr
from gradreach.record.look import Look
from gradreach.record.schema import Dependency
from gradreach.record.sinks.memory import MemorySink
from gradreach.record.sinks.sqlite import SqliteSink
from gradreach.record.store import rank_file, read
from gradreach.watch.budget import WARM_UP, Budget
from gradreach.watch.launch.launch import describe_run
from gradreach.watch.samples.dependency_samples import (
    ENOUGH_SEQUENCES,
    MOST_BYTES,
    MOST_POOLS,
    MOST_SEQUENCES,
    MOST_SPARSE,
    WIDTH,
    DependencySamples,
)
from gradreach.watch.samples.local_errors import LocalErrors
from tests.watch.conftest import Watched

Asked = list[tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the test was called with, instead of the test itself."""
    calls: Asked = []

    def note(errors, inputs, states, *, groups) -> Dependency:
        calls.append((errors, inputs, states, groups))
        return Dependency((), sum(map(len, errors)), 0, errors[-1].shape[1])

    monkeypatch.setattr("gradreach.score.dependency.dependency", note)
    return calls


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink(describe_run("test", ()))


def _take(
    samples: DependencySamples, step: int, *shape: int, p: int = 4, h: int = 4, f: int = 2, module: str = "rnn"
) -> None:
    B, T = shape
    inputs = torch.randn(B, T, f) if f else torch.randint(9, (B, T))
    local = LocalErrors(module, inputs, torch.randn(B, T, p), torch.randn(B, T, h), (inputs,))
    samples.take(Look(step, 0, 0.0), [local])


@pytest.mark.slow(3, "fills the samples to their limit")
@pytest.mark.parametrize(
    "shape", [(1000, 20), (300, 700), (1, 400_000), (7, 100_000)], ids=lambda shape: "×".join(map(str, shape))
)
def test_memory_is_bounded(shape: tuple[int, int], sink: MemorySink, asked: Asked) -> None:
    samples = DependencySamples()
    for step in range(4):
        _take(samples, step, *shape, p=80, h=70, f=0)
    samples.test_at_the_end(sink)
    errors, inputs, states, _ = asked[0]
    held = sum(e.nbytes // 2 + s.nbytes // 2 + x.nbytes for e, s, x in zip(errors, states, inputs, strict=True))
    assert held <= MOST_BYTES
    assert sum(map(len, errors)) <= MOST_SEQUENCES
    assert len(errors) >= 2
    assert errors[0].shape[2] == WIDTH["errors"]
    assert states[0].shape[2] == WIDTH["states"]
    assert all(len(e) == len(x) == len(s) for e, x, s in zip(errors, inputs, states, strict=True))


@pytest.mark.parametrize(("last_step", "most"), [(True, MOST_SPARSE), (False, MOST_SEQUENCES)])
def test_a_loss_on_the_last_step_alone_keeps_more_sequences(
    last_step: bool, most: int, sink: MemorySink, asked: Asked
) -> None:
    samples = DependencySamples()
    for step in range(100, 110):
        inputs, errors = torch.randn(200, 10, 2), torch.randn(200, 10, 4)
        if last_step:
            errors[:, :-1] = 0.0
        samples.take(Look(step, 0, 0.0), [LocalErrors("rnn", inputs, errors, torch.randn(200, 10, 4), (inputs,))])
    samples.test_at_the_end(sink)
    assert sum(map(len, asked[0][0])) == most // 200 * 200


def test_the_same_rows_and_steps_of_everything_are_kept(sink: MemorySink, asked: Asked) -> None:
    samples = DependencySamples()
    inputs = torch.randn(600, 30, 1)
    local = LocalErrors("rnn", inputs, 3 * inputs, 2 * inputs, (inputs,))
    samples.take(Look(0, 0, 0.0), [local])
    samples.test_at_the_end(sink)
    (errors,), (kept,), (states,), (groups,) = asked[0]
    assert len(kept) == MOST_SEQUENCES // 2
    torch.testing.assert_close(states, 2 * kept, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(errors * kept.square().mean().sqrt(), kept, rtol=1e-3, atol=1e-3)
    assert len(groups.unique()) == len(kept)


def test_what_is_wide_is_projected_and_keeps_its_size(sink: MemorySink, asked: Asked) -> None:
    samples = DependencySamples()
    _take(samples, 0, 64, 20, p=300, h=300, f=300)
    samples.test_at_the_end(sink)
    (errors,), (inputs,), (states,), _ = asked[0]
    for found, name in ((errors, "errors"), (inputs, "inputs"), (states, "states")):
        assert found.shape[2] == WIDTH[name]
        assert float(found.square().sum(-1).mean()) == pytest.approx(300, rel=0.3)


def test_the_latest_looks_stay(sink: MemorySink, asked: Asked) -> None:
    """Of the first half of the run, only what is needed to have enough."""
    samples = DependencySamples()
    for step in range(0, 40, 2):
        _take(samples, step, 32, 5)
    samples.test_at_the_end(sink)
    assert sum(map(len, asked[0][0])) == 32 * 10  # steps 20 … 38
    few = DependencySamples()
    for step in range(10):
        _take(few, 100 * step, ENOUGH_SEQUENCES // 8, 5)
    few.test_at_the_end(sink)
    assert sum(map(len, asked[1][0])) == ENOUGH_SEQUENCES


def test_modules_have_samples_of_their_own_and_not_too_many(sink: MemorySink, asked: Asked) -> None:
    samples = DependencySamples()
    for step in range(2):
        for number in range(MOST_POOLS + 3):
            _take(samples, step, 8, 5, module=f"rnn{number}")
    samples.test_at_the_end(sink)
    assert len(asked) == MOST_POOLS
    assert all(len(errors) == 2 for errors, *_ in asked)


def test_it_is_tested_on_the_way_where_it_has_doubled_and_the_budget_allows(sink: MemorySink, asked: Asked) -> None:
    samples, budget = DependencySamples(), Budget(0.02)
    for step in range(WARM_UP + 1):
        budget.plain(0, 1, 1.0, 0.0)
        _take(samples, step, 16, 5)
        samples.test_on_the_way(sink, budget)
    assert asked == []  # 0.02 of 51 s is less than what a test may cost
    budget.plain(0, 200, 200.0, 0.0)
    samples.test_on_the_way(sink, budget)
    assert len(asked) == 1
    samples.test_on_the_way(sink, budget)
    assert len(asked) == 1
    for step in range(WARM_UP):
        _take(samples, 300 + step, 16, 5)
    samples.test_on_the_way(sink, budget)
    assert len(asked) == 1
    for step in range(2):
        _take(samples, 400 + step, 16, 5)
    samples.test_on_the_way(sink, budget)
    assert len(asked) == 2
    samples.test_at_the_end(sink)
    assert len(asked) == 2


def test_the_budget_pays_for_a_test() -> None:
    budget = Budget(0.02)
    budget.plain(0, WARM_UP, 50.0, 0.5)
    assert not budget.may_spend(0.6), "what the first steps cost is paid for as well"
    budget.plain(0, 200, 200.0, 0.0)
    assert budget.may_spend(4.4)
    assert not budget.may_spend(4.6)
    budget.spend(2.0)
    assert budget.steps == WARM_UP + 200
    assert budget.measured() == pytest.approx(2.0 / 202.0)
    assert not budget.may_spend(2.6)


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.RNN(1, 16, batch_first=True), nn.Linear(16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.rnn(x)[0])


def _planted(lag: int, steps: int = 6) -> Callable[[], Remembers]:
    """y_t = x_{t−lag}, and nothing to learn at all with lag 0."""

    def train() -> Remembers:
        torch.manual_seed(5)
        model = Remembers()
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        for _ in range(steps):
            x = torch.randn(24, 60, 1)
            y = x.roll(lag, 1) if lag else torch.randn(24, 60, 1)
            optimizer.zero_grad()
            (model(x) - y)[:, lag:].square().mean().backward()
            optimizer.step()
        return model

    return train


def test_a_planted_lag_is_found_in_its_band_and_no_other(watched: Watched) -> None:
    _, record = watched(_planted(40))
    (found,) = record.dependency
    assert (found.module, found.step, found.looks, found.sequences) == ("model.rnn", 5, 6, 144)
    assert found.error == pytest.approx(1.0, abs=0.2)
    (lag,) = [lag for lag in found.lags if lag.q <= 0.05]
    assert lag.lag <= 40 <= lag.until
    assert lag.at == 40


def test_nothing_is_found_where_there_is_nothing(watched: Watched) -> None:
    _, record = watched(_planted(0))
    (found,) = record.dependency
    assert found.lags
    assert not [lag for lag in found.lags if lag.q <= 0.01]


def test_the_test_itself_leaves_every_generator_as_it_was(tmp_path: Path) -> None:
    model = Remembers()
    with gr.observe(model, every=1, out=tmp_path / "out") as watch:
        for _ in range(2):
            model(torch.randn(24, 20, 1)).square().mean().backward()
        before = torch.get_rng_state()
    assert len(watch.record().dependency) == 1
    assert torch.equal(torch.get_rng_state(), before)


def test_diagnose_asks_too() -> None:
    torch.manual_seed(0)
    model = Remembers()
    batches = [(x, x.roll(5, 1)) for x in (torch.randn(32, 20, 1) for _ in range(3))]
    report = gr.diagnose(model, batches, lambda out, y: (out - y)[:, 5:].square().mean())
    (found,) = report.record.dependency
    assert found.sequences == 96
    (lag,) = [lag for lag in found.lags if lag.lag <= 5 <= lag.until]
    assert lag.q <= 0.05


def test_a_run_that_is_killed_leaves_the_tests_on_the_way(watched: Watched, tmp_path: Path, asked: Asked) -> None:
    sink = SqliteSink(rank_file(tmp_path / "killed"), describe_run("test", ()))
    samples, budget = DependencySamples(), Budget(1.0, every=1)
    _take(samples, 0, ENOUGH_SEQUENCES, 5)
    samples.test_on_the_way(sink, budget)
    sink.flush()
    (found,) = read(tmp_path / "killed").dependency
    assert (found.module, found.sequences) == ("rnn", ENOUGH_SEQUENCES)


def test_rows_of_one_and_the_same_error_are_one_sequence(sink: MemorySink, asked: Asked) -> None:
    samples, inputs = DependencySamples(), torch.randn(5, 9, 2)
    shared = torch.randn(1, 9, 4).expand(5, 9, 4)
    for step, errors in enumerate((shared, torch.randn(5, 9, 4))):
        samples.take(Look(step, 0, 0.0), [LocalErrors("rnn", inputs, errors, torch.randn(5, 9, 4), (inputs,))])
    samples.test_at_the_end(sink)
    assert [len(set(each.tolist())) for each in asked[0][3]] == [1, 5]


def test_the_last_questions_take_so_much_time_at_most_and_what_is_left_is_told(sink: MemorySink, asked: Asked) -> None:
    samples = DependencySamples()
    for number in range(3):
        _take(samples, 0, 8 + number, 5, module=f"rnn{number}")
    told = samples.test_at_the_end(sink, most_seconds=0.0)
    assert told == "After 0 s the data was not asked a last time what the errors of `rnn1`, `rnn0` depend on."
    assert len(asked) == 1
    assert samples.test_at_the_end(sink) == ""
    assert len(asked) == 3
