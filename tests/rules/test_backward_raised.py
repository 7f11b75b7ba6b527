"""Autograd's well-known errors: torch still words them so, what is said of them, and that the advice helps."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from gradreach.record.schema import Finding, Outcome, Record
from gradreach.record.seen.loop import CutPass
from tests.records.parts import at, record, steps, stopped, time_look
from tests.rules.judging import codes, the

X = torch.ones(2, 3, 4)


def carried(detach: bool, retain: bool = False) -> None:
    torch.manual_seed(0)
    rnn = nn.RNN(4, 5, batch_first=True)
    optimizer, h = torch.optim.SGD(rnn.parameters(), 0.1), torch.zeros(1, 2, 5)
    for _ in range(3):
        out, h = rnn(X, h.detach() if detach else h)
        out.sum().backward(retain_graph=retain)
        optimizer.step()


def two_losses(added: bool) -> None:
    shared = nn.Linear(4, 4)(X).tanh()
    one, two = shared.sum(), shared.square().sum()
    if added:
        (one + two).backward()
    else:
        one.backward()
        two.backward()


def adversaries(anew: bool) -> None:
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    maker = nn.Linear(4, 4)
    optimizer, made = torch.optim.SGD(critic.parameters(), 0.1), maker(X)
    judged = critic(made)
    judged.sum().backward(retain_graph=True)
    optimizer.step()
    (critic(made) if anew else judged).mean().backward()


def in_place(new: bool) -> None:
    x = nn.Linear(4, 4)(X).exp()
    if new:
        x = x + 1.0
    else:
        x += 1.0
    x.sum().backward()


def cut(connected: bool) -> None:
    out = nn.Linear(4, 1)(X)
    (out if connected else out.detach()).sum().backward()


def many(mean: bool) -> None:
    loss = nn.Linear(4, 1)(X).square()
    (loss.mean() if mean else loss).backward()


def finding(run: Callable[[], None], passes: int, **more: object) -> Finding:
    with pytest.raises(RuntimeError) as raised:
        run()
    return the(stopped(str(raised.value), passes, **more), "GR501")


FAULTS = [
    (carried, {"looks": at(time_look(), count=1)}, "carried from batch to batch without detach()", "carry-and-detach"),
    (two_losses, {}, "two lines call backward", "one-backward"),
    (cut, {"sites": ("train.py:20",)}, "depends on no trainable parameter", "connect-loss"),
    (many, {"sites": ("train.py:20",)}, "more than one number", "scalar-loss"),
]


@pytest.mark.parametrize(("run", "known", "says", "advice"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_each_error_is_told_and_its_advice_helps(
    run: Callable[[bool], None], known: dict[str, object], says: str, advice: str
) -> None:
    known = {"sites": ("train.py:20",), **known} if run is carried else known
    found = finding(lambda: run(False), 2, **known)
    assert found.severity == "error"
    assert says in found.because
    assert [remedy.id for remedy in found.remedies] == [advice]
    run(True)


def test_a_value_changed_in_place() -> None:
    first = finding(lambda: in_place(False), 1)
    assert "not even the first pass" in first.because
    assert first.remedies[0].id == "out-of-place"
    in_place(True)
    state = finding(lambda: carried(False, retain=True), 4, looks=at(time_look(), count=1))
    assert "after 3 good passes in a model with a recurrent layer" in state.because
    assert state.remedies[0].id == "carry-and-detach"
    carried(True)
    other = finding(lambda: adversaries(False), 2)
    assert "after one good pass that is mostly an optimizer's step" in other.because
    assert other.remedies[0].id == "forward-anew"
    adversaries(True)


def test_what_ran_without_gradients_is_named() -> None:
    cut_pass = CutPass(0, "Net", ("embed", "head"))
    found = finding(lambda: cut(False), 1, sites=("train.py:20",), cut_pass=cut_pass)
    assert "what Net calls (`embed` first) ran where gradients are switched off" in found.because
    whole = finding(lambda: cut(False), 1, sites=("train.py:20",), cut_pass=CutPass(0, "Net", ()))
    assert "for Net ran where gradients are switched off" in whole.because


def test_a_layer_in_eval_mode_under_cudnn() -> None:
    found = the(stopped("cudnn RNN backward can only be called in training mode", 1), "GR501")
    assert found.remedies[0].do.startswith("layer.train()")


@pytest.mark.parametrize("how", ["finished", "interrupted", "unknown"])
def test_a_script_that_did_not_raise_is_left_alone(how: str) -> None:
    error = "RuntimeError: Trying to backward through the graph a second time"
    assert "GR501" not in codes(record(steps(), outcome=Outcome(how, 0, error)))  # type: ignore[arg-type]


@pytest.mark.parametrize("error", ["KeyError: 'x'", "RuntimeError: shape '[2]' is invalid", "MemoryError: "])
def test_other_errors_are_left_alone(error: str) -> None:
    made: Record = record(steps(), outcome=Outcome("raised", 1, error))
    assert "GR501" not in codes(made)
