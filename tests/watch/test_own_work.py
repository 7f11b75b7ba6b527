"""The fence: what our own work raises is noted once and goes no further, and what asks the program to end goes on."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from gradreach.remedies.guard.events import GaveUp
from gradreach.watch.code_making import CodeMaking
from gradreach.watch.own_work import MOST_ERRORS, MOST_FAILURES, OwnWork, as_script
from gradreach.watch.script_calls import ScriptCalls
from gradreach.watch.session import Session
from gradreach.watch.stop_run import StopRun
from tests.watch.conftest import Watched


def test_an_error_is_noted_once_for_each_line_that_it_comes_from() -> None:
    notes: list[str] = []
    own_work = OwnWork(notes.append)
    for number in range(5):
        with own_work:
            raise ValueError(f"of its own, {number}\nand a second line")
    with own_work:
        raise RecursionError
    first, second = notes
    assert first.startswith("Part of what is watched failed and was left out: ValueError: of its own, 0 (")
    assert "RecursionError" in second
    assert not own_work.is_running


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, StopRun, GeneratorExit, GaveUp])
def test_what_asks_to_end_goes_through(error: type[BaseException]) -> None:
    own_work = OwnWork(pytest.fail)
    with pytest.raises(error), own_work:
        raise error
    assert not own_work.is_running


def test_what_a_signal_of_the_script_raises_goes_through() -> None:
    def too_late(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("too late")

    own_work = OwnWork(pytest.fail)
    before = signal.signal(signal.SIGUSR1, too_late)
    try:
        with pytest.raises(TimeoutError, match="too late"), own_work:
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_hook_that_has_failed_does_nothing_any_more() -> None:
    notes: list[str] = []
    calls: list[int] = []

    def act(number: int) -> None:
        calls.append(number)
        if number == 1:
            raise ZeroDivisionError

    hook = OwnWork(notes.append).hook(act)
    for number in range(4):
        hook(number)
    assert calls == [0, 1]
    assert len(notes) == 1


def test_a_part_that_fails_again_and_again_is_out_and_in_the_end_all_is() -> None:
    notes: list[str] = []
    own_work = OwnWork(notes.append)
    for number in range(MOST_ERRORS):
        assert own_work.is_out("One part") == (number >= MOST_FAILURES)
        assert not own_work.is_out("Another part")
        own_work.tell(ValueError(), "One part")
    assert own_work.has_given_up
    assert own_work.is_out("Another part")
    assert notes == [f"Watching ended early: {MOST_ERRORS} parts of it had failed."]


def test_each_thread_is_at_its_own_work() -> None:
    own_work = OwnWork(pytest.fail)
    seen: list[bool] = []
    with own_work:
        thread = threading.Thread(target=lambda: seen.append(own_work.is_running))
        thread.start()
        thread.join()
        with own_work:
            pass
        assert own_work.is_running
    assert seen == [False]


def test_the_default_device_of_the_script_is_not_ours_but_where_its_code_runs_again() -> None:
    with torch.device("meta"), OwnWork(pytest.fail):
        assert torch.zeros(1).device.type == "cpu"
        with as_script():
            assert torch.zeros(1).device.type == "meta"


AROUND = ("inner", "wrapped_fn", "wrapped_fn_impl")
"""Frames of torch's own, in a call of a module with hooks, and of what checks shapes in these tests."""


def _raises(*_: Any, **__: Any) -> None:
    raise ArithmeticError("of our own")


