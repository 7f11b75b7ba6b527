"""Checks of torch, and of what gradreach does inside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from gradreach.doctor import check
from gradreach.doctor.checks import compiled_code, devices, distributed, hooks, mixed_precision
from gradreach.doctor.checks import torch as torch_check
from gradreach.doctor.process import NoAnswer, Timeout, answer_of
from gradreach.doctor.trial import STEPS, train
from gradreach.record.schema import Record


@pytest.fixture(scope="module")
def record() -> Record:
    seen = train(watched=True).record
    assert seen is not None
    return seen


def test_hooks_fire_here() -> None:
    seen = hooks.hooks()
    assert seen.state == "ok"
    assert seen.text.startswith(f"{STEPS} backward passes")


def test_nothing_of_the_trial_is_missing_and_no_generator_moved(record: Record) -> None:
    assert hooks.unseen(record, STEPS) == []
    state = torch.get_rng_state()
    train(watched=True)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_missing_is_said(record: Record) -> None:
    blind = replace(record, looks=(), steps=tuple(replace(step, norm=None) for step in record.steps[1:]))
    assert hooks.unseen(blind, STEPS) == [
        f"{STEPS - 1} of {STEPS} backward passes seen",
        f"0 of {STEPS} norms measured",
        "no module's forward pass seen",
        "no exact reach of the recurrent layer",
    ]
    wrong = tuple(replace(look, time=tuple(replace(t, gradient_error=0.1) for t in look.time)) for look in record.looks)
    assert hooks.unseen(replace(record, looks=wrong), STEPS) == ["no exact reach of the recurrent layer"]


def test_changed_weights_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def drifting(*, watched: bool, **_options: Any) -> Any:
        trained = train(watched=watched)
        return replace(trained, weights=tuple(w + 1e-7 for w in trained.weights)) if watched else trained

    monkeypatch.setattr("gradreach.doctor.trial.train", drifting)
    seen = hooks.hooks()
    assert seen.state == "error"
    assert "watching changed the weights" in seen.text


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | Exception) -> None:
    def told(module: str, limit: float) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    for each in (compiled_code, distributed):
        monkeypatch.setattr(each, "answer_of", told)


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ({"steps": 3, "seen": 3, "norms": 3, "modules": 1}, "ok", "seen, and 1 module inside"),
        ({"steps": 3, "seen": 3, "norms": 3, "modules": 0}, "ok", "none of the modules inside"),
        ({"steps": 3, "seen": 0, "norms": 0, "modules": 0}, "error", "0 of 3 backward passes were seen"),
        (Timeout("no answer within 60 s"), "warning", "skipped: no answer within 60 s"),
        (NoAnswer("InvalidCxxCompiler"), "warning", "does not work here: InvalidCxxCompiler"),
    ],
)
def test_compile(monkeypatch: pytest.MonkeyPatch, answer: Any, state: str, told: str) -> None:
    answering(monkeypatch, answer)
    seen = compiled_code.compiled_code()
    assert seen.state == state
    assert told in seen.text


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ({"sum": 3.0}, "ok", "a gloo group of one works"),
        ({"sum": 6.0}, "error", "sums wrongly: 6.0"),
        (Timeout("no answer within 30 s"), "warning", "a gloo group of one fails: no answer within 30 s"),
    ],
)
def test_distributed(monkeypatch: pytest.MonkeyPatch, answer: Any, state: str, told: str) -> None:
    answering(monkeypatch, answer)
    seen = distributed.distributed({"RANK": "1", "WORLD_SIZE": "4"})
    assert seen.state == state
    assert told in seen.text
    assert "rank 1 of 4" in seen.text
    assert "rank" not in distributed.distributed({}).text


def test_a_group_of_one_is_really_made() -> None:
    assert answer_of("gradreach.doctor.process_group", 120.0) == {"sum": 3.0}


def test_mixed_precision_and_devices() -> None:
    assert mixed_precision.mixed_precision().text.startswith("bfloat16 on cpu")
    assert devices.devices().state == "ok"
    assert torch.__version__ in torch_check.torch().text


def test_without_torch_one_check_says_so_and_the_others_of_torch_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    of_torch = {"hooks", "compile", "AMP", "distributed", "devices"}
    assert of_torch <= {each.name for each in check.checks()}
    monkeypatch.setattr(check, "torch_is_installed", lambda: False)
    monkeypatch.setattr(torch_check, "torch_is_installed", lambda: False)
    rest = {each.name: each for each in check.checks()}
    assert not of_torch & set(rest)
    assert rest["torch"].diagnose().state == "error"
    assert rest["torch"].diagnose().do == "pip install torch"
