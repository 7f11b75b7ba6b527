"""Checks of torch, and of what gradreach does inside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from gradreach.doctor import learning
from gradreach.doctor.checks import checks
from gradreach.doctor.process import Failed, TooSlow
from gradreach.doctor.trial import STEPS, train
from gradreach.record.schema import Record


@pytest.fixture(scope="module")
def record() -> Record:
    seen = train(watched=True).record
    assert seen is not None
    return seen


def test_hooks_fire_here() -> None:
    seen = learning.hooks()
    assert seen.state == "ok"
    assert seen.text.startswith(f"{STEPS} backward passes")


def test_nothing_of_the_trial_is_missing_and_no_generator_moved(record: Record) -> None:
    assert learning.unseen(record, STEPS) == []
    state = torch.get_rng_state()
    train(watched=True)
    assert torch.equal(torch.get_rng_state(), state)


def test_what_is_missing_is_said(record: Record) -> None:
    blind = replace(record, looks=(), steps=tuple(replace(step, norm=None) for step in record.steps[1:]))
    assert learning.unseen(blind, STEPS) == [
        f"{STEPS - 1} of {STEPS} backward passes seen",
        f"0 of {STEPS} norms measured",
        "no module's forward pass seen",
        "no exact reach of the recurrent layer",
    ]
    wrong = tuple(replace(look, time=tuple(replace(t, gradient_error=0.1) for t in look.time)) for look in record.looks)
    assert learning.unseen(replace(record, looks=wrong), STEPS) == ["no exact reach of the recurrent layer"]


def test_changed_weights_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def drifting(*, watched: bool, **_options: Any) -> Any:
        trained = train(watched=watched)
        return replace(trained, weights=tuple(w + 1e-7 for w in trained.weights)) if watched else trained

    monkeypatch.setattr("gradreach.doctor.trial.train", drifting)
    seen = learning.hooks()
    assert seen.state == "error"
    assert "watching changed the weights" in seen.text


def answering(monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | Exception) -> None:
    def answer_of(module: str, limit: float) -> dict[str, Any]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(learning, "answer_of", answer_of)


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ({"steps": 3, "seen": 3, "norms": 3, "modules": 1}, "ok", "weights of 1 module, no reach"),
        ({"steps": 3, "seen": 3, "norms": 3, "modules": 0}, "ok", "nothing of the modules inside"),
        ({"steps": 3, "seen": 0, "norms": 0, "modules": 0}, "error", "0 of 3 backward passes were seen"),
        (TooSlow("no answer within 60 s"), "warning", "skipped: no answer within 60 s"),
        (Failed("InvalidCxxCompiler"), "warning", "does not work here: InvalidCxxCompiler"),
    ],
)
def test_compile(monkeypatch: pytest.MonkeyPatch, answer: Any, state: str, told: str) -> None:
    answering(monkeypatch, answer)
    seen = learning.compiling()
    assert seen.state == state
    assert told in seen.text


@pytest.mark.parametrize(
    ("answer", "state", "told"),
    [
        ({"sum": 3.0}, "ok", "a gloo group of one works"),
        ({"sum": 6.0}, "error", "sums wrongly: 6.0"),
        (TooSlow("no answer within 30 s"), "warning", "a gloo group of one fails: no answer within 30 s"),
    ],
)
def test_distributed(monkeypatch: pytest.MonkeyPatch, answer: Any, state: str, told: str) -> None:
    answering(monkeypatch, answer)
    seen = learning.distributed({"RANK": "1", "WORLD_SIZE": "4"})
    assert seen.state == state
    assert told in seen.text
    assert "rank 1 of 4" in seen.text
    assert "rank" not in learning.distributed({}).text


def test_a_group_of_one_is_really_made() -> None:
    assert learning.answer_of("gradreach.doctor.grouping", 120.0) == {"sum": 3.0}


def test_mixed_precision_and_devices() -> None:
    assert learning.mixed_precision().text.startswith("bfloat16 on cpu")
    assert learning.devices().state == "ok"
    assert torch.__version__ in learning.torch().text


def test_without_torch_one_check_says_so_and_the_others_of_torch_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"hooks", "compile", "AMP", "distributed", "devices"} <= set(checks())
    monkeypatch.setattr(learning, "is_there", lambda: False)
    rest = checks()
    assert not {"hooks", "compile", "AMP", "distributed", "devices"} & set(rest)
    assert rest["torch"]().state == "error"
    assert rest["torch"]().do == "pip install torch"