@pytest.mark.parametrize(
    ("hears", "part"),
    [
        *((Session, part) for part in ("backward", "asked")),
        *((CodeMaking, part) for part in ("compiled", "hooked")),
        *((ScriptCalls, part) for part in ("clipped", "limited", "scaled", "scaler_steps")),
        *((ScriptCalls, part) for part in ("loaded", "iterates", "runs_out")),
    ],
)
def test_a_session_that_fails_in_any_part_harms_nothing(
    hears: type, part: str, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train() -> Tensor:
        torch.manual_seed(0)
        model = nn.Linear(3, 1)
        optimizer, scaler = torch.optim.SGD(model.parameters(), 0.1), torch.amp.GradScaler("cpu")
        model.load_state_dict(model.state_dict())
        for rows in DataLoader(torch.randn(12, 3), 4):
            optimizer.zero_grad()
            hidden = model(rows)
            torch.autograd.grad(hidden.sum(), model.parameters(), retain_graph=True)
            hidden.register_hook(lambda gradient: gradient * 2)
            scaler.scale(hidden.square().mean()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            scaler.step(optimizer)
            scaler.update()
        torch.compile(model, backend="eager")
        return model.weight.detach().clone()

    plain = train()
    monkeypatch.setattr(hears, part, _raises)
    seen, record = watched(train)
    assert torch.equal(seen, plain)
    assert sum("of our own" in note for note in record.notes) == (part != "limited")


def test_tracebacks_of_the_script_show_no_frame_of_ours(watched: Watched) -> None:
    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(_: Any, x: Tensor) -> Tensor:
            return x * 1

        @staticmethod
        def backward(*_: Any) -> Tensor:
            raise KeyError("in backward")

    class Model(nn.Module):
        def forward(self, x: Tensor, fails: bool) -> Tensor:
            if fails:
                raise ValueError("in forward")
            return Fails.apply(x)

    def train() -> list[list[str]]:
        model, x, seen = Model(), torch.ones(2, requires_grad=True), []
        for act in (
            lambda: model(x, True),
            lambda: model(x, False).sum().backward(),
            lambda: nn.utils.clip_grad_norm_([x], "one"),
            lambda: torch.optim.SGD([x], 0.1).step(_raises),
            lambda: model.load_state_dict({"w": x}),
            lambda: next(iter(DataLoader([0], sampler=[7]))),
            lambda: next(iter(DataLoader([0], sampler=[]))),
        ):
            try:
                act()
            except Exception as error:
                frames = traceback.extract_tb(error.__traceback__)
                seen.append([frame.name for frame in frames if frame.name not in AROUND])
        return seen

    plain = train()
    assert len(plain) == 7
    assert watched(train)[0] == plain


def test_a_clipping_that_the_script_wrapped_itself_goes_on_after_watching(watched: Watched) -> None:
    real = nn.utils.clip_grad_norm_

    def script() -> Any:
        ours = nn.utils.clip_grad_norm_
        nn.utils.clip_grad_norm_ = lambda *args, **kwargs: ours(*args, **kwargs)
        return nn.utils.clip_grad_norm_

    wrapped, _ = watched(script)
    try:
        assert nn.utils.clip_grad_norm_ is wrapped
        x = torch.ones(2, requires_grad=True)
        x.grad = torch.ones(2) * 10
        wrapped([x], 1.0)
        assert float(x.grad.norm()) == pytest.approx(1.0)
    finally:
        nn.utils.clip_grad_norm_ = real


def test_the_recursion_limit_is_what_it_was(watched: Watched) -> None:
    before = sys.getrecursionlimit()
    watched(lambda: nn.Linear(2, 1)(torch.ones(1, 2)).sum().backward())
    assert sys.getrecursionlimit() == before


def test_hooks_of_the_script_are_called_as_often_as_without_watching(watched: Watched) -> None:
    """A loop's states and an intermediate value of it are hooked: no further pass may set that off."""

    def train() -> tuple[int, Tensor]:
        torch.manual_seed(0)
        cell, calls = nn.Linear(4, 4), []
        for _ in range(2):
            h = torch.zeros(2, 4)
            for x in torch.randn(6, 2, 4):
                before = cell(h) + x
                before.register_hook(lambda gradient: calls.append(gradient))
                before.retain_grad()
                h = before.tanh()
            h.sum().backward()
        return len(calls), before.grad.clone()

    (count, gradient), (seen, _) = train(), watched(train)
    assert seen[0] == count == 12
    assert torch.equal(seen[1], gradient)
